# When somebody is woken: what each policy judges, and nothing of how, which is the same for all. Each leads to its
# page, docs/operations/alert-NAME.md. A schedule that is silent has a policy of its own kind: silence.tf.
#
# A policy on a metric that was just made fails with 404, for up to ten minutes: they wait (waits.tf).
# The types run.googleapis.com/…, pubsub.googleapis.com/… and firestore.googleapis.com/… are unverified.

locals {
  requests        = "${local.of_functions} AND resource.labels.service_name=starts_with(\"hedgerow-\") AND metric.type=\"run.googleapis.com/request_count\""
  failed_requests = "${local.requests} AND metric.labels.response_code_class=\"5xx\""
  errors_least    = 5

  # An incident whose figure is no longer there (dead letters, a share of none) is over, so that the next one rings.
  closes_after = "3600s"

  runbooks = trimsuffix(var.runbooks, "/")

  # A condition rings when `filter`, summed over `period`, is above `above` for `lasting`. With `share_of` it is that
  # share of another sum which is judged; `by` judges the parts of a sum one by one.
  usual_condition = {
    share_of  = null
    aligner   = "ALIGN_DELTA"
    reducer   = "REDUCE_SUM"
    by        = null
    lasting   = "0s"
    if_absent = null
  }

  alerts = {
    # Nothing ended: no ratio, no alarm; silence is `oldest-due`'s.
    "sync-success" = {
      title    = "syncs fail"
      severity = "ERROR"
      combiner = "AND"
      help     = "More than ${var.sync_failure_share * 100} % of the syncs of the last half hour failed. First: `hedgerow doctor`."
      conditions = [
        {
          what      = "more than ${var.sync_failure_share * 100} % of the syncs of half an hour failed"
          filter    = local.counted.syncs_failed
          share_of  = local.counted.syncs_ended
          above     = var.sync_failure_share
          period    = "1800s"
          lasting   = "60s"
          if_absent = "EVALUATION_MISSING_DATA_INACTIVE"
        },
        # One failed sync of one is a customer's matter.
        {
          what      = "and they are several"
          filter    = local.counted.syncs_failed
          above     = 2
          period    = "1800s"
          lasting   = "60s"
          if_absent = "EVALUATION_MISSING_DATA_INACTIVE"
        },
      ]
    }

    "oldest-due" = {
      title    = "a connection is long overdue"
      severity = "ERROR"
      combiner = "OR"
      help     = "Connections of a tier wait for their sync for more than half an hour. First: `hedgerow doctor`, then `hedgerow schedules list`."
      conditions = [{
        what    = "due for more than half an hour"
        filter  = local.counted.oldest_due
        above   = 1800
        period  = "300s"
        lasting = "600s"
        aligner = "ALIGN_PERCENTILE_99"
        reducer = "REDUCE_MAX"
        by      = ["metric.labels.tier"]
      }]
    }

    "outbox-age" = {
      title    = "the outbox is old"
      severity = "ERROR"
      combiner = "OR"
      help     = "Events that were accepted have waited for PostHog for more than fifteen minutes; nothing is lost. First: `hedgerow doctor`."
      conditions = [{
        what    = "the oldest event waits for more than fifteen minutes"
        filter  = local.counted.outbox_age
        above   = 900
        period  = "60s"
        lasting = "300s"
        aligner = "ALIGN_PERCENTILE_99"
        reducer = "REDUCE_MAX"
      }]
    }

    "dead-letters" = {
      title    = "messages are dead"
      severity = "WARNING"
      combiner = "OR"
      help     = "A message could not be read, or failed ten times in a row. It is kept 30 days. First: `hedgerow dead list`."
      conditions = [
        {
          what   = "a message could not be read"
          filter = local.counted.messages_dead
          above  = 0
          period = "300s"
        },
        {
          what   = "a message was given up"
          filter = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=starts_with(\"hedgerow-\") AND metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\""
          above  = 0
          period = "300s"
        },
      ]
    }

    "notifications" = {
      title    = "notifications fail"
      severity = "WARNING"
      combiner = "OR"
      help     = "Messages to chats or webhooks were given up; incidents themselves stand. First: `hedgerow doctor`."
      conditions = [{
        what   = "several were given up within an hour"
        filter = local.counted.notifications_failed
        above  = 2
        period = "3600s"
      }]
    }

    # Of every function by itself. Requests that are not there are no errors: without any there is no ratio.
    "errors" = {
      title    = "errors"
      severity = "ERROR"
      combiner = "AND_WITH_MATCHING_RESOURCE"
      help     = "More than one request in twenty to a function ended as 5xx. First: `hedgerow doctor`."
      conditions = [
        {
          what      = "more than one request in twenty of a function ended as 5xx"
          filter    = local.failed_requests
          share_of  = local.requests
          above     = 0.05
          period    = "600s"
          lasting   = "600s"
          by        = ["resource.labels.service_name"]
          if_absent = "EVALUATION_MISSING_DATA_INACTIVE"
        },
        # One 5xx of ten requests is no reason to wake anybody.
        {
          what      = "and they are more than ${local.errors_least}"
          filter    = local.failed_requests
          above     = local.errors_least
          period    = "600s"
          lasting   = "60s"
          by        = ["resource.labels.service_name"]
          if_absent = "EVALUATION_MISSING_DATA_INACTIVE"
        },
      ]
    }

    "cost" = {
      title    = "costs"
      severity = "WARNING"
      combiner = "OR"
      help     = "Firestore's operations or the functions' requests of the last hour are far above what was reckoned. First: `hedgerow cost`, and `hedgerow doctor`."
      conditions = [
        {
          what   = "more than ${var.cost_reads_per_hour} Firestore reads in an hour"
          filter = "resource.type=\"firestore_instance\" AND metric.type=\"firestore.googleapis.com/document/read_count\""
          above  = var.cost_reads_per_hour
          period = "3600s"
        },
        {
          what   = "more than ${var.cost_writes_per_hour} Firestore writes in an hour"
          filter = "resource.type=\"firestore_instance\" AND metric.type=\"firestore.googleapis.com/document/write_count\""
          above  = var.cost_writes_per_hour
          period = "3600s"
        },
        {
          what   = "more than ${var.cost_requests_per_hour} requests in an hour"
          filter = local.requests
          above  = var.cost_requests_per_hour
          period = "3600s"
        },
      ]
    }

    # Regions report one by one; two of them must see it, so that one bad way does not wake anybody.
    "capture-down" = {
      title    = "capture is down"
      severity = "CRITICAL"
      combiner = "OR"
      help     = "`/health` of the SDKs' host does not answer several regions; SDKs keep their events and try again. First: `hedgerow doctor`."
      conditions = [{
        what    = "several regions get no answer from /health"
        filter  = "resource.type=\"uptime_url\" AND metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id=\"${google_monitoring_uptime_check_config.capture.uptime_check_id}\""
        above   = 1
        period  = "120s"
        lasting = "120s"
        aligner = "ALIGN_NEXT_OLDER"
        reducer = "REDUCE_COUNT_FALSE"
        by      = ["resource.labels.host"]
      }]
    }
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = local.alerts

  display_name          = "Hedgerow: ${each.value.title}"
  combiner              = each.value.combiner
  severity              = each.value.severity
  notification_channels = local.told

  dynamic "conditions" {
    for_each = [for condition in each.value.conditions : merge(local.usual_condition, condition)]

    content {
      display_name = conditions.value.what

      condition_threshold {
        filter                  = conditions.value.filter
        denominator_filter      = conditions.value.share_of
        comparison              = "COMPARISON_GT"
        threshold_value         = conditions.value.above
        duration                = conditions.value.lasting
        evaluation_missing_data = conditions.value.if_absent

        aggregations {
          alignment_period     = conditions.value.period
          per_series_aligner   = conditions.value.aligner
          cross_series_reducer = conditions.value.reducer
          group_by_fields      = conditions.value.by
        }

        # A share of like and like.
        dynamic "denominator_aggregations" {
          for_each = conditions.value.share_of == null ? [] : [conditions.value]

          content {
            alignment_period     = denominator_aggregations.value.period
            per_series_aligner   = denominator_aggregations.value.aligner
            cross_series_reducer = denominator_aggregations.value.reducer
            group_by_fields      = denominator_aggregations.value.by
          }
        }
      }
    }
  }

  alert_strategy {
    auto_close = local.closes_after
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.help} Then: ${local.runbooks}/alert-${each.key}.md"
  }

  # Another host makes another check, and Google deletes none that a policy asks: policies go before it, and come after
  # the new one.
  lifecycle {
    replace_triggered_by = [google_monitoring_uptime_check_config.capture.uptime_check_id]
  }

  depends_on = [time_sleep.metrics]
}
