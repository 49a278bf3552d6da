# The services of Google's that this project switches on.

resource "google_project_service" "needed" {
  for_each = toset(concat([
    "artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler", "firestore",
    "iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager", "storage",
  ], local.networked ? ["compute"] : []))

  service = "${each.key}.googleapis.com"
  # Another tenant of the project may need them still.
  disable_on_destroy = false
}

data "google_project" "this" {
  project_id = var.project_id
  depends_on = [google_project_service.needed]
}
