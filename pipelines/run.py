"""Runs a release: input files, one Beam pipeline, staging files, publication."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.parquetio import WriteToParquetBatched
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.check import Schema, check_input, release_input
from pipelines.inputs import Input, InputFile
from pipelines.output import Published, is_published, publish
from pipelines.plan import ReleasePlan
from pipelines.progress import progress
from pipelines.sources import ReadRows
from pipelines.spec import ConfigError, LoadedRelease
from transforms.ptransforms import DrawTables
from transforms.hashing import HashKey
from transforms.plan import TablePlan
from transforms.rows import canonical_type

LOCAL_RUNNER = "FnApiRunner"
"""What runs a pipeline on this machine. `DirectRunner` may choose another one by itself."""

SHARD_BYTES = 32 << 20
"""Input per unit shard."""


class RunError(Exception):
    """A run failed. The text has no data; details are in a private file that it names."""


@dataclass(frozen=True)
class Run:
    """One attempt at a release.

    Attributes:
        staging: Private folder for the values as drawn.
        published: The released tables.
    """

    staging: Path
    published: list[Published]


def run_release(
    release: LoadedRelease, plan: ReleasePlan, beam_options: Sequence[str], *, replace: bool
) -> Run:
    """Reads, aggregates, draws and publishes a release.

    Args:
        release: The release series.
        plan: Its plan.
        beam_options: Command line options of the Beam runner.
        replace: Draw again where a release is published already. Both draws together cost twice
            the budget.

    Returns:
        What was done.

    Raises:
        ConfigError: The config does not fit the input or the output folder.
        RunError: The pipeline failed.
    """
    folder = _output_folder(release, replace=replace)
    source = release_input(release)
    files, schema = check_input(release, source, plan.tables)
    staging = Path(release.staging_folder) / _run_id()
    staging.mkdir(parents=True)
    options = PipelineOptions(list(beam_options))
    runner = _pin_local_runner(options)
    watched = runner == LOCAL_RUNNER
    try:
        with progress(sum(file.size for file in files)) if watched else nullcontext():
            _draw(plan, source, files, schema, staging, options)
    except Exception as error:
        details = staging / "error.txt"
        details.write_text(traceback.format_exc(), encoding="utf-8")
        raise RunError(
            f"the pipeline failed with {type(error).__name__}; nothing was published; "
            f"details, which may hold private values: {details}"
        ) from None
    staged = {table.name: _staged_files(staging, table) for table in plan.tables}
    return Run(staging, publish(plan, staged, folder, release.spec.output.formats))


def _draw(
    plan: ReleasePlan,
    source: Input,
    files: Sequence[InputFile],
    schema: Schema,
    staging: Path,
    options: PipelineOptions,
) -> None:
    with beam.Pipeline(options=options) as pipeline:
        tables = (
            pipeline
            | "Read" >> ReadRows(source, files)
            | "Aggregate"
            >> DrawTables(
                plan.spec.privacy.unit,
                plan.tables,
                HashKey.draw(),
                unit_shards=unit_shards(sum(file.size for file in files)),
            )
        )
        for table in plan.tables:
            _ = tables[table.name] | f"Stage {table.name}" >> WriteToParquetBatched(
                str(staging / table.name),
                _staging_schema(table, schema),
                file_name_suffix=".parquet",
            )


def unit_shards(input_bytes: int) -> int:
    """Returns the number of unit shards for an input: a power of two, from 16 to 4096."""
    return min(4096, max(16, 1 << (input_bytes // SHARD_BYTES).bit_length()))


def _staging_schema(table: TablePlan, schema: Schema) -> pa.Schema:
    keys = {name: canonical_type(name, schema[name]) for name in table.keys}
    metrics = {metric.name: pl.Int64() for metric in table.metrics}
    empty = pl.DataFrame(schema={**keys, **metrics})
    return empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _staged_files(staging: Path, table: TablePlan) -> list[str]:
    (result,) = FileSystems.match([str(staging / f"{table.name}-*.parquet")])
    return [match.path for match in result.metadata_list]


def _output_folder(release: LoadedRelease, *, replace: bool) -> Path:
    path = ("output", "folder")
    if "://" in release.output_folder:
        problem = "publication to URLs is not there yet; allowed: a folder on this machine"
        raise ConfigError([release.source.problem(path, problem)])
    folder = Path(release.output_folder)
    if is_published(folder) and not replace:
        problem = (
            f"{folder} holds a release already, and a second draw of the same data would spend "
            "its budget again; allowed: another folder, or --replace"
        )
        raise ConfigError([release.source.problem(path, problem)])
    return folder


def _pin_local_runner(options: PipelineOptions) -> str:
    standard = options.view_as(StandardOptions)
    if standard.runner in (None, "DirectRunner"):
        standard.runner = LOCAL_RUNNER
    return str(standard.runner)


def _run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
