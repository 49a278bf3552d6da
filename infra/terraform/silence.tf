# A schedule that is paused, deleted, or fails at every call: one policy each, because the others' lines would keep a
# common one quiet. Made from the plan, so that a new schedule is missed too.

locals {
  schedule_targets = distinct([for schedule in values(module.plan.schedules) : schedule.target])
  missed           = { for name, schedule in module.plan.schedules : name => schedule if schedule.silent_seconds != null }
}

# `key` holds the tier; lines of messages carry other keys, of which there is no end, and stay out.
resource "google_logging_metric" "scheduled" {
  name        = "hedgerow/scheduled"
  description = "Calls of Cloud Scheduler that went through, by target and tier."
  filter = join(" AND ", [
    local.of_functions,
    "jsonPayload.event=\"target.done\"",
    "(${join(" OR ", [for target in local.schedule_targets : "jsonPayload.target=\"${target}\""])})",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key = "target"
    }
    labels {
      key = "key"
    }
  }

  label_extractors = {
    target = "EXTRACT(jsonPayload.target)"
    key    = "EXTRACT(jsonPayload.key)"
  }

  depends_on = [google_project_service.needed]
}

# Fewer than one, or nothing at all: either way a silent schedule may look to Monitoring (which it is, is unverified). A
# schedule that was never called since its policy was made is not missed; `hedgerow doctor` sees that one.
resource "google_monitoring_alert_policy" "silent" {
  for_each = local.missed

  display_name          = "Hedgerow: ${each.key} is silent"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.told

  conditions {
    display_name = "no call of ${each.key} went through for ${each.value.silent_seconds / 60} minutes"

    condition_threshold {
      filter = join(" AND ", compact([
        local.of_functions,
        "metric.type=\"logging.googleapis.com/user/${google_logging_metric.scheduled.name}\"",
        "metric.labels.target=\"${each.value.target}\"",
        each.value.key == "" ? "" : "metric.labels.key=\"${each.value.key}\"",
      ]))
      comparison              = "COMPARISON_LT"
      threshold_value         = 1
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_ACTIVE"

      aggregations {
        alignment_period     = "${each.value.silent_seconds}s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  depends_on = [time_sleep.metrics]

  # No `auto_close`: as long as it is silent it is not over.

  documentation {
    mime_type = "text/markdown"
    content   = "No call of ${each.key} went through: it is paused, deleted, or every call fails. First: `hedgerow schedules list`, then `hedgerow doctor`. Then: ${local.runbooks}/alert-oldest-due.md"
  }
}
