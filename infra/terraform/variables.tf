variable "project_id" {
  description = "The Google Cloud project. One project is one environment: names in it are the same everywhere."
  type        = string

  validation {
    condition     = can(regex("^[a-z][-a-z0-9:.]{4,61}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id, such as my-company-hedgerow: no name, no number."
  }
}

variable "region" {
  description = "Where functions, jobs and the source bucket live."
  type        = string
  default     = "europe-west1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a region of Google's, such as europe-west1: no zone of it, and not eu."
  }
}

variable "firestore_location" {
  description = "Where Firestore keeps the records; never changed afterwards. Null: the region."
  type        = string
  default     = null

  validation {
    condition     = var.firestore_location == null || can(regex("^([a-z]+-[a-z]+[0-9]+|eur3|nam5|nam7)$", var.firestore_location))
    error_message = "firestore_location is a region such as europe-west1, or eur3, nam5, nam7."
  }
}

variable "vault" {
  description = "Where personal API keys live: `secret_manager`, a secret per connection, or `sealed`, records under one key."
  type        = string
  default     = "secret_manager"

  validation {
    condition     = contains(["secret_manager", "sealed"], var.vault)
    error_message = "vault is secret_manager or sealed."
  }
}

variable "sealing_key_version" {
  description = "With vault = sealed: the version of the secret hedgerow-sealing-key that everything is sealed under. Another than the first only for records brought from elsewhere, whose key you added."
  type        = string
  default     = "1"

  validation {
    condition     = can(regex("^[0-9]+$", var.sealing_key_version))
    error_message = "sealing_key_version is the number of a version; `latest` might be another key tomorrow."
  }
}

variable "host" {
  description = "A domain of your own, such as ph.example.com, behind a load balancer. Null: Cloud Run's addresses, no load balancer."
  type        = string
  default     = null

  validation {
    condition     = var.host == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.host))
    error_message = "host is a name alone, such as ph.example.com: no https://, no path."
  }
}

variable "addresses_stay" {
  description = "With a host: Cloud Run's own addresses of `api` and `capture` go on answering everybody, until the domain's certificate stands and the SDKs have moved."
  type        = bool
  default     = false
}

variable "separate_families" {
  description = "Deploy every API family as a function of its own behind the load balancer, instead of `api` alone."
  type        = bool
  default     = false

  validation {
    condition     = !var.separate_families || var.host != null
    error_message = "separate_families needs a host: only the load balancer leads to the families."
  }
}

variable "address_requests_per_minute" {
  description = "What one client address may ask of the load balancer in a minute before it is told 429. Null: no limit."
  type        = number
  default     = null

  validation {
    condition     = var.address_requests_per_minute == null || try(var.address_requests_per_minute >= 1 && floor(var.address_requests_per_minute) == var.address_requests_per_minute, false)
    error_message = "address_requests_per_minute is a whole number from 1 up, or null."
  }
}

variable "private_egress" {
  description = "Send everything through a network of our own, out by one fixed address."
  type        = bool
  default     = false
}

variable "min_instances" {
  description = "Instances kept warm, by target: { capture = 1 }."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for count in values(var.min_instances) : count >= 0 && floor(count) == count])
    error_message = "min_instances takes whole numbers from 0 up."
  }
}

variable "max_instances" {
  description = "The most instances, by target, over the manifest's: { sync_connection = 40 }."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for count in values(var.max_instances) : count >= 1 && floor(count) == count])
    error_message = "max_instances takes whole numbers from 1 up."
  }
}

