# What to do next.

output "api_url" {
  description = "Where /v1 answers: HEDGEROW_URL of the command line."
  value       = local.api_url
}

output "capture_host" {
  description = "What PostHog's SDKs get as their host (`api_host`)."
  value       = local.capture_host
}

output "dashboard" {
  description = "Cloud Monitoring's page of it all (the console's address is unverified; it is called Hedgerow there)."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(google_monitoring_dashboard.overview.id)}?project=${var.project_id}"
}

output "admin_key_command" {
  description = "Prints the operator's key. The key itself is in no output and not in the state."
  value       = local.admin_key_command
}

output "operator_environment" {
  description = "For `hedgerow doctor`, `dead`, `schedules`, `export-data` with your own rights: eval \"$(terraform output -raw operator_environment)\". No secret is in it: give it to operators who may not read the state."
  value = join("\n", concat(
    # Between single quotes a shell takes everything as it stands.
    [for name, value in local.operator_environment : "export ${name}='${replace(value, "'", "'\\''")}'"],
    # Read when the line is run: whoever may not read the key gets none.
    [for secret_id in google_secret_manager_secret.sealing_key[*].secret_id : "export HEDGEROW_SEALING_KEY=\"$(gcloud secrets versions access ${var.sealing_key_version} --project=${var.project_id} --secret=${secret_id})\""],
  ))
}

output "edge_address" {
  description = "With `host`: the address of the load balancer, for the domain's A record. Else null."
  value       = one(google_compute_global_address.edge[*].address)
}

output "egress_address" {
  description = "With `private_egress`: what destinations see as the sender, for their allow lists. Else null."
  value       = one(google_compute_address.egress[*].address)
}

output "next_steps" {
  description = "From here to the first connection."
  value = join("\n", concat(
    length(local.told) > 0 ? [] : ["# Nobody is told when something is wrong: set the variable alert_emails or alert_channels, and apply."],
    var.host == null ? [] : ["# Point an A record of ${var.host} at ${one(google_compute_global_address.edge[*].address)}; its certificate stands some time after."],
    [
      "eval \"$(terraform output -raw operator_environment)\"",
      "export HEDGEROW_ADMIN_KEY=\"$(${local.admin_key_command})\"",
      "cd ../.. && . .venv/bin/activate",
      "hedgerow doctor",
      "hedgerow tenants create \"My company\" --tier scale",
      "export HEDGEROW_API_KEY=hdg_…   # what that printed",
      "hedgerow connect --host https://eu.posthog.com   # or wherever you open PostHog",
      "# SDKs of PostHog take api_host = ${local.capture_host}",
    ],
  ))
}

locals {
  api_url           = var.host == null ? module.function["api"].uri : local.public_url
  capture_host      = var.host == null ? module.function["capture"].uri : local.public_url
  admin_key_command = "gcloud secrets versions access latest --project=${var.project_id} --secret=${google_secret_manager_secret.admin_key.secret_id}"

  # What the functions have, so that the operator's tools see the same installation.
  operator_environment = merge(
    { for name, value in local.environment : name => value if startswith(name, "HEDGEROW_") },
    {
      HEDGEROW_URL         = local.api_url
      HEDGEROW_CAPTURE_URL = local.capture_host
      HEDGEROW_REGION      = var.region
      # For `hedgerow doctor`: who is told at all. The addresses themselves are secrets, or Monitoring's.
      HEDGEROW_TELLS = join(",", concat(
        length(local.told) > 0 ? ["alerts"] : [],
        contains(keys(var.secret_settings), "operator_webhook") ? ["operator_webhook"] : [],
      ))
    },
  )
}
