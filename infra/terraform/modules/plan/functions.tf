# The manifest and the tiers as the maps that resources are made from. No provider: `terraform test` runs offline.

locals {
  # What a target scales to where neither a variable nor the manifest says so.
  most_instances = { http = 20, topic = 10 }

  deployed = { for name, entry in var.manifest : name => entry if entry.callers != "api" || var.separate_families }

  functions = {
    for name, entry in local.deployed : name => {
      run_name = "hedgerow-${replace(name, "_", "-")}"
      source   = entry.source
      trigger  = entry.trigger
      # Open at IAM: what is called with a key of ours or with a project's token.
      public      = entry.trigger == "http"
      memory      = entry.memory
      cpu         = entry.cpu
      timeout     = entry.timeout
      concurrency = entry.concurrency
      # Jobs of one target may fall together, and a repeated call may meet the first.
      max_instances = coalesce(
        lookup(var.max_instances, name, null), entry.max_instances,
        lookup(local.most_instances, entry.trigger, length(entry.schedules) + 1),
      )
      min_instances = lookup(var.min_instances, name, 0)
      rights        = entry.rights
    }
  }
}
