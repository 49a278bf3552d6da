output "functions" {
  description = "What is deployed, by target: run_name, source, trigger, public, sizes and rights."
  value       = local.functions

  precondition {
    condition     = length(local.problems) == 0
    error_message = join("\n", local.problems)
  }
}

output "problems" {
  description = "What is wrong with the manifest, the tiers or the variables, a sentence each."
  value       = local.problems
}

output "schedules" {
  description = "Cloud Scheduler's jobs by name: target, cron (UTC), body, deadline_seconds, the key of its lines, silent_seconds after which it is missed (null: never)."
  value       = local.schedules
}

output "subscriptions" {
  description = "Push subscriptions by topic: target, ack_seconds, gives_up (false for the dead topic's own)."
  value       = local.subscriptions
}

output "routes" {
  description = "Paths of the API families, the most precise first: target, method (empty: any), path with {placeholders}."
  value       = local.routes
}

output "bundle" {
  description = "The zip: its path, and a name that changes with its bytes and with nothing else."
  value = {
    file   = "${var.repository}/${var.bundle}"
    object = "functions-${filesha256("${var.repository}/${var.bundle}")}.zip"
  }
}
