resource "google_compute_network" "this" {
  name                    = "dp-release"
  auto_create_subnetworks = false
}

# Workers have no public addresses; they reach Google's services through the subnetwork.
resource "google_compute_subnetwork" "this" {
  name                     = "dp-release"
  network                  = google_compute_network.this.id
  region                   = var.region
  ip_cidr_range            = "10.20.0.0/20"
  private_ip_google_access = true
  log_config {
    aggregation_interval = "INTERVAL_5_MIN"
    flow_sampling        = 0.5
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# Workers of a job talk to each other on two ports.
resource "google_compute_firewall" "workers" {
  name        = "dp-release-workers"
  network     = google_compute_network.this.id
  direction   = "INGRESS"
  source_tags = ["dataflow"]
  target_tags = ["dataflow"]
  allow {
    protocol = "tcp"
    ports    = ["12345-12346"]
  }
}
