output "name" {
  description = "The run service's name."
  value       = google_cloudfunctions2_function.target.name
}

output "uri" {
  description = "Its own https address: where Scheduler and Pub/Sub call it, and their tokens' audience."
  value       = google_cloudfunctions2_function.target.service_config[0].uri
}
