# Off by default. With `host`: a load balancer with the domain's certificate, Cloud Armor, and the manifest's
# paths.

locals {
  public_ingress = var.host == null || var.addresses_stay ? "ALLOW_ALL" : "ALLOW_INTERNAL_AND_GCLB"
  behind         = { for name, function in module.plan.functions : name => function if function.public && var.host != null }
  egress         = var.private_egress ? { network = google_compute_network.egress[0].id, subnetwork = google_compute_subnetwork.egress[0].id } : null
}

resource "google_compute_global_address" "edge" {
  count = var.host == null ? 0 : 1

  name       = "hedgerow-edge"
  depends_on = [google_project_service.needed]
}

resource "google_compute_region_network_endpoint_group" "function" {
  for_each = local.behind

  name                  = each.value.run_name
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = module.function[each.key].name
  }
}

resource "google_compute_security_policy" "edge" {
  count = var.host == null ? 0 : 1

  name = "hedgerow-edge"

  dynamic "rule" {
    for_each = var.address_requests_per_minute == null ? [] : [var.address_requests_per_minute]

    content {
      action   = "throttle"
      priority = 2000
      match {
        versioned_expr = "SRC_IPS_V1"
        config {
          src_ip_ranges = ["*"]
        }
      }
      rate_limit_options {
        conform_action = "allow"
        exceed_action  = "deny(429)"
        enforce_on_key = "IP"
        rate_limit_threshold {
          count        = rule.value
          interval_sec = 60
        }
      }
    }
  }

  rule {
    action   = "allow"
    priority = 2147483647
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_compute_backend_service" "function" {
  for_each = local.behind

  name                  = each.value.run_name
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = one(google_compute_security_policy.edge[*].id)

  backend {
    group = google_compute_region_network_endpoint_group.function[each.key].id
  }
}

resource "google_compute_url_map" "edge" {
  count = var.host == null ? 0 : 1

  name            = "hedgerow-edge"
  default_service = google_compute_backend_service.function["capture"].id

  host_rule {
    hosts        = [var.host]
    path_matcher = "manifest"
  }

  # The SDKs' paths are PostHog's, so everything that is not ours goes to `capture`.
  path_matcher {
    name            = "manifest"
    default_service = google_compute_backend_service.function["capture"].id

    dynamic "route_rules" {
      for_each = { for place, route in module.plan.routes : place => route }

      content {
        priority = route_rules.key + 1
        service  = google_compute_backend_service.function[route_rules.value.target].id

        match_rules {
          path_template_match = route_rules.value.path

          dynamic "header_matches" {
            for_each = compact([route_rules.value.method])

            content {
              header_name = ":method"
              exact_match = header_matches.value
            }
          }
        }
      }
    }

    # The rest of /v1: every family, or none, as `api` says.
    route_rules {
      priority = 10000
      service  = google_compute_backend_service.function["api"].id

      match_rules {
        prefix_match = "/v1/"
      }
    }
  }
}

resource "google_compute_managed_ssl_certificate" "edge" {
  count = var.host == null ? 0 : 1

  # A certificate's domain cannot change; its name follows it, and the new one stands before the old one goes.
  name = "hedgerow-${substr(sha256(var.host), 0, 8)}"

  managed {
    domains = [var.host]
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.needed]
}

resource "google_compute_ssl_policy" "edge" {
  count = var.host == null ? 0 : 1

  name            = "hedgerow-edge"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"

  depends_on = [google_project_service.needed]
}

resource "google_compute_target_https_proxy" "edge" {
  count = var.host == null ? 0 : 1

  name             = "hedgerow-edge"
  url_map          = google_compute_url_map.edge[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.edge[0].id]
  ssl_policy       = google_compute_ssl_policy.edge[0].id
}

resource "google_compute_global_forwarding_rule" "edge" {
  count = var.host == null ? 0 : 1

  name                  = "hedgerow-edge"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.edge[0].address
  target                = google_compute_target_https_proxy.edge[0].id
  port_range            = "443"
}
