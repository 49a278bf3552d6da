# Who may do what. A function's rights are what its code can reach: functions/manifest.json says them, and
# tests/infra/test_rights_follow_the_code.py derives them from the code. No basic role, no key of a service account.

locals {
  # The permissions of Firestore's and Secret Manager's methods; unverified against Google's reference.
  store_permissions = {
    read   = ["datastore.databases.get", "datastore.entities.get", "datastore.entities.list"]
    write  = ["datastore.entities.create", "datastore.entities.update"]
    delete = ["datastore.entities.delete"]
  }
  secret_permissions = {
    read    = ["secretmanager.versions.access"]
    write   = ["secretmanager.versions.add"]
    destroy = ["secretmanager.versions.list", "secretmanager.versions.destroy"]
    delete  = ["secretmanager.secrets.delete"]
  }

  # A sealed vault keeps its secrets as records: what would be done there is done here.
  sealed_verbs = { read = "read", write = "write", destroy = "delete", delete = "delete" }

  store_rights = merge([
    for name, function in module.plan.functions : {
      for verb in setunion(function.rights.store, local.sealed ? [for each in keys(function.rights.secrets) : local.sealed_verbs[each]] : []) :
      "${name} ${verb}" => { target = name, verb = verb }
    }
  ]...)

  secret_rights = local.sealed ? {} : merge([
    for name, function in module.plan.functions : {
      for verb, prefixes in function.rights.secrets : "${name} ${verb}" => { target = name, verb = verb, prefixes = prefixes }
    }
  ]...)

  publish_rights = merge([
    for name, function in module.plan.functions : {
      for topic in function.rights.publish : "${name} ${topic}" => { target = name, topic = topic }
    }
  ]...)

  # In conditions a secret's name carries the number of its project.
  secrets_begin = "projects/${data.google_project.this.number}/secrets/hedgerow-"

  invokers = {
    http     = "allUsers"
    schedule = google_service_account.scheduler.member
    topic    = google_service_account.push.member
  }
}

resource "google_service_account" "target" {
  for_each = module.plan.functions

  account_id   = each.value.run_name
  display_name = "Hedgerow: ${each.key}"

  depends_on = [google_project_service.needed]
}

resource "google_service_account" "scheduler" {
  account_id   = "hedgerow-by-scheduler"
  display_name = "Hedgerow: what Cloud Scheduler calls as"

  depends_on = [google_project_service.needed]
}

resource "google_service_account" "push" {
  account_id   = "hedgerow-by-pubsub"
  display_name = "Hedgerow: what Pub/Sub pushes as"

  depends_on = [google_project_service.needed]
}

resource "google_service_account" "build" {
  account_id   = "hedgerow-build"
  display_name = "Hedgerow: builds the functions"

  depends_on = [google_project_service.needed]
}

# Else builds run as the project's default account, which may be its editor.
resource "google_project_iam_member" "build" {
  project = var.project_id
  role    = "roles/cloudbuild.builds.builder"
  member  = google_service_account.build.member
}

resource "google_project_iam_custom_role" "store" {
  for_each = local.store_permissions

  role_id     = "hedgerowRecords${title(each.key)}"
  title       = "Hedgerow: ${each.key} records"
  permissions = each.value

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_custom_role" "secret" {
  for_each = local.secret_permissions

  role_id     = "hedgerowSecrets${title(each.key)}"
  title       = "Hedgerow: ${each.key} secrets of given names"
  permissions = each.value

  depends_on = [google_project_service.needed]
}

# Creating is asked of the project, before there is a name a condition could look at (unverified).
resource "google_project_iam_custom_role" "secret_creator" {
  role_id     = "hedgerowSecretsCreate"
  title       = "Hedgerow: create empty secrets"
  permissions = ["secretmanager.secrets.create"]

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "store" {
  for_each = local.store_rights

  project = var.project_id
  role    = google_project_iam_custom_role.store[each.value.verb].id
  member  = google_service_account.target[each.value.target].member

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_project_iam_member" "secret" {
  for_each = local.secret_rights

  project = var.project_id
  role    = google_project_iam_custom_role.secret[each.value.verb].id
  member  = google_service_account.target[each.value.target].member

  condition {
    title      = "hedgerow-${join("-", [for prefix in each.value.prefixes : trim(prefix, "_-")])}"
    expression = join(" || ", [for prefix in each.value.prefixes : "resource.name.startsWith(\"${local.secrets_begin}${prefix}\")"])
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_project_iam_member" "secret_creator" {
  for_each = { for key, right in local.secret_rights : right.target => right if right.verb == "write" }

  project = var.project_id
  role    = google_project_iam_custom_role.secret_creator.id
  member  = google_service_account.target[each.key].member

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publish_rights

  topic  = google_pubsub_topic.topic[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.target[each.value.target].member

  lifecycle {
    create_before_destroy = true
  }
}

# Who may call: everybody where a key of ours or a project's token is asked for, else the one caller.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = module.plan.functions

  location = var.region
  name     = module.function[each.key].name
  role     = "roles/run.invoker"
  member   = local.invokers[each.value.trigger]
}
