# Who calls what: Cloud Scheduler's jobs, Pub/Sub's subscriptions, and the paths of the load balancer.

locals {
  # Minutes between two calls of a cron, at most. Anything but `*` for the day or the month: a week or more.
  apart = {
    for each in local.planned : each.cron => try(
      join(" ", slice(split(" ", each.cron), 2, 5)) != "* * *" ? 10080 :
      startswith(split(" ", each.cron)[1], "*/") ? 60 * tonumber(trimprefix(split(" ", each.cron)[1], "*/")) :
      split(" ", each.cron)[1] != "*" ? 1440 :
      startswith(split(" ", each.cron)[0], "*/") ? tonumber(trimprefix(split(" ", each.cron)[0], "*/")) :
      split(" ", each.cron)[0] != "*" ? 60 : 1,
      10080,
    )...
  }

  schedules = merge(flatten([
    for name, entry in local.deployed : [
      for each in entry.schedules : {
        join("-", compact([local.functions[name].run_name, lookup(each.body, "tier", "")])) = {
          target = name
          cron   = each.cron
          body   = each.body
          # A second call while the first still runs is what a short deadline would bring.
          deadline_seconds = min(1800, max(15, entry.timeout + 15))
          # The `key` of the lines that a call says: the values of its body, as hedgerow/entrypoint.py joins them.
          key = join(" ", values(each.body))
          # Two calls that did not come, and some time. Null: rarer than Monitoring looks back.
          silent_seconds = local.apart[each.cron][0] > 690 ? null : max(1800, 60 * (2 * local.apart[each.cron][0] + 15))
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

  # Every path of the manifest; what is not deployed alone is answered by `api`.
  families = {
    for key, entry in merge([
      for name, family in var.manifest : {
        for path in family.paths : path => { target = name, path = path }
      }
      ]...) : key => {
      target  = contains(keys(local.deployed), entry.target) ? entry.target : "api"
      is_here = contains(keys(local.deployed), entry.target)
      method  = length(split(" ", entry.path)) == 2 ? split(" ", entry.path)[0] : ""
      path    = element(split(" ", entry.path), -1)
    }
  }

  # Paths of what is deployed; and those of `api` that one of them would swallow, as /v1/capture/{operation} would
  # /v1/capture/unknown-tokens.
  routed = {
    for key, entry in local.families : key => entry
    if entry.is_here || anytrue([
      for other in values(local.families) : other.is_here && length(split("/", other.path)) == length(split("/", entry.path)) && alltrue([
        for place, segment in split("/", other.path) :
        startswith(segment, "{") || try(segment == split("/", entry.path)[place] || startswith(split("/", entry.path)[place], "{"), false)
      ])
    ])
  }

  # Written words before placeholders, from the left, and a path with a method before one without:
  # as functions/api/routes.py chooses.
  by_precision = {
    for key, entry in local.routed :
    join("/", concat(
      [for segment in split("/", entry.path) : startswith(segment, "{") ? "1" : "0"],
      [entry.method == "" ? "1" : "0", entry.path, entry.method],
    )) => { target = entry.target, method = entry.method, path = entry.path }
  }

  routes = [for order in sort(keys(local.by_precision)) : local.by_precision[order]]
}
