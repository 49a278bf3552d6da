# Staging, in a second project with a state of its own: the small stack, gone with one `terraform destroy`.
#   terraform apply -var-file=environments/staging.tfvars

project_id = "my-company-hedgerow-staging"
region     = "europe-west1"

deletion_protection   = false
backup_retention_days = 0

labels = { environment = "staging" }
