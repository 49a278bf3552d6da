# Every deployed target of the manifest, from one zip.

locals {
  networked = var.host != null || var.private_egress

  # Cloud Run's address that can be told beforehand: no function needs to be there before another.
  run_address = "https://${module.plan.functions["api"].run_name}-${data.google_project.this.number}.${var.region}.run.app"
  public_url  = var.host == null ? local.run_address : "https://${var.host}"

  environment = merge({
    # Where the zip is unpacked; unverified, not in Google's reference.
    PYTHONPATH              = "/workspace"
    HEDGEROW_STORE          = "firestore"
    HEDGEROW_QUEUE          = "pubsub"
    HEDGEROW_VAULT          = var.vault
    HEDGEROW_PROJECT        = var.project_id
    HEDGEROW_DATABASE       = google_firestore_database.state.name
    HEDGEROW_TOPIC_PREFIX   = "hedgerow-"
    HEDGEROW_SECRET_PREFIX  = "hedgerow-"
    HEDGEROW_IDENTITY       = "claims"
    HEDGEROW_INVOKER_EMAILS = join(",", [google_service_account.scheduler.email, google_service_account.push.email])
    HEDGEROW_PUBLIC_URL     = local.public_url
    # Who appends to X-Forwarded-For: Cloud Run's front end the client; a load balancer the client and
    # itself. Unverified: compare `$ip` of a first event with the sender's, and set it in `settings`.
    HEDGEROW_FORWARDED_HOPS = var.host == null ? "1" : "2"
  }, var.settings)
}

module "function" {
  source   = "./modules/function"
  for_each = module.plan.functions

  name        = each.value.run_name
  target      = each.key
  region      = var.region
  project_id  = var.project_id
  size        = each.value
  ingress     = each.value.public ? local.public_ingress : "ALLOW_INTERNAL_ONLY"
  environment = local.environment
  network     = local.egress

  secrets = {
    for variable, secret in lookup(local.secret_environment, each.key, {}) :
    variable => { secret = secret, version = lookup(local.versions, variable, "latest") }
  }

  zip = {
    bucket = google_storage_bucket.source.name
    object = google_storage_bucket_object.source.name
  }
  accounts = {
    build = google_service_account.build.id
    run   = google_service_account.target[each.key].email
  }

  # An account must be able to build, and to read its secrets, before a revision starts. And a release finds what it
  # needs when it starts: its rights, its indexes, the way out. Those have `create_before_destroy`, so that what only
  # the release before needed goes when no function of it is left.
  depends_on = [
    google_project_iam_member.build,
    time_sleep.rights,
    google_secret_manager_secret_iam_member.reader,
    google_secret_manager_secret_version.admin_key,
    google_secret_manager_secret_version.sealing_key,
    google_project_iam_member.store,
    google_project_iam_member.secret,
    google_project_iam_member.secret_creator,
    google_pubsub_topic_iam_member.publisher,
    google_firestore_index.composite,
    google_firestore_field.single,
    google_compute_router_nat.egress,
  ]
}
