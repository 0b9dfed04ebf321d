locals {
  watched = { for name, one in var.releases : name => one if one.every != null }
}

resource "google_workflows_workflow" "release" {
  name                = "dp-release"
  region              = var.region
  service_account     = google_service_account.this["orchestrator"].id
  crypto_key_name     = google_kms_crypto_key.this.id
  call_log_level      = "LOG_ERRORS_ONLY"
  deletion_protection = false
  source_contents     = file("${path.module}/../schedule/release.workflow.yaml")
  depends_on          = [google_kms_crypto_key_iam_member.agents]
}

resource "google_cloud_run_v2_job_iam_member" "orchestrator" {
  for_each = {
    draw    = google_cloud_run_v2_job.draw.name
    publish = google_cloud_run_v2_job.publish.name
  }
  name     = each.value
  location = var.region
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = google_service_account.this["orchestrator"].member
}

# Whoever invokes workflows may invoke this one: the service has no narrower grant.
resource "google_project_iam_member" "scheduler" {
  project = var.project
  role    = "roles/workflows.invoker"
  member  = google_service_account.this["scheduler"].member
}

resource "google_cloud_scheduler_job" "release" {
  for_each         = var.releases
  name             = "dp-release-${each.key}"
  description      = "Releases ${each.value.config}."
  region           = var.region
  schedule         = each.value.cron
  time_zone        = var.time_zone
  attempt_deadline = "180s"
  # A start that is repeated is harmless: the ledger lets a release be drawn once.
  retry_config {
    retry_count = 3
  }
  http_target {
    http_method = "POST"
    uri         = "https://workflowexecutions.googleapis.com/v1/${google_workflows_workflow.release.id}/executions"
    headers     = { "Content-Type" = "application/json" }
    body = base64encode(jsonencode({
      argument = jsonencode(merge(
        { config = each.value.config },
        each.value.every == null ? {} : { every = each.value.every },
        each.value.dataflow ? { dataflow = "/etc/dp-release/dataflow.yaml" } : {},
      ))
    }))
    oauth_token {
      service_account_email = google_service_account.this["scheduler"].email
    }
  }
}

# Looks every six hours whether the releases that are due are published. No metric-absence condition can
# wait for a week: an absence lasts at most 23.5 hours there.
resource "google_cloud_scheduler_job" "watch" {
  for_each         = local.watched
  name             = "dp-release-watch-${each.key}"
  description      = "Fails if a release of ${each.value.config} is due and is not published."
  region           = var.region
  schedule         = "30 */6 * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "180s"
  retry_config {
    retry_count = 3
  }
  http_target {
    http_method = "POST"
    uri         = "https://workflowexecutions.googleapis.com/v1/${google_workflows_workflow.release.id}/executions"
    headers     = { "Content-Type" = "application/json" }
    body = base64encode(jsonencode({
      argument = jsonencode({ config = each.value.config, every = each.value.every, due_hours = each.value.due_hours })
    }))
    oauth_token {
      service_account_email = google_service_account.this["scheduler"].email
    }
  }
}

resource "google_monitoring_alert_policy" "failed" {
  display_name          = "dp-release: a release failed, or is not there"
  combiner              = "OR"
  notification_channels = var.notification_channels
  conditions {
    display_name = "an execution of the workflow failed"
    condition_threshold {
      filter          = "resource.type = \"workflows.googleapis.com/Workflow\" AND resource.labels.workflow_id = \"${google_workflows_workflow.release.name}\" AND metric.type = \"workflows.googleapis.com/finished_execution_count\" AND metric.labels.status = \"FAILED\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }
  documentation {
    content = "See the run-book in deploy/README.md."
  }
}

# Whoever looks has to be looked after: no execution succeeds where schedules are paused or broken.
resource "google_monitoring_alert_policy" "silent" {
  count                 = length(local.watched) > 0 ? 1 : 0
  display_name          = "dp-release: no execution has succeeded for a day"
  combiner              = "OR"
  notification_channels = var.notification_channels
  conditions {
    display_name = "no execution of the workflow succeeds"
    condition_absent {
      filter   = "resource.type = \"workflows.googleapis.com/Workflow\" AND resource.labels.workflow_id = \"${google_workflows_workflow.release.name}\" AND metric.type = \"workflows.googleapis.com/finished_execution_count\" AND metric.labels.status = \"SUCCEEDED\""
      duration = "84600s" # 23.5 hours, the most that there is
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
  documentation {
    content = "See the run-book in deploy/README.md."
  }
}
