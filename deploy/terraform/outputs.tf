output "repository" {
  description = "Where deploy/image/build pushes images."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.this.repository_id}"
}

output "buckets" {
  description = "Buckets, for the configs of releases."
  value       = local.buckets
}

output "dataflow_yaml" {
  description = "The file that dp-release run --dataflow takes."
  value       = local.dataflow_yaml
}
