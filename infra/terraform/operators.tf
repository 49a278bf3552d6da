# People with their own rights: what `hedgerow doctor`, `dead`, `schedules` and `export-data` do in their name.

locals {
  # `read` looks: records, jobs, backlogs, metrics, logs. `full` mends: redelivers, pauses and runs jobs, imports.
  operator_roles = {
    read = ["roles/datastore.viewer", "roles/cloudscheduler.viewer", "roles/pubsub.viewer", "roles/run.viewer", "roles/monitoring.viewer", "roles/logging.viewer", "roles/secretmanager.viewer"]
    full = ["roles/datastore.user", "roles/pubsub.viewer", "roles/run.viewer", "roles/monitoring.viewer", "roles/logging.viewer", "roles/secretmanager.viewer"]
  }
  granted = merge([
    for member, access in var.operators : {
      for role in local.operator_roles[access] : "${member} ${role}" => { member = member, role = role }
    }
  ]...)
  mending = toset([for member, access in var.operators : member if access == "full"])
  resent  = { for pair in setproduct(local.mending, keys(module.plan.subscriptions)) : join(" ", pair) => { member = pair[0], topic = pair[1] } }
}

resource "google_project_iam_member" "operator" {
  for_each = local.granted

  project = var.project_id
  role    = each.value.role
  member  = each.value.member
}

# No predefined role that only looks says who may publish or take: without these doctor cannot see whether Pub/Sub is
# able to bury what is dead. `services.use` is asked of the project that pays for calls with one's own credentials.
resource "google_project_iam_custom_role" "observer" {
  role_id     = "hedgerowObserver"
  title       = "Hedgerow: what doctor looks at beside records"
  permissions = ["pubsub.topics.getIamPolicy", "pubsub.subscriptions.getIamPolicy", "serviceusage.services.use"]

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "observer" {
  for_each = var.operators

  project = var.project_id
  role    = google_project_iam_custom_role.observer.id
  member  = each.key
}

resource "google_project_iam_custom_role" "schedule_keeper" {
  role_id     = "hedgerowScheduleKeeper"
  title       = "Hedgerow: pause, resume and run jobs"
  permissions = ["cloudscheduler.jobs.get", "cloudscheduler.jobs.list", "cloudscheduler.jobs.pause", "cloudscheduler.jobs.enable", "cloudscheduler.jobs.run"]

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "schedule_keeper" {
  for_each = local.mending

  project = var.project_id
  role    = google_project_iam_custom_role.schedule_keeper.id
  member  = each.key
}

# `hedgerow dead redeliver` publishes once more.
resource "google_pubsub_topic_iam_member" "operator" {
  for_each = local.resent

  topic  = google_pubsub_topic.topic[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = each.value.member
}

# The admin key, and doctor's look whether the newest connections' credentials are still there.
resource "google_secret_manager_secret_iam_member" "operator" {
  for_each = local.mending

  secret_id = google_secret_manager_secret.admin_key.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.key
}

resource "google_project_iam_member" "operator_secrets" {
  for_each = local.sealed ? toset([]) : local.mending

  project = var.project_id
  role    = google_project_iam_custom_role.secret["read"].id
  member  = each.key

  condition {
    title      = "hedgerow-doctor"
    expression = "resource.name.startsWith(\"${local.secrets_begin}con_\")"
  }
}

# With a sealed vault its key, which doctor opens them with.
resource "google_secret_manager_secret_iam_member" "operator_sealing_key" {
  for_each = local.sealed ? local.mending : toset([])

  secret_id = google_secret_manager_secret.sealing_key[0].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.key
}
