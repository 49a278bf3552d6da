# Who calls what: Cloud Scheduler's jobs, Pub/Sub's subscriptions, and the paths of the load balancer.

locals {
  schedules = merge(flatten([
    for name, entry in local.deployed : [
      for each in entry.schedules : {
        join("-", compact([local.functions[name].run_name, lookup(each.body, "tier", "")])) = {
          target = name
          cron   = each.cron
          body   = each.body
          # A second call while the first still runs is what a short deadline would bring.
          deadline_seconds = min(1800, max(15, entry.timeout + 15))
        }
      }
    ]
  ])...)

  subscriptions = merge([
    for name, entry in local.deployed : {
      (entry.topic) = {
        target      = name
        ack_seconds = min(600, max(10, entry.timeout + 15))
        # The dead have nowhere further to go.
        gives_up = entry.topic != "dead"
      }
    } if entry.trigger == "topic"
  ]...)

  families = {
    for key, entry in merge([
      for name, family in local.deployed : {
        for path in family.paths : path => { target = name, path = path }
      }
      ]...) : key => {
      target = entry.target
      method = length(split(" ", entry.path)) == 2 ? split(" ", entry.path)[0] : ""
      path   = element(split(" ", entry.path), -1)
    }
  }

  # Written words before placeholders, from the left, and a path with a method before one without:
  # as functions/api/routes.py chooses.
  by_precision = {
    for key, entry in local.families :
    join("/", concat(
      [for segment in split("/", entry.path) : startswith(segment, "{") ? "1" : "0"],
      [entry.method == "" ? "1" : "0", entry.path, entry.method],
    )) => entry
  }

  routes = [for order in sort(keys(local.by_precision)) : local.by_precision[order]]
}
