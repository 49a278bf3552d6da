# Production, in a project of its own. Every later `terraform apply` finds it as
#   cp environments/production.tfvars terraform.tfvars
# It holds no secret: change the copy and keep it in your repository.

project_id         = "my-company-hedgerow"
region             = "europe-west1"
firestore_location = "eur3"

host           = "ph.my-company.example"
private_egress = true

# The uptime check's calls keep an instance there most of the time; this one is there always, also after a deployment.
min_instances = { capture = 1 }

# Who is told, and where their link leads: this folder as your people read it.
alert_emails = ["oncall@my-company.example"]
runbooks     = "https://github.com/my-company/hedgerow/blob/main/docs/operations"

# Who runs `hedgerow doctor` with their own rights: `read` looks, `full` mends.
operators = { "group:oncall@my-company.example" = "full" }

backup_retention_days  = 28
point_in_time_recovery = true

labels = { environment = "production" }
