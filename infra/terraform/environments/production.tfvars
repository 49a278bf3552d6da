# Production, in a project of its own. Copy it, change it, keep it in your repository: it holds no secret.
#   terraform apply -var-file=environments/production.tfvars

project_id         = "my-company-hedgerow"
region             = "europe-west1"
firestore_location = "eur3"

host           = "ph.my-company.example"
private_egress = true

# One warm instance takes the first event after a quiet night without a start.
min_instances = { capture = 1 }

alert_emails           = ["oncall@my-company.example"]
backup_retention_days  = 28
point_in_time_recovery = true

labels = { environment = "production" }
