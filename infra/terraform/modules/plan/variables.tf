variable "repository" {
  description = "Folder of the clone: where the manifest's sources and the zip are looked for."
  type        = string
}

variable "bundle" {
  description = "The zip that `make bundle` writes, from the clone's folder."
  type        = string
  default     = "dist/functions.zip"

  validation {
    condition     = fileexists("${var.repository}/${var.bundle}")
    error_message = "There is no ${var.bundle}: run `make bundle` in the clone first."
  }
}

variable "manifest" {
  description = "functions/manifest.json, decoded: every target by its name."
  type = map(object({
    source        = string
    trigger       = string
    callers       = optional(string, "")
    memory        = string
    cpu           = string
    timeout       = number
    concurrency   = number
    max_instances = optional(number)
    paths         = optional(list(string), [])
    topic         = optional(string, "")
    schedules     = optional(list(object({ cron = string, body = optional(map(string), {}) })), [])
    rights = optional(object({
      store    = optional(list(string), [])
      secrets  = optional(map(list(string)), {})
      publish  = optional(list(string), [])
      settings = optional(list(string), [])
    }), {})
  }))
}

variable "tiers" {
  description = "tiers.json, decoded: how often each tier syncs by itself (null: by hand only) and how long it keeps days (null: for ever)."
  type = map(object({
    every_minutes = number
    kept_days     = number
    by_hand       = bool
  }))
}

variable "separate_families" {
  description = "Deploy every API family as a function of its own beside `api`."
  type        = bool
  default     = false
}

variable "min_instances" {
  description = "Instances kept warm, by target."
  type        = map(number)
  default     = {}
}

variable "max_instances" {
  description = "The most instances, by target, over the manifest's."
  type        = map(number)
  default     = {}
}
