# Cloud Scheduler's jobs. Delivery is at least once and one run at a time; every tick bears both.

resource "google_cloud_scheduler_job" "tick" {
  for_each = module.plan.schedules

  name             = each.key
  description      = "Hedgerow: ${each.value.target} of functions/manifest.json"
  region           = var.region
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.deadline_seconds}s"

  # `paused` is left out: a job that `hedgerow schedules pause` paused stays so.

  retry_config {
    retry_count          = 2
    min_backoff_duration = "10s"
    max_backoff_duration = "60s"
    max_doublings        = 2
  }

  http_target {
    http_method = "POST"
    uri         = "${module.function[each.value.target].uri}/"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode(each.value.body))

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = module.function[each.value.target].uri
    }
  }

  # Else its first calls are refused.
  depends_on = [google_project_service.needed, google_cloud_run_v2_service_iam_member.invoker]
}
