# The installation's own keys, and who reads them. What customers give us is written by the functions (iam.tf).
#
# Their values are made while Terraform runs and handed to Secret Manager by write-only arguments: they are in no
# plan, no output and no state. That takes Terraform 1.11 and one small provider, hashicorp/random (an `ephemeral`
# password; its arguments are unverified here). Without it somebody would have to make a key by hand and keep it out
# of a shell's history. A value is sent when its version is made, and never again.

ephemeral "random_password" "admin_key" {
  length  = 48
  special = false
}

# 32 letters and digits are the 32 bytes of AES-256: 190 bits of chance.
ephemeral "random_password" "sealing_key" {
  length  = 32
  special = false
}

locals {
  sealed = var.vault == "sealed"

  # The settings of the code that hold a secret, and the secret of each.
  kept = merge({
    admin_key = google_secret_manager_secret.admin_key.secret_id
    }, local.sealed ? {
    sealing_key = google_secret_manager_secret.sealing_key[0].secret_id
    } : {}, {
    for setting in keys(var.secret_settings) : setting => var.secret_settings[setting]
  })

  # The version that was made here and not `latest`: another one makes the functions' instances new at once. The sealing
  # key's is told by its number: a second version, however it came about, must never become the key. Of secrets that
  # somebody else keeps the newest counts, as it is when an instance starts.
  versions = merge({
    HEDGEROW_ADMIN_KEY = google_secret_manager_secret_version.admin_key.version
    }, local.sealed ? {
    HEDGEROW_SEALING_KEY = var.sealing_key_version
  } : {})

  # What each function's code can reach of them. The sealing key opens every credential: only who reads or writes
  # some gets it; destroying needs none.
  asked = {
    for name, function in module.plan.functions : name => concat(
      function.rights.settings,
      local.sealed && length(setintersection(keys(function.rights.secrets), ["read", "write"])) > 0 ? ["sealing_key"] : [],
    )
  }

  secret_environment = {
    for name, settings in local.asked : name => {
      for setting in settings : "HEDGEROW_${upper(setting)}" => local.kept[setting] if contains(keys(local.kept), setting)
    }
  }

  readers = merge([
    for name, secrets in local.secret_environment : {
      for variable, secret in secrets : "${name} ${variable}" => { target = name, secret = secret }
    }
  ]...)
}

resource "google_secret_manager_secret" "admin_key" {
  # No prefix that a function's rights name covers it (hedgerow-con_, hedgerow-chn_, …).
  secret_id           = "hedgerow-admin-key"
  deletion_protection = var.deletion_protection
  labels              = local.labels

  replication {
    auto {}
  }

  depends_on = [google_project_service.needed]
}

# Another one: terraform apply -replace=google_secret_manager_secret_version.admin_key
resource "google_secret_manager_secret_version" "admin_key" {
  secret                 = google_secret_manager_secret.admin_key.id
  secret_data_wo         = ephemeral.random_password.admin_key.result
  secret_data_wo_version = "1"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret" "sealing_key" {
  count = local.sealed ? 1 : 0

  secret_id           = "hedgerow-sealing-key"
  deletion_protection = var.deletion_protection
  labels              = local.labels

  replication {
    auto {}
  }

  depends_on = [google_project_service.needed]
}

# Never replaced: what was sealed under it opens under no other. Protected, a destroy stops at it and it stays in the
# state (`PREVENT`: provider 7.33 or newer).
resource "google_secret_manager_secret_version" "sealing_key" {
  count = local.sealed ? 1 : 0

  secret                 = google_secret_manager_secret.sealing_key[0].id
  secret_data_wo         = base64encode(ephemeral.random_password.sealing_key.result)
  secret_data_wo_version = "1"
  deletion_policy        = var.deletion_protection ? "PREVENT" : "DELETE"

  lifecycle {
    ignore_changes = [secret_data_wo_version]
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.target[each.value.target].member

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_secret_manager_secret.admin_key, google_secret_manager_secret.sealing_key]
}

# Who read which secret, and when, in the audit log.
resource "google_project_iam_audit_config" "secrets" {
  project = var.project_id
  service = "secretmanager.googleapis.com"

  audit_log_config {
    log_type = "DATA_READ"
  }
  audit_log_config {
    log_type = "DATA_WRITE"
  }

  depends_on = [google_project_service.needed]
}
