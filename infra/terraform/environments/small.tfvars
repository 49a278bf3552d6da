# The small stack, for a first look or a small installation. Every later `terraform apply` finds it as
#   cp environments/small.tfvars terraform.tfvars

project_id = "my-company-hedgerow"
region     = "europe-west1"

# Who is told when something is wrong. Empty: nobody.
alert_emails = ["oncall@my-company.example"]
# Where your people read the runbooks, so that an alert's link leads there:
# runbooks = "https://github.com/my-company/hedgerow/blob/main/docs/operations"
