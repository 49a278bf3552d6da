# What is wrong with the manifest, the tiers and the variables, a sentence each; `functions` refuses while there is any.

locals {
  waits = { http = 3600, schedule = 1800, topic = 600 }
  cron  = "^(\\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?(,(\\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?)*$"

  heard   = compact([for entry in var.manifest : entry.topic])
  planned = merge([for name, entry in var.manifest : { for index, each in entry.schedules : "${name}-${index}" => merge(each, { target = name }) }]...)
  ticking = distinct([for each in local.planned : lookup(each.body, "tier", "")])

  problems = concat(
    [for name, entry in var.manifest : "manifest.json, ${name}: a name is lower case letters, digits and underscores."
    if !can(regex("^[a-z][a-z0-9_]*[a-z0-9]$", name))],
    # A run service's name takes 63 characters, a service account's id 30: the shorter one counts.
    [for name, entry in var.manifest : "manifest.json, ${name}: hedgerow-${name} is longer than the 30 characters of a service account's id."
    if length("hedgerow-${name}") > 30],
    [for name, entry in var.manifest : "manifest.json, ${name}: there is no ${entry.source}; add the folder or take the entry out."
    if !fileexists("${var.repository}/${entry.source}")],
    [for name, entry in var.manifest : "manifest.json, ${name}: the trigger is http, schedule or topic, not ${entry.trigger}."
    if !contains(keys(local.waits), entry.trigger)],
    [for name, entry in var.manifest : "manifest.json, ${name}: an http target says who calls it: `callers` is public or api."
    if entry.trigger == "http" && !contains(["public", "api"], entry.callers)],
    [for name, entry in var.manifest : "manifest.json, ${name}: only an http target has `callers`; this one is private."
    if entry.trigger != "http" && entry.callers != ""],
    [for name, entry in var.manifest : "manifest.json, ${name}: a schedule target has `schedules`, and no other target has."
    if(entry.trigger == "schedule") != (length(entry.schedules) > 0)],
    [for each in local.planned : "manifest.json, ${each.target}: ${each.cron} is no cron of five fields."
    if length(split(" ", each.cron)) != 5 || !alltrue([for field in split(" ", each.cron) : can(regex(local.cron, field))])],
    [for each in local.planned : "manifest.json, ${each.target}: tiers.json has no tier ${each.body.tier}."
    if !contains(concat(keys(var.tiers), [""]), lookup(each.body, "tier", ""))],
    [for name, entry in var.manifest : "manifest.json, ${name}: two schedules would give their jobs one name; tell them apart by `tier`."
    if length(distinct([for each in entry.schedules : lookup(each.body, "tier", "")])) != length(entry.schedules)],
    [for name, entry in var.manifest : "manifest.json, ${name}: a topic target names its `topic` in kebab case, and no other target does."
    if(entry.trigger == "topic") != (entry.topic != "") || !can(regex("^([a-z][a-z0-9-]*)?$", entry.topic))],
    [for topic in distinct(local.heard) : "manifest.json: two targets hear the topic ${topic}; a topic has one."
    if length([for each in local.heard : each if each == topic]) > 1],
    [for topic in ["dead"] : "manifest.json: no target has the topic dead; messages that were given up would be lost."
    if !contains(local.heard, topic)],
    flatten([for name, entry in var.manifest : [for topic in entry.rights.publish : "manifest.json, ${name}: nobody hears the topic ${topic} it publishes to."
    if !contains(local.heard, topic)]]),
    [for name, entry in var.manifest : "manifest.json, ${name}: concurrency is 1 to 1000, and above 1 it needs a cpu of 1 or more."
    if entry.concurrency < 1 || entry.concurrency > 1000 || (entry.concurrency > 1 && try(tonumber(entry.cpu), 0) < 1)],
    [for name, entry in var.manifest : "manifest.json, ${name}: memory is written as 512Mi or 2Gi, not ${entry.memory}."
    if !can(regex("^[0-9]+(Mi|Gi)$", entry.memory))],
    [for name, entry in var.manifest : "manifest.json, ${name}: a timeout of ${entry.timeout} s is longer than its caller waits, ${lookup(local.waits, entry.trigger, 3600)} s."
    if entry.timeout > lookup(local.waits, entry.trigger, 3600)],
    [for needed in ["api", "capture"] : "manifest.json: ${needed} must be there with `callers` public: it is an address."
    if !try(var.manifest[needed].callers == "public", false)],
    # As hedgerow/tiers.py has it: else the slots of a day would not be those of the day before.
    [for name, tier in var.tiers : "tiers.json, ${name}: every_minutes is null or a whole number from 5 up that divides a day's 1440, not ${tier.every_minutes}."
    if tier.every_minutes != null && !try(tier.every_minutes >= 5 && floor(tier.every_minutes) == tier.every_minutes && 1440 % tier.every_minutes == 0, false)],
    [for name, tier in var.tiers : "tiers.json, ${name}: kept_days is null or a whole number from 0 to 36500, not ${tier.kept_days}."
    if tier.kept_days != null && !try(tier.kept_days >= 0 && tier.kept_days <= 36500 && floor(tier.kept_days) == tier.kept_days, false)],
    # A tier that syncs by itself and that no tick looks after would never sync.
    [for name, tier in var.tiers : "tiers.json, ${name}: it syncs by itself, but no schedule of manifest.json has its tier."
    if tier.every_minutes != null && !contains(local.ticking, name)],
    [for name in setsubtract(concat(keys(var.min_instances), keys(var.max_instances)), keys(var.manifest)) :
    "min_instances or max_instances: manifest.json has no target ${name}."],
    [for name in keys(var.min_instances) : "min_instances, ${name}: fewer may run than are kept warm; raise its max_instances."
    if try(var.min_instances[name] > local.functions[name].max_instances, false)],
  )
}
