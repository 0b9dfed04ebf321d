"""Runs a release: input files, one Beam pipeline, staging files, publication."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from dataclasses import replace as replace_in_plan
from pathlib import Path
from types import FrameType

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PCollection

from pipelines.baselines import fit_baselines
from pipelines.bigquery import BigQueryInput, ReadBigQuery
from pipelines.check import check_input, release_input
from pipelines.folders import check_output, staging_folder
from pipelines.inputs import Input, InputFile, Schema
from pipelines.key_storage import store_public_keys
from pipelines.options import OptionError, is_local, pipeline_options
from pipelines.output import Published, publish
from pipelines.plan import ReleasePlan
from pipelines.plan.file import plan_file
from pipelines.prepared import prepared_schema
from pipelines.progress import progress
from pipelines.public_types import fit_public_keys
from pipelines.report.files import add_report
from pipelines.sources import ReadRows
from pipelines.spec import LoadedRelease
from pipelines.staging import StageTable, read_staged
from transforms.hashing import HashKey
from transforms.plan import TablePlan
from transforms.ptransforms import DrawTables
from transforms.rows import canonical_type

Reading = beam.PTransform[beam.Pipeline, PCollection[pa.Table]]

SHARD_BYTES = 32 << 20
"""Input per unit shard."""

SHARD_PARTITIONS = 1_000_000
"""Public partitions per partition shard."""


class RunError(Exception):
    """A run failed. The text has no data; details are in a private file that it names."""


@dataclass(frozen=True)
class Run:
    """One attempt at a release.

    Attributes:
        staging: Private folder for the values as drawn.
        published: The released tables.
        without_report: Why there is no report of it; None if there is one, or none was asked for.
    """

    staging: Path
    published: list[Published]
    without_report: str | None = None


def run_release(
    release: LoadedRelease,
    plan: ReleasePlan,
    beam_options: Sequence[str],
    *,
    replace: bool,
    report: bool = False,
) -> Run:
    """Reads, aggregates, draws and publishes a release.

    Args:
        release: The release series.
        plan: Its plan.
        beam_options: Command line options of the Beam runner.
        replace: Draw again where a release is published already. Both draws together cost twice
            the budget.
        report: Publish an HTML page with the tables.

    Returns:
        What was done.

    Raises:
        ConfigError: The config does not fit the input or the output folder, or another run of the
            release is under way.
        RunError: A Beam option is wrong, or the pipeline or the publication failed.
    """
    try:
        options = pipeline_options(beam_options)
    except OptionError as error:
        raise RunError(str(error)) from None
    folder = check_output(release, replace=replace)
    planned = plan_file(release, plan)
    source = release_input(release)
    files, read = check_input(release, source)
    schema = prepared_schema(release, plan.preparation, read)
    plan = replace_in_plan(
        plan,
        tables=fit_public_keys(release, plan.tables, schema),
        steps=fit_baselines(release, plan.steps, schema),
    )
    with staging_folder(release, folder) as staging, noted_interrupts() as interrupted:
        # Again, under the lock: another run may have published since the first check, and a second
        # draw would spend the budget twice. The first check refuses before the input is looked at.
        check_output(release, replace=replace)
        try:
            tables = store_public_keys(plan.tables, str(staging))
            plan = replace_in_plan(plan, tables=tables)
            rows, size = reading(source, files, read)
            with progress(size) if files and is_local(options) else nullcontext():
                _draw(plan, rows, size, staging, options)
            drawn = {table.name: _read_staged(staging, table, schema) for table in plan.tables}
            problems: list[str | None] = []

            def complete(building: Path) -> None:
                if report:
                    problems.append(add_report(building, folder))

            published = publish(plan, drawn, folder, release.spec.output.formats, planned, complete)
        except (Exception, pl.exceptions.PanicException) as error:
            if interrupted:
                raise KeyboardInterrupt from None
            details = staging / "error.txt"
            details.write_text(traceback.format_exc(), encoding="utf-8")
            raise RunError(
                f"the run failed with {type(error).__name__}; nothing was published; "
                f"details, which may hold private values: {details}"
            ) from None
    return Run(staging, published, next(iter(problems), None))


def _draw(
    plan: ReleasePlan,
    read: Reading,
    size: int,
    staging: Path,
    options: PipelineOptions,
) -> None:
    with beam.Pipeline(options=options) as pipeline:
        rows = pipeline | "Read" >> read
        if plan.preparation is not None:
            # Its libraries take a third of a second to load.
            from transforms.prepare.ptransform import Prepare

            keep = tuple(dict.fromkeys(named.column for named in plan.spec.named_columns()))
            rows = rows | "Prepare" >> Prepare(plan.preparation, keep)
        tables = rows | "Aggregate" >> DrawTables(
            plan.spec.privacy.unit,
            plan.tables,
            HashKey.draw(),
            unit_shards=unit_shards(size),
            partition_shards=partition_shards(plan.tables),
        )
        for table in plan.tables:
            stage = StageTable(str(staging), table.name)
            _ = tables[table.name] | f"Stage {table.name}" >> beam.ParDo(stage)


def reading(
    source: Input | BigQueryInput, files: Sequence[InputFile], schema: Schema
) -> tuple[Reading, int]:
    """Returns what reads the rows, and about how many bytes they are."""
    if isinstance(source, BigQueryInput):
        return ReadBigQuery(source), source.size
    return ReadRows(source, files, schema), sum(file.size for file in files)


def unit_shards(input_bytes: int) -> int:
    """Returns the number of unit shards for an input: a power of two, from 16 to 4096."""
    return min(4096, max(16, 1 << (input_bytes // SHARD_BYTES).bit_length()))


def partition_shards(tables: Sequence[TablePlan]) -> int:
    """Returns the number of partition shards: a power of two, from 4 to 256."""
    largest = max(table.public_keys.height if table.public_keys else 0 for table in tables)
    return min(256, max(4, 1 << (largest // SHARD_PARTITIONS).bit_length()))


def _read_staged(staging: Path, table: TablePlan, schema: Schema) -> pl.DataFrame:
    keys = (
        {name: canonical_type(name, schema[name]) for name in table.keys}
        if table.public_keys is None
        else table.public_keys.schema
    )
    return read_staged(staging, table.name, keys, table.drawn_columns)


@contextmanager
def noted_interrupts() -> Iterator[list[bool]]:
    """Notes a keyboard interrupt, which Beam turns into an error of the pipeline."""
    seen: list[bool] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(True)
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, previous)