variable "settings" {
  description = "More HEDGEROW_* settings for every function (docs/settings.md); never a secret."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for name in keys(var.settings) :
      startswith(name, "HEDGEROW_") && !endswith(upper(name), "_KEY") && !strcontains(upper(name), "WEBHOOK")
    ])
    error_message = "settings takes names that begin with HEDGEROW_, and none that holds a secret."
  }

  validation {
    condition     = !contains([for name in keys(var.settings) : upper(name)], "HEDGEROW_TELEMETRY_HEADERS")
    error_message = "HEDGEROW_TELEMETRY_HEADERS is a secret and would stand in the state: keep it in Secret Manager and name it in secret_settings."
  }

  # Whoever may call a private target is decided by Terraform's own accounts alone.
  validation {
    condition = length(setintersection(
      [for name in keys(var.settings) : upper(name)],
      ["HEDGEROW_IDENTITY", "HEDGEROW_INVOKER", "HEDGEROW_INVOKER_EMAILS"]
    )) == 0
    error_message = "settings takes no HEDGEROW_IDENTITY, HEDGEROW_INVOKER or HEDGEROW_INVOKER_EMAILS: they say who may call the private targets, and Terraform sets them."
  }
}

variable "alert_emails" {
  description = "Who is told when something is wrong. Empty: nobody, the policies stand without a channel."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "alert_emails takes addresses, such as oncall@example.com."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the database and the keys. Off for environments that come and go."
  type        = bool
  default     = true
}

variable "backup_retention_days" {
  description = "How long a daily backup of Firestore is kept, at most 98 days. 0: no backups."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_retention_days >= 0 && var.backup_retention_days <= 98
    error_message = "backup_retention_days is 0 to 98: Firestore keeps no backup longer than 14 weeks."
  }
}

variable "point_in_time_recovery" {
  description = "Keep every version of every record for 7 days instead of an hour; billed as storage."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels of everything that takes labels."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", name)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "labels are small letters, digits, dashes and underscores, 63 at most; a name begins with a letter."
  }
}

variable "operators" {
  description = "People (or groups) who run `hedgerow doctor`, `dead`, `schedules`, `export-data`: { \"user:ada@example.com\" = \"full\" }; `read` looks, `full` mends and reads the admin key."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for access in values(var.operators) : contains(["read", "full"], access)])
    error_message = "operators gives each member read or full."
  }

  validation {
    condition     = alltrue([for member in keys(var.operators) : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+$", member))])
    error_message = "operators names its members as Google does: user:ada@example.com, group:oncall@example.com."
  }
}

variable "secret_settings" {
  description = "Settings whose values are secrets of yours in Secret Manager, by the setting: { operator_webhook = \"my-webhook\" }. Their functions are given access."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for setting in keys(var.secret_settings) : contains(["operator_webhook", "operator_webhook_secret", "telemetry_headers"], setting)])
    error_message = "secret_settings takes operator_webhook, operator_webhook_secret and telemetry_headers."
  }
}

variable "alert_channels" {
  description = "More notification channels of Cloud Monitoring, made by hand (Slack, PagerDuty, a webhook), by full name: projects/P/notificationChannels/ID."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for channel in var.alert_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "alert_channels takes full names: projects/P/notificationChannels/ID."
  }
}

variable "sync_failure_share" {
  description = "The share of failed syncs of half an hour above which somebody is told."
  type        = number
  default     = 0.2

  validation {
    condition     = var.sync_failure_share > 0 && var.sync_failure_share < 1
    error_message = "sync_failure_share is a share between 0 and 1, such as 0.2."
  }
}

variable "cost_reads_per_hour" {
  description = "Firestore reads of an hour above which somebody is told; `hedgerow cost` reckons what is usual."
  type        = number
  default     = 1000000
}

variable "cost_writes_per_hour" {
  description = "Firestore writes of an hour above which somebody is told."
  type        = number
  default     = 500000
}

variable "cost_requests_per_hour" {
  description = "Requests to all functions of an hour above which somebody is told."
  type        = number
  default     = 2000000
}

variable "runbooks" {
  description = "Where docs/operations can be read, for the links in alerts: https://github.com/my-company/hedgerow/blob/main/docs/operations. The default is the folder in the clone, which is no link."
  type        = string
  default     = "docs/operations"
}
