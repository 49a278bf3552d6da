# The zip of `make bundle` and the bucket it is built from. Its name is its hash: same bytes, no new revision.

module "plan" {
  source = "./modules/plan"

  repository        = local.repository
  manifest          = jsondecode(file("${local.repository}/functions/manifest.json"))
  tiers             = jsondecode(file("${local.repository}/tiers.json"))
  separate_families = var.separate_families
  min_instances     = var.min_instances
  max_instances     = var.max_instances
}

locals {
  repository = "${path.module}/../.."
}

resource "google_storage_bucket" "source" {
  # An old project's id may begin with a domain, example.com:my-project, which no bucket may be called.
  name                        = "${replace(var.project_id, "/[.:]/", "-")}-hedgerow-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # Nothing but zips that `make bundle` writes again.
  force_destroy = true

  versioning {
    enabled = true
  }

  # A zip that another release took the place of can be rolled back to for three months. It has no newer version, since
  # each name is a hash: days count from when it went.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_storage_bucket_object" "source" {
  name   = module.plan.bundle.object
  bucket = google_storage_bucket.source.name
  source = module.plan.bundle.file
}
