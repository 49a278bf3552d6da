# What Google has answered for is not everywhere at once. Both waits pass while indexes are built, and come once: again
# only when what they are named after changes.

# The provider's own example gives a builder's rights a minute: a build that starts before them cannot fetch its zip.
resource "time_sleep" "rights" {
  create_duration = "60s"
  triggers        = { build = google_service_account.build.email }

  depends_on = [google_project_iam_member.build]
}

# `Cannot find metric(s) … could take up to 10 minutes`, says Google to a policy that comes too early.
resource "time_sleep" "metrics" {
  create_duration = "300s"
  triggers        = { names = join(" ", [for metric in local.log_metrics : metric.name]) }

  depends_on = [google_logging_metric.counted, google_logging_metric.scheduled]
}
