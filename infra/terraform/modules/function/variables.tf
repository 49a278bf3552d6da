variable "name" {
  description = "The function's name, and so its run service's: letters, digits and dashes, at most 63."
  type        = string
}

variable "region" {
  description = "Where it runs."
  type        = string
}

variable "target" {
  description = "The manifest's name of it: the Python function that is called."
  type        = string
}

variable "size" {
  description = "What module.plan says of it: source, memory, cpu, timeout, concurrency, instances."
  type = object({
    source        = string
    memory        = string
    cpu           = string
    timeout       = number
    concurrency   = number
    min_instances = number
    max_instances = number
  })
}

variable "zip" {
  description = "The bucket and the object of the zip; the object's name holds its hash."
  type        = object({ bucket = string, object = string })
}

variable "accounts" {
  description = "Who builds it (full name, projects/P/serviceAccounts/EMAIL) and who it runs as (e-mail)."
  type        = object({ build = string, run = string })
}

variable "ingress" {
  description = "ALLOW_ALL, ALLOW_INTERNAL_AND_GCLB or ALLOW_INTERNAL_ONLY."
  type        = string
}

variable "environment" {
  description = "Environment variables; no secrets."
  type        = map(string)
}

variable "secrets" {
  description = "Environment variables whose values Secret Manager holds: the short id of the secret and its version, by variable."
  type        = map(object({ secret = string, version = string }))
  default     = {}
}

variable "project_id" {
  description = "The project of the secrets."
  type        = string
}

variable "network" {
  description = "Where everything it sends goes out; null: by Google's own addresses."
  type        = object({ network = string, subnetwork = string })
  default     = null
}
