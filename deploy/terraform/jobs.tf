locals {
  dataflow_yaml = yamlencode({
    project         = var.project
    region          = var.region
    temp            = "gs://${google_storage_bucket.staging.name}/temp"
    worker_image    = var.dataflow_image
    service_account = google_service_account.this["worker"].email
    kms_key         = google_kms_crypto_key.this.id
    subnetwork      = "regions/${var.region}/subnetworks/${google_compute_subnetwork.this.name}"
    machine_type    = var.dataflow.machine_type
    threads         = 2
    max_workers     = var.dataflow.max_workers
    bounding_ram    = var.dataflow.bounding_ram
    labels          = { program = "dp-release" }
  })
}

# No secret: this is how Cloud Run gets a file that is not part of the image.
resource "google_secret_manager_secret" "dataflow" {
  secret_id = "dp-release-dataflow"
  replication {
    user_managed {
      replicas {
        location = var.region
        customer_managed_encryption {
          kms_key_name = google_kms_crypto_key.this.id
        }
      }
    }
  }
  depends_on = [google_kms_crypto_key_iam_member.agents]
}

resource "google_secret_manager_secret_version" "dataflow" {
  secret      = google_secret_manager_secret.dataflow.id
  secret_data = local.dataflow_yaml
}

resource "google_secret_manager_secret_iam_member" "launcher" {
  secret_id = google_secret_manager_secret.dataflow.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this["launcher"].member
}

# Reserves and draws: on this machine, or by launching a job on Dataflow.
resource "google_cloud_run_v2_job" "draw" {
  name                = "dp-release-draw"
  location            = var.region
  deletion_protection = false
  template {
    task_count = 1
    template {
      service_account = google_service_account.this["launcher"].email
      encryption_key  = google_kms_crypto_key.this.id
      max_retries     = 0 # The workflow and the ledger decide what happens again.
      timeout         = "86400s"
      containers {
        image = var.release_image
        args  = ["--help"]
        resources {
          limits = { cpu = var.machine.cpu, memory = var.machine.memory }
        }
        env {
          name  = "POLARS_MAX_THREADS"
          value = var.machine.cpu
        }
        volume_mounts {
          name       = "environment"
          mount_path = "/etc/dp-release"
        }
      }
      volumes {
        name = "environment"
        secret {
          secret = google_secret_manager_secret.dataflow.secret_id
          items {
            version = google_secret_manager_secret_version.dataflow.version
            path    = "dataflow.yaml"
          }
        }
      }
    }
  }
  depends_on = [google_secret_manager_secret_iam_member.launcher]
}

# Publishes what is drawn. It cannot read raw data.
resource "google_cloud_run_v2_job" "publish" {
  name                = "dp-release-publish"
  location            = var.region
  deletion_protection = false
  template {
    task_count = 1
    template {
      service_account = google_service_account.this["publisher"].email
      encryption_key  = google_kms_crypto_key.this.id
      max_retries     = 1
      timeout         = "7200s"
      containers {
        image = var.release_image
        args  = ["--help"]
        resources {
          limits = { cpu = "2", memory = "8Gi" }
        }
      }
    }
  }
}
