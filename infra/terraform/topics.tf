# A topic and one push subscription for each topic target; what was given up goes to the topic `dead`,
# whose own target `bury_message` keeps it for `hedgerow dead`.

locals {
  # Google's own hand for dead letters.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  mortal       = { for topic, subscription in module.plan.subscriptions : topic => subscription if subscription.gives_up }
}

resource "google_pubsub_topic" "topic" {
  for_each = module.plan.subscriptions

  name   = "hedgerow-${each.key}"
  labels = local.labels

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_subscription" "push" {
  for_each = module.plan.subscriptions

  name                 = "hedgerow-${each.key}"
  topic                = google_pubsub_topic.topic[each.key].id
  ack_deadline_seconds = each.value.ack_seconds
  labels               = local.labels

  # Without it a subscription that was idle for 31 days is deleted.
  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.gives_up ? [google_pubsub_topic.topic["dead"].id] : []

    content {
      dead_letter_topic     = dead_letter_policy.value
      max_delivery_attempts = 10
    }
  }

  push_config {
    push_endpoint = "${module.function[each.value.target].uri}/"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = module.function[each.value.target].uri
    }
  }

  # Else its first messages are refused, and pushed again.
  depends_on = [google_cloud_run_v2_service_iam_member.invoker]
}

resource "google_pubsub_topic_iam_member" "dead_publisher" {
  topic  = google_pubsub_topic.topic["dead"].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent

  # Switching Pub/Sub on does not make its agent, and no right is given to who is not there; the first subscription may
  # make it (unverified).
  depends_on = [google_pubsub_subscription.push]
}

resource "google_pubsub_subscription_iam_member" "dead_subscriber" {
  for_each = local.mortal

  subscription = google_pubsub_subscription.push[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
