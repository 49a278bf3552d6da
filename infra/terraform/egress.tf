# `private_egress`: a network of our own, and one address that everything goes out by.

resource "google_compute_network" "egress" {
  count = var.private_egress ? 1 : 0

  name                    = "hedgerow-egress"
  auto_create_subnetworks = false
  depends_on              = [google_project_service.needed]
}

resource "google_compute_subnetwork" "egress" {
  count = var.private_egress ? 1 : 0

  name    = "hedgerow-egress"
  region  = var.region
  network = google_compute_network.egress[0].id
  # Instances take addresses of it, and keep them a while after they ended.
  ip_cidr_range = "10.8.0.0/22"
  # Firestore, Pub/Sub and Secret Manager stay on Google's own ways.
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_15_MIN"
    flow_sampling        = 0.1
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Nothing comes in this way; calls reach functions by their addresses.
resource "google_compute_firewall" "egress" {
  count = var.private_egress ? 1 : 0

  name          = "hedgerow-nothing-in"
  network       = google_compute_network.egress[0].id
  direction     = "INGRESS"
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_address" "egress" {
  count = var.private_egress ? 1 : 0

  name       = "hedgerow-egress"
  region     = var.region
  depends_on = [google_project_service.needed]
}

resource "google_compute_router" "egress" {
  count = var.private_egress ? 1 : 0

  name    = "hedgerow-egress"
  region  = var.region
  network = google_compute_network.egress[0].id
}

resource "google_compute_router_nat" "egress" {
  count = var.private_egress ? 1 : 0

  name                               = "hedgerow-egress"
  router                             = google_compute_router.egress[0].name
  region                             = var.region
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = google_compute_address.egress[*].self_link
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  lifecycle {
    create_before_destroy = true
  }
}
