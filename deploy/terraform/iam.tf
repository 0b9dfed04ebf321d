# One account per duty. The table `access` is all that any of them may do with a bucket.
locals {
  accounts = {
    scheduler    = "starts the workflow"
    orchestrator = "runs the jobs of a release in order, waits, and looks whether it is out"
    launcher     = "reserves; reads schemas; starts workers, or draws on one machine"
    worker       = "reads raw data and stages noisy values"
    publisher    = "renders staged values and publishes them"
  }
  access = {
    "launcher/raw"        = "roles/storage.objectViewer"
    "launcher/staging"    = "roles/storage.objectUser"
    "launcher/ledger"     = "roles/storage.objectUser"
    "launcher/public"     = "roles/storage.objectViewer"
    "worker/raw"          = "roles/storage.objectViewer"
    "worker/staging"      = "roles/storage.objectUser"
    "publisher/staging"   = "roles/storage.objectUser"
    "publisher/ledger"    = "roles/storage.objectUser"
    "publisher/public"    = "roles/storage.objectUser"
    "orchestrator/public" = "roles/storage.objectViewer"
  }
  buckets = {
    raw     = google_storage_bucket.raw.name
    staging = google_storage_bucket.staging.name
    ledger  = google_storage_bucket.ledger.name
    public  = google_storage_bucket.public.name
  }
  # What Dataflow and logging ask of a project; nothing of it is about data in buckets.
  project_roles = {
    "launcher/roles/dataflow.developer"    = true
    "worker/roles/dataflow.worker"         = true
    "orchestrator/roles/dataflow.viewer"   = true
    "orchestrator/roles/run.viewer"        = true
    "orchestrator/roles/logging.logWriter" = true
    "launcher/roles/logging.logWriter"     = true
    "publisher/roles/logging.logWriter"    = true
  }
}

resource "google_service_account" "this" {
  for_each     = local.accounts
  account_id   = "dp-release-${each.key}"
  display_name = "dp-release: ${each.value}"
}

resource "google_storage_bucket_iam_member" "access" {
  for_each = local.access
  bucket   = local.buckets[split("/", each.key)[1]]
  role     = each.value
  member   = google_service_account.this[split("/", each.key)[0]].member
}

resource "google_storage_bucket_iam_member" "readers" {
  #checkov:skip=CKV_GCP_28:Only the public bucket, whose purpose it is; narrow public_readers for a private publication.
  for_each = toset(var.public_readers)
  bucket   = google_storage_bucket.public.name
  role     = "roles/storage.objectViewer"
  member   = each.value
}

resource "google_storage_bucket_iam_member" "raw_writers" {
  for_each = toset(var.raw_writers)
  bucket   = google_storage_bucket.raw.name
  role     = "roles/storage.objectCreator"
  member   = each.value
}

resource "google_project_iam_member" "this" {
  for_each = local.project_roles
  project  = var.project
  role     = trimprefix(each.key, "${split("/", each.key)[0]}/")
  member   = google_service_account.this[split("/", each.key)[0]].member
}

# The launcher starts workers that run as the worker, and as no one else.
resource "google_service_account_iam_member" "launcher_as_worker" {
  service_account_id = google_service_account.this["worker"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["launcher"].member
}

resource "google_artifact_registry_repository_iam_member" "worker" {
  repository = google_artifact_registry_repository.this.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.this["worker"].member
}
