"""Runs a release: input files, one Beam pipeline, staging files, publication."""

from __future__ import annotations

import io
import os
import secrets
import traceback
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apache_beam as beam
import polars as pl
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.check import Schema, check_input, release_input
from pipelines.inputs import Input, InputFile
from pipelines.output import Published, is_published, may_replace, publish
from pipelines.plan import ReleasePlan
from pipelines.progress import progress
from pipelines.sources import ReadRows
from pipelines.spec import ConfigError, LoadedRelease
from pipelines.staging import StageTable, read_staged
from transforms.hashing import HashKey
from transforms.plan import TablePlan
from transforms.ptransforms import DrawTables
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
        RunError: A Beam option is wrong, or the pipeline or the publication failed.
    """
    options = _pipeline_options(beam_options)
    folder = _output_folder(release, replace=replace)
    source = release_input(release)
    files, schema = check_input(release, source, plan.tables)
    staging = _staging_folder(release, folder)
    watched = _pin_local_runner(options) == LOCAL_RUNNER
    try:
        with progress(sum(file.size for file in files)) if watched else nullcontext():
            _draw(plan, source, files, staging, options)
        drawn = {table.name: _read_staged(staging, table, schema) for table in plan.tables}
        published = publish(plan, drawn, folder, release.spec.output.formats)
    except (Exception, pl.exceptions.PanicException) as error:
        details = staging / "error.txt"
        details.write_text(traceback.format_exc(), encoding="utf-8")
        raise RunError(
            f"the run failed with {type(error).__name__}; nothing was published; "
            f"details, which may hold private values: {details}"
        ) from None
    return Run(staging, published)


def _draw(
    plan: ReleasePlan,
    source: Input,
    files: Sequence[InputFile],
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
            stage = StageTable(str(staging), table.name)
            _ = tables[table.name] | f"Stage {table.name}" >> beam.ParDo(stage)


def unit_shards(input_bytes: int) -> int:
    """Returns the number of unit shards for an input: a power of two, from 16 to 4096."""
    return min(4096, max(16, 1 << (input_bytes // SHARD_BYTES).bit_length()))


def _read_staged(staging: Path, table: TablePlan, schema: Schema) -> pl.DataFrame:
    keys = (
        {name: canonical_type(name, schema[name]) for name in table.keys}
        if table.public_keys is None
        else table.public_keys.schema
    )
    return read_staged(staging, table.name, keys, [metric.name for metric in table.metrics])


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
    if not may_replace(folder):
        problem = (
            f"{folder} holds other files, and publication replaces the folder; "
            "allowed: an empty folder, a new one, or one that a release was published to"
        )
        raise ConfigError([release.source.problem(path, problem)])
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"{folder.parent} cannot be made: {error.strerror}"
        raise ConfigError([release.source.problem(path, problem)]) from None
    if not os.access(folder.parent, os.W_OK):
        problem = f"{folder.parent} cannot be written to"
        raise ConfigError([release.source.problem(path, problem)])
    return folder


def _staging_folder(release: LoadedRelease, output: Path) -> Path:
    path = ("output", "staging")
    staging = Path(release.staging_folder)
    if staging.resolve().is_relative_to(output.resolve()):
        problem = f"{staging} is private, and {output} is published; allowed: a folder outside it"
        raise ConfigError([release.source.problem(path, problem)])
    attempt = staging / _run_id()
    try:
        attempt.mkdir(mode=0o700, parents=True)
    except OSError as error:
        problem = f"{staging} cannot be made: {error.strerror}"
        raise ConfigError([release.source.problem(path, problem)]) from None
    return attempt


def _pipeline_options(beam_options: Sequence[str]) -> PipelineOptions:
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            options = PipelineOptions(list(beam_options))
            options.get_all_options()  # parses them all
            return options
    except SystemExit as stop:
        if not stop.code:
            raise
        raise RunError(f"Beam options: {said.getvalue().splitlines()[-1]}") from None


def _pin_local_runner(options: PipelineOptions) -> str:
    standard = options.view_as(StandardOptions)
    if standard.runner in (None, "DirectRunner"):
        standard.runner = LOCAL_RUNNER
    return str(standard.runner)


def _run_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
