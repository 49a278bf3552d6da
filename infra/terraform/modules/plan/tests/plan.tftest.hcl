# `terraform test` in this folder: no provider, no account, no network.

variables {
  repository = "./tests/repository"
  bundle     = "stand-in"

  tiers = {
    starter = { every_minutes = null, kept_days = 3, by_hand = true }
    scale   = { every_minutes = 30, kept_days = null, by_hand = true }
  }

  manifest = {
    api      = { source = "stand-in", trigger = "http", callers = "public", memory = "512Mi", cpu = "1", timeout = 120, concurrency = 40 }
    capture  = { source = "stand-in", trigger = "http", callers = "public", memory = "512Mi", cpu = "1", timeout = 60, concurrency = 80, paths = ["/v1/capture/{operation}"] }
    metrics  = { source = "stand-in", trigger = "http", callers = "api", memory = "512Mi", cpu = "1", timeout = 60, concurrency = 40, paths = ["/v1/tenants/{tenant}", "DELETE /v1/tenants/{tenant}", "/v1/tenants/all"] }
    sync_all = { source = "stand-in", trigger = "schedule", memory = "512Mi", cpu = "1", timeout = 300, concurrency = 1, schedules = [{ cron = "*/5 * * * *", body = { tier = "scale" } }] }
    sync_one = { source = "stand-in", trigger = "topic", topic = "sync-requested", memory = "512Mi", cpu = "1", timeout = 590, concurrency = 8 }
    bury     = { source = "stand-in", trigger = "topic", topic = "dead", memory = "512Mi", cpu = "1", timeout = 60, concurrency = 8 }
  }
}

run "the_small_stack" {
  command = plan

  assert {
    condition     = !contains(keys(output.functions), "metrics") && length(output.functions) == 5
    error_message = "An API family is deployed though the families answer through `api`."
  }
  assert {
    condition     = output.functions["sync_one"].run_name == "hedgerow-sync-one" && !output.functions["sync_one"].public
    error_message = "A run service's name takes dashes, and a topic target is private."
  }
  assert {
    condition     = keys(output.schedules) == ["hedgerow-sync-all-scale"] && output.schedules["hedgerow-sync-all-scale"].deadline_seconds == 315
    error_message = "A job is called after its target and its tier, and waits a little longer than the target may run."
  }
  assert {
    condition     = output.subscriptions["sync-requested"].ack_seconds == 600 && output.subscriptions["sync-requested"].gives_up && !output.subscriptions["dead"].gives_up
    error_message = "Pub/Sub waits at most 600 seconds, and only the dead have no dead letter topic."
  }
  assert {
    condition     = output.functions["sync_all"].max_instances == 2 && output.functions["api"].max_instances == 20
    error_message = "A schedule target has an instance more than jobs."
  }
  assert {
    condition     = join(", ", [for route in output.routes : "${route.path} to ${route.target}"]) == "/v1/capture/{operation} to capture"
    error_message = "The small stack routes only capture's own paths."
  }
}

run "separate_families" {
  command = plan

  variables {
    separate_families = true
    min_instances     = { capture = 1 }
    max_instances     = { metrics = 3 }
  }

  assert {
    condition     = output.functions["metrics"].public && output.functions["metrics"].max_instances == 3 && output.functions["capture"].min_instances == 1
    error_message = "A family behind the load balancer is open at IAM; variables set instances."
  }
  assert {
    condition     = join(", ", [for route in output.routes : trimspace("${route.method} ${route.path}")]) == "/v1/tenants/all, DELETE /v1/tenants/{tenant}, /v1/capture/{operation}, /v1/tenants/{tenant}"
    error_message = "Written words go before placeholders, and a path with a method before one without."
  }
}

run "a_tier_with_a_bad_interval" {
  command = plan

  variables {
    tiers = {
      starter = { every_minutes = null, kept_days = 3, by_hand = true }
      scale   = { every_minutes = -5, kept_days = null, by_hand = true }
    }
  }

  expect_failures = [output.functions]
}

run "a_source_without_a_folder" {
  command = plan

  variables {
    manifest = {
      api     = { source = "gone/main.py", trigger = "http", callers = "public", memory = "512Mi", cpu = "1", timeout = 120, concurrency = 40 }
      capture = { source = "stand-in", trigger = "http", callers = "public", memory = "512Mi", cpu = "1", timeout = 60, concurrency = 80 }
      tick    = { source = "stand-in", trigger = "schedule", memory = "512Mi", cpu = "1", timeout = 300, concurrency = 1, schedules = [{ cron = "*/5 * * * *", body = { tier = "scale" } }] }
      bury    = { source = "stand-in", trigger = "topic", topic = "dead", memory = "512Mi", cpu = "1", timeout = 60, concurrency = 8 }
    }
  }

  expect_failures = [output.functions]
}

run "a_missing_zip" {
  command = plan

  variables {
    bundle = "gone.zip"
  }

  expect_failures = [var.bundle]
}
