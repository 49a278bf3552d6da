# One target of the manifest as a Cloud Run function of the second generation.

terraform {
  required_version = ">= 1.11.0"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.34.0, < 8.0.0"
    }
  }
}

resource "google_cloudfunctions2_function" "target" {
  name        = var.name
  location    = var.region
  description = "Hedgerow: ${var.target} of ${var.size.source}"

  build_config {
    # What the tests run on; requirements.txt is locked for it.
    runtime         = "python311"
    entry_point     = var.target
    service_account = var.accounts.build
    # One zip serves all: this says which file is the source.
    environment_variables = { GOOGLE_FUNCTION_SOURCE = var.size.source }

    source {
      storage_source {
        bucket = var.zip.bucket
        object = var.zip.object
      }
    }

    automatic_update_policy {}
  }

  service_config {
    available_memory                 = var.size.memory
    available_cpu                    = var.size.cpu
    timeout_seconds                  = var.size.timeout
    max_instance_request_concurrency = var.size.concurrency
    min_instance_count               = var.size.min_instances
    max_instance_count               = var.size.max_instances
    ingress_settings                 = var.ingress
    all_traffic_on_latest_revision   = true
    service_account_email            = var.accounts.run

    # The framework's own log handling loses lines of async functions: ours writes them. Pydantic looks through every
    # package for plugins, a thirtieth of a start: there are none.
    environment_variables = merge(var.environment, {
      LOG_EXECUTION_ID         = "false"
      PYDANTIC_DISABLE_PLUGINS = "__all__"
    })

    dynamic "secret_environment_variables" {
      for_each = var.secrets

      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }

    direct_vpc_egress = var.network == null ? null : "VPC_EGRESS_ALL_TRAFFIC"

    dynamic "direct_vpc_network_interface" {
      for_each = var.network == null ? [] : [var.network]

      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }
  }
}
