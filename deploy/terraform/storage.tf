locals {
  prefix = "${var.project}-dp"
}

# Telemetry. People have no access.
resource "google_storage_bucket" "raw" {
  name                        = "${local.prefix}-raw"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning {
    enabled = true
  }
  lifecycle_rule {
    condition {
      num_newer_versions         = 1
      days_since_noncurrent_time = 7
    }
    action {
      type = "Delete"
    }
  }
  encryption {
    default_kms_key_name = google_kms_crypto_key.this.id
  }
  logging {
    log_bucket = google_storage_bucket.logs.name
  }
  depends_on = [google_kms_crypto_key_iam_member.agents]
}

# Noisy values as drawn, secrets of hashes, shuffle leftovers. What is deleted here has to be gone.
resource "google_storage_bucket" "staging" {
  #checkov:skip=CKV_GCP_78:An old version of a draw is a second look at private values; nothing here may outlive its deletion.
  name                        = "${local.prefix}-staging"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  soft_delete_policy {
    retention_duration_seconds = 0
  }
  lifecycle_rule {
    condition {
      age            = var.staging_days
      matches_prefix = ["temp/", "releases/"]
    }
    action {
      type = "Delete"
    }
  }
  encryption {
    default_kms_key_name = google_kms_crypto_key.this.id
  }
  logging {
    log_bucket = google_storage_bucket.logs.name
  }
  depends_on = [google_kms_crypto_key_iam_member.agents]
}

# What has been spent. An append replaces the object, which a retention policy would refuse; versions
# and soft deletion keep every state of it for a year.
resource "google_storage_bucket" "ledger" {
  name                        = "${local.prefix}-ledger"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning {
    enabled = true
  }
  soft_delete_policy {
    retention_duration_seconds = 7776000
  }
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 365
    }
    action {
      type = "Delete"
    }
  }
  encryption {
    default_kms_key_name = google_kms_crypto_key.this.id
  }
  logging {
    log_bucket = google_storage_bucket.logs.name
  }
  lifecycle {
    prevent_destroy = true
  }
  depends_on = [google_kms_crypto_key_iam_member.agents]
}

resource "google_storage_bucket" "public" {
  #checkov:skip=CKV_GCP_114:This bucket is there to be read by everybody; all others enforce the prevention.
  name                        = "${local.prefix}-public"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "inherited"
  versioning {
    enabled = true
  }
  encryption {
    default_kms_key_name = google_kms_crypto_key.this.id
  }
  logging {
    log_bucket = google_storage_bucket.logs.name
  }
  depends_on = [google_kms_crypto_key_iam_member.agents]
}

# Who read what.
resource "google_storage_bucket" "logs" {
  #checkov:skip=CKV_GCP_62:It holds the access logs of the others; logging it too would never end.
  name                        = "${local.prefix}-access-logs"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning {
    enabled = true
  }
  lifecycle_rule {
    condition {
      age = 365
    }
    action {
      type = "Delete"
    }
  }
  encryption {
    default_kms_key_name = google_kms_crypto_key.this.id
  }
  depends_on = [google_kms_crypto_key_iam_member.agents]
}

resource "google_storage_bucket_iam_member" "log_writer" {
  bucket = google_storage_bucket.logs.name
  role   = "roles/storage.objectCreator"
  member = "group:cloud-storage-analytics@google.com"
}

resource "google_artifact_registry_repository" "this" {
  repository_id = "dp-release"
  location      = var.region
  format        = "DOCKER"
  kms_key_name  = google_kms_crypto_key.this.id
  docker_config {
    immutable_tags = true
  }
  depends_on = [google_kms_crypto_key_iam_member.agents]
}

resource "google_storage_bucket_object" "template" {
  name         = "templates/dp-release.json"
  bucket       = google_storage_bucket.staging.name
  content_type = "application/json"
  content = jsonencode(merge(jsondecode(file("${path.module}/../flex/spec.json")), {
    image    = var.dataflow_image
    metadata = jsondecode(file("${path.module}/../flex/metadata.json"))
  }))
}
