data "google_project" "this" {}

resource "google_kms_key_ring" "this" {
  name     = "dp-release"
  location = var.region
}

resource "google_kms_crypto_key" "this" {
  name            = "dp-release"
  key_ring        = google_kms_key_ring.this.id
  rotation_period = "7776000s"
  lifecycle {
    prevent_destroy = true
  }
}

# Services encrypt with the key for the project; people and jobs never touch it.
locals {
  agents = {
    artifacts = "service-${data.google_project.this.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    compute   = "service-${data.google_project.this.number}@compute-system.iam.gserviceaccount.com"
    dataflow  = "service-${data.google_project.this.number}@dataflow-service-producer-prod.iam.gserviceaccount.com"
    run       = "service-${data.google_project.this.number}@serverless-robot-prod.iam.gserviceaccount.com"
    secrets   = "service-${data.google_project.this.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    storage   = "service-${data.google_project.this.number}@gs-project-accounts.iam.gserviceaccount.com"
    workflows = "service-${data.google_project.this.number}@gcp-sa-workflows.iam.gserviceaccount.com"
  }
}

resource "google_kms_crypto_key_iam_member" "agents" {
  for_each      = local.agents
  crypto_key_id = google_kms_crypto_key.this.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${each.value}"
}
