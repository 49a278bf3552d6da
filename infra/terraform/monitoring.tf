# What is counted, who is told, what is shown; when somebody is told: alerts.tf, silence.tf. A metric counts the lines of
# monitoring/metrics.json. tests/infra/test_monitoring_* run the code and see that the lines are said, with these fields,
# in these units.

locals {
  log_metrics = jsondecode(file("${path.module}/monitoring/metrics.json"))

  of_functions = "resource.type=\"cloud_run_revision\""
  counted      = { for name, metric in local.log_metrics : name => "${local.of_functions} AND metric.type=\"logging.googleapis.com/user/${metric.name}\"" }

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

  # Google deletes no channel that a policy still names: first the policies let go of it.
  lifecycle {
    create_before_destroy = true
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

resource "google_monitoring_dashboard" "overview" {
  dashboard_json = templatefile("${path.module}/monitoring/dashboard.json.tftpl", {
    metrics = merge(
      { for name, metric in local.log_metrics : name => metric.name },
      { scheduled = google_logging_metric.scheduled.name },
    )
  })

  depends_on = [google_logging_metric.counted]
}
