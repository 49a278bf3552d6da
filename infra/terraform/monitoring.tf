# What is counted, and when somebody is woken; of a schedule that is silent: silence.tf. A metric counts the lines of
# monitoring/metrics.json; a policy judges one; each leads to its page in docs/operations. tests/infra/test_monitoring_*
# run the code and see that the lines are said, with these fields, in these units.
#
# A policy on a metric that this apply makes may fail with 404 for some minutes: apply again (unverified).
# The types run.googleapis.com/…, pubsub.googleapis.com/… and firestore.googleapis.com/… are unverified too.

locals {
  log_metrics = jsondecode(file("${path.module}/monitoring/metrics.json"))

  of_functions = "resource.type=\"cloud_run_revision\""
  counted      = { for name, metric in local.log_metrics : name => "${local.of_functions} AND metric.type=\"logging.googleapis.com/user/${metric.name}\"" }

  requests        = "${local.of_functions} AND resource.labels.service_name=starts_with(\"hedgerow-\") AND metric.type=\"run.googleapis.com/request_count\""
  failed_requests = "${local.requests} AND metric.labels.response_code_class=\"5xx\""
  errors_least    = 5

  # An incident whose figure is no longer there (dead letters, a share of none) is over, so that the next one rings.
  closes_after = "3600s"

  runbooks = trimsuffix(var.runbooks, "/")

  bounds = [0, 60, 300, 600, 900, 1200, 1800, 2700, 3600, 7200, 21600, 86400]

  told = concat(
    values(google_monitoring_notification_channel.email)[*].id,
    var.alert_channels,
  )
}

resource "google_logging_metric" "counted" {
  for_each = local.log_metrics

  name            = each.value.name
  description     = each.value.description
  filter          = "${local.of_functions} AND ${each.value.filter}"
  value_extractor = each.value.value == "" ? null : "EXTRACT(${each.value.value})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = each.value.value == "" ? "INT64" : "DISTRIBUTION"
    unit        = each.value.unit

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key = labels.key
      }
    }
  }

  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(${field})" }

  # Thresholds lie on bounds, so that what is below one is never shown above it.
  dynamic "bucket_options" {
    for_each = each.value.value == "" ? [] : [local.bounds]

    content {
      explicit_buckets {
        bounds = bucket_options.value
      }
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  type         = "email"
  display_name = "Hedgerow: ${each.key}"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.needed]
}

