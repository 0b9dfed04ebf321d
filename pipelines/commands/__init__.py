"""The commands of `dp-release`, by group; `pipelines.cli` puts them together."""
