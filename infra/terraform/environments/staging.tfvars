# Staging, in a second project with a clone and a state of its own: the small stack, gone with one `terraform destroy`.
#   cp environments/staging.tfvars terraform.tfvars

project_id = "my-company-hedgerow-staging"
region     = "europe-west1"

deletion_protection   = false
backup_retention_days = 0

labels = { environment = "staging" }