# More than a fifth of the syncs failed. Nothing ended: no ratio, no alarm; silence is `oldest-due`'s.
resource "google_monitoring_alert_policy" "sync_success" {
  display_name          = "Hedgerow: syncs fail"
  combiner              = "AND"
  severity              = "ERROR"
  notification_channels = local.told

  conditions {
    display_name = "more than ${var.sync_failure_share * 100} % of the syncs of half an hour failed"

    condition_threshold {
      filter                  = local.counted.syncs_failed
      denominator_filter      = local.counted.syncs_ended
      comparison              = "COMPARISON_GT"
      threshold_value         = var.sync_failure_share
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
      denominator_aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  # One failed sync of one is a customer's matter.
  conditions {
    display_name = "and they are several"

    condition_threshold {
      filter                  = local.counted.syncs_failed
      comparison              = "COMPARISON_GT"
      threshold_value         = 2
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "More than a fifth of the syncs of the last half hour failed. First: `hedgerow doctor`. Then: ${local.runbooks}/alert-sync-success.md"
  }

  depends_on = [google_logging_metric.counted]
}

resource "google_monitoring_alert_policy" "oldest_due" {
  display_name          = "Hedgerow: a connection is long overdue"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.told

  conditions {
    display_name = "due for more than half an hour"

    condition_threshold {
      filter          = local.counted.oldest_due
      comparison      = "COMPARISON_GT"
      threshold_value = 1800
      duration        = "600s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
        group_by_fields      = ["metric.labels.tier"]
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Connections of a tier wait for their sync for more than half an hour. First: `hedgerow doctor`, then `hedgerow schedules list`. Then: ${local.runbooks}/alert-oldest-due.md"
  }

  depends_on = [google_logging_metric.counted]
}

resource "google_monitoring_alert_policy" "outbox_age" {
  display_name          = "Hedgerow: the outbox is old"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.told

  conditions {
    display_name = "the oldest event waits for more than fifteen minutes"

    condition_threshold {
      filter          = local.counted.outbox_age
      comparison      = "COMPARISON_GT"
      threshold_value = 900
      duration        = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Events that were accepted have waited for PostHog for more than fifteen minutes; nothing is lost. First: `hedgerow doctor`. Then: ${local.runbooks}/alert-outbox-age.md"
  }

  depends_on = [google_logging_metric.counted]
}

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "Hedgerow: messages are dead"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.told

  conditions {
    display_name = "a message could not be read"

    condition_threshold {
      filter          = local.counted.messages_dead
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  conditions {
    display_name = "a message was given up"

    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=starts_with(\"hedgerow-\") AND metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "A message could not be read, or failed ten times in a row. It is kept 30 days. First: `hedgerow dead list`. Then: ${local.runbooks}/alert-dead-letters.md"
  }

  depends_on = [google_logging_metric.counted]
}

resource "google_monitoring_alert_policy" "notifications" {
  display_name          = "Hedgerow: notifications fail"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.told

  conditions {
    display_name = "several were given up within an hour"

    condition_threshold {
      filter          = local.counted.notifications_failed
      comparison      = "COMPARISON_GT"
      threshold_value = 2
      duration        = "0s"

      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Messages to chats or webhooks were given up; incidents themselves stand. First: `hedgerow doctor`. Then: ${local.runbooks}/alert-notifications.md"
  }

  depends_on = [google_logging_metric.counted]
}

# Of every function by itself. Requests that are not there are no errors: without any there is no ratio.
resource "google_monitoring_alert_policy" "errors" {
  display_name          = "Hedgerow: errors"
  combiner              = "AND_WITH_MATCHING_RESOURCE"
  severity              = "ERROR"
  notification_channels = local.told

  conditions {
    display_name = "more than one request in twenty of a function ended as 5xx"

    condition_threshold {
      filter                  = local.failed_requests
      denominator_filter      = local.requests
      comparison              = "COMPARISON_GT"
      threshold_value         = 0.05
      duration                = "600s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
      denominator_aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  # One 5xx of ten requests is no reason to wake anybody.
  conditions {
    display_name = "and they are more than ${local.errors_least}"

    condition_threshold {
      filter                  = local.failed_requests
      comparison              = "COMPARISON_GT"
      threshold_value         = local.errors_least
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "More than one request in twenty to a function ended as 5xx. First: `hedgerow doctor`. Then: ${local.runbooks}/alert-errors.md"
  }

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_alert_policy" "cost" {
  display_name          = "Hedgerow: costs"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.told

  dynamic "conditions" {
    for_each = {
      "Firestore reads"  = { filter = "resource.type=\"firestore_instance\" AND metric.type=\"firestore.googleapis.com/document/read_count\"", most = var.cost_reads_per_hour }
      "Firestore writes" = { filter = "resource.type=\"firestore_instance\" AND metric.type=\"firestore.googleapis.com/document/write_count\"", most = var.cost_writes_per_hour }
      "requests"         = { filter = local.requests, most = var.cost_requests_per_hour }
    }

    content {
      display_name = "more than ${conditions.value.most} ${conditions.key} in an hour"

      condition_threshold {
        filter          = conditions.value.filter
        comparison      = "COMPARISON_GT"
        threshold_value = conditions.value.most
        duration        = "0s"

        aggregations {
          alignment_period     = "3600s"
          per_series_aligner   = "ALIGN_DELTA"
          cross_series_reducer = "REDUCE_SUM"
        }
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Firestore's operations or the functions' requests of the last hour are far above what was reckoned. First: `hedgerow cost`, and `hedgerow doctor`. Then: ${local.runbooks}/alert-cost.md"
  }

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_uptime_check_config" "capture" {
  display_name = "Hedgerow: capture"
  timeout      = "10s"
  period       = "60s"

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project_id
      host       = trimprefix(local.capture_host, "https://")
    }
  }

  depends_on = [google_project_service.needed]
}

# Regions report one by one; two of them must see it, so that one bad way does not wake anybody.
resource "google_monitoring_alert_policy" "capture_down" {
  display_name          = "Hedgerow: capture is down"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.told

  conditions {
    display_name = "several regions get no answer from /health"

    condition_threshold {
      filter          = "resource.type=\"uptime_url\" AND metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id=\"${google_monitoring_uptime_check_config.capture.uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "120s"

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.labels.host"]
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "`/health` of the SDKs' host does not answer several regions; SDKs keep their events and try again. First: `hedgerow doctor`. Then: ${local.runbooks}/alert-capture-down.md"
  }

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_dashboard" "overview" {
  dashboard_json = templatefile("${path.module}/monitoring/dashboard.json.tftpl", {
    metrics = merge(
      { for name, metric in local.log_metrics : name => metric.name },
      { scheduled = google_logging_metric.scheduled.name },
    )
  })

  depends_on = [google_logging_metric.counted]
}
