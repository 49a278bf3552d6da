# The services of Google's that this project switches on.

resource "google_project_service" "needed" {
  for_each = toset(concat([
    "artifactregistry", "cloudbuild", "cloudfunctions", "cloudscheduler", "firestore",
    "iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager", "storage",
  ], local.networked ? ["compute"] : []))

  service = "${each.key}.googleapis.com"
  # Another tenant of the project may need them still.
  disable_on_destroy = false

  # The provider looks at the project by it whenever it looks at a service.
  depends_on = [google_project_service.projects]
}

# Apart from the others: whatever follows from the project's number would be unknown, and so planned anew, each time
# that list changes.
resource "google_project_service" "projects" {
  service            = "cloudresourcemanager.googleapis.com"
  disable_on_destroy = false
}

data "google_project" "this" {
  project_id = var.project_id
  depends_on = [google_project_service.projects]
}
