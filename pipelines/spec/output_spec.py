"""The `output` of a release YAML: where the release goes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipelines.spec.fields import Model, Text, distinct

OutputFormat = Literal["parquet", "csv"]


class OutputSpec(Model):
    """Where the release goes."""

    folder: Text
    """Folder of the publications of this series: relative to the folder of this config, or
    gs://bucket/folder."""
    formats: Annotated[tuple[OutputFormat, ...], Field(min_length=1), AfterValidator(distinct)] = (
        "parquet",
    )
    """Formats of the published files."""
    staging: Text | None = None
    """Private folder for the noisy values as drawn: relative to the folder of this config, or
    gs://bucket/folder. Default: .dp-release/ and the name of the series."""
