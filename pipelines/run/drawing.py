"""Draws a release: the one Beam pipeline from input rows to staged values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PCollection
from apache_beam.runners.runner import PipelineResult

from pipelines.gates.release_gates import ReleaseGates
from pipelines.log import tell_problem
from pipelines.plan import ReleasePlan
from pipelines.publication.completeness import NOT_LOOKED_AT, Completeness
from pipelines.run.baselines import fit_baselines
from pipelines.run.key_storage import store_public_keys
from pipelines.run.local_blocks import block_folder, full_disk_told
from pipelines.run.options import bounding_ram, is_local, scratch, time_limit
from pipelines.run.periods import ReleasePeriod
from pipelines.run.progress import progress
from pipelines.run.shards import StageTable, read_staged, staged_files
from pipelines.run.sizes import partition_shards, task_bytes, unit_shards
from pipelines.run.staged_list import ListStaged, check_staged
from pipelines.run.waiting import run_pipeline
from pipelines.run.window import Window, check_window, input_window
from pipelines.run.window_files import files_in_window
from pipelines.sources.bigquery import BigQueryInput, ReadBigQuery
from pipelines.sources.check import check_input, find_files, release_input
from pipelines.sources.inputs import Input, InputFile, Schema
from pipelines.sources.prepared import prepared_schema
from pipelines.sources.public_types import fit_public_keys
from pipelines.sources.read_rows import ReadRows
from pipelines.spec import LoadedRelease
from pipelines.storage.storage import Where
from transforms.hashing import HashKey
from transforms.plan import TablePlan
from transforms.private_metrics import Numbers, private_numbers
from transforms.ptransforms import DrawTables
from transforms.rows import canonical_type
from transforms.worker_errors import kind_of, shown_texts

KeepMetrics = Callable[[Numbers], None]
"""What is done with the metrics of workers, which are exact numbers about private rows."""


@dataclass(frozen=True)
class CheckedInput:
    """The input of a release, found to fit its config.

    Attributes:
        plan: The plan, with public keys and baselines in the types of the input.
        source: What is read.
        files: The files to read; none for BigQuery.
        read: Types of the columns that are read.
        prepared: Types of the columns of prepared rows.
        window: The filter of the period.
        completeness: What gates found about the input.
    """

    plan: ReleasePlan
    source: Input | BigQueryInput
    files: Sequence[InputFile]
    read: Schema
    prepared: Schema
    window: Window | None
    completeness: Completeness

    @property
    def size(self) -> int:
        """About how many bytes it has."""
        if isinstance(self.source, BigQueryInput):
            return self.source.size
        return sum(file.size for file in self.files)


def check_release_input(
    release: LoadedRelease,
    plan: ReleasePlan,
    period: ReleasePeriod,
    gates: ReleaseGates | None = None,
) -> CheckedInput:
    """Holds a release against its input; reads no rows, and opens no file before gates let it.

    The columns of all files are checked, also of those that the window leaves out: so leaving them
    out changes no type and refuses nothing less.

    Args:
        release: The release series.
        plan: Its plan.
        period: The period whose rows are read.
        gates: Its gates; None where nothing is released, so that none is asked.

    Raises:
        ConfigError: It does not fit, or a gate stops it.
    """
    source = release_input(release)
    window = input_window(release, period)
    matched = find_files(release, source) if isinstance(source, Input) else []
    files, completeness = matched, NOT_LOOKED_AT
    if isinstance(source, Input):
        files = files_in_window(matched, source, window, release.spec.input.time)
        completeness = NOT_LOOKED_AT if gates is None else gates.of_files(files)
    _, read = check_input(release, source, matched)
    prepared = prepared_schema(release, plan.preparation, read)
    check_window(release, window, read, prepared)
    if gates is not None:
        gates.check_lists(prepared)
    plan = replace(
        plan,
        tables=fit_public_keys(release, plan.tables, prepared),
        steps=fit_baselines(release, plan.steps, prepared),
    )
    return CheckedInput(plan, source, files, read, prepared, window, completeness)


def draw(
    checked: CheckedInput,
    key: HashKey,
    folder: Where,
    options: PipelineOptions,
    keep_metrics: KeepMetrics | None = None,
) -> dict[str, pl.DataFrame]:
    """Reads, aggregates and draws.

    Args:
        checked: The input, with the plan.
        key: Secret of the reservation.
        folder: Where the workers put what they draw.
        options: Beam options.
        keep_metrics: Told of the metrics of the workers; None for nobody.

    Returns:
        The drawn values by table.

    Raises:
        DrawnTwiceError: A retry of the runner left two draws.
        StagingError: Workers staged files that are not in the folder, or the disk became full.
        TimeLimitError: The runner took longer than the options allow.
    """
    start(checked, key, folder, options, keep_metrics)
    return collect(folder, checked.plan.tables, drawn_keys(checked))


def start(
    checked: CheckedInput,
    key: HashKey,
    folder: Where,
    options: PipelineOptions,
    keep_metrics: KeepMetrics | None = None,
) -> None:
    """Has the workers draw, and waits for them if the options do not say otherwise.

    Args:
        checked: The input, with the plan.
        key: Secret of the reservation.
        folder: Where the workers put what they draw.
        options: Beam options.
        keep_metrics: As of `draw`, where there is a wait.

    Raises:
        StagingError: The disk became full.
        TimeLimitError: The runner took longer than the options allow.
    """
    tables = store_public_keys(checked.plan.tables, str(folder))
    checked = replace(checked, plan=replace(checked.plan, tables=tables))
    with full_disk_told(folder if isinstance(folder, Path) else scratch(options) or folder):
        _run_pipeline(checked, key, folder, options, keep_metrics)


def drawn_keys(checked: CheckedInput) -> dict[str, Mapping[str, pl.DataType]]:
    """Returns the key columns of each table as they are drawn, with their types."""
    return {table.name: _key_types(table, checked.prepared) for table in checked.plan.tables}


def collect(
    folder: Where, tables: Sequence[TablePlan], keys: Mapping[str, Mapping[str, pl.DataType]]
) -> dict[str, pl.DataFrame]:
    """Reads what the workers drew.

    Args:
        folder: Where they put it.
        tables: The tables.
        keys: What `drawn_keys` returned.

    Raises:
        DrawnTwiceError: A retry of the runner left two draws.
        StagingError: Not all that they staged is there.
    """
    with staged_files(folder) as here:
        check_staged(here, folder)
        return {
            table.name: read_staged(here, table.name, keys[table.name], table.drawn_columns)
            for table in tables
        }


@contextmanager
def input_pipeline(
    checked: CheckedInput, options: PipelineOptions, keep_metrics: KeepMetrics | None = None
) -> Iterator[PCollection[pa.Table]]:
    """Makes a pipeline over an input and runs it at the end, with a progress bar where it is local.

    Yields:
        The prepared rows of the period.
    """
    pipeline = beam.Pipeline(options=options)
    yield _prepared(checked, pipeline | "Read" >> _reading(checked))
    is_here = is_local(options)
    shown = progress(checked.size) if checked.files and is_here else nullcontext()
    with shown, shown_texts() if is_here else nullcontext():
        result = run_pipeline(pipeline, time_limit(options))
    if keep_metrics is not None and result is not None:
        _keep(result, keep_metrics)


def _keep(result: PipelineResult, keep_metrics: KeepMetrics) -> None:
    """Passes metrics on; what is drawn is not lost where a runner has none to tell."""
    try:
        numbers = private_numbers(result)
    except Exception as error:
        tell_problem(f"the runner does not tell its metrics: {kind_of(error)}")
    else:
        keep_metrics(numbers)


def _run_pipeline(
    checked: CheckedInput,
    key: HashKey,
    folder: Where,
    options: PipelineOptions,
    keep_metrics: KeepMetrics | None,
) -> None:
    plan = checked.plan
    with (
        block_folder(folder, checked.size, options) as blocks,
        input_pipeline(checked, options, keep_metrics) as rows,
    ):
        tables = rows | "Aggregate" >> DrawTables(
            plan.spec.privacy.unit,
            plan.tables,
            key,
            unit_shards=unit_shards(checked.size),
            partition_shards=partition_shards(plan.tables),
            blocks=blocks,
            bounding_ram=bounding_ram(options),
        )
        staged = tuple(
            tables[table.name] | f"Stage {table.name}" >> _staged(folder, table.name)
            for table in plan.tables
        )
        _ = staged | "List staged files" >> ListStaged(str(folder))


def _staged(folder: Where, table: str) -> beam.PTransform[PCollection[pa.Table], PCollection[str]]:
    stage = beam.ParDo(StageTable(str(folder), table))
    return stage.with_output_types(str)  # type: ignore[no-any-return]


def _reading(checked: CheckedInput) -> beam.PTransform[beam.Pipeline, PCollection[pa.Table]]:
    if isinstance(checked.source, BigQueryInput):
        return ReadBigQuery(checked.source)
    at_least = task_bytes(checked.size)
    return ReadRows(checked.source, checked.files, checked.read, at_least)


def _prepared(checked: CheckedInput, rows: PCollection[pa.Table]) -> PCollection[pa.Table]:
    """Applies the window and the preparation, in the order in which their columns are there."""
    plan, window = checked.plan, checked.window
    if plan.preparation is None and window is None:
        return rows
    # Its libraries take a third of a second to load.
    from transforms.prepare.ptransform import Prepare

    used = tuple(dict.fromkeys(named.column for named in plan.spec.named_columns()))
    if window is not None and not window.after:
        rows = rows | "Window" >> Prepare(window.preparation, tuple(checked.read))
    if plan.preparation is not None:
        time = plan.spec.input.time
        more = (time,) if window is not None and window.after and time not in used else ()
        rows = rows | "Prepare" >> Prepare(plan.preparation, (*used, *more))
    if window is not None and window.after:
        rows = rows | "Window" >> Prepare(window.preparation, used)
    return rows


def _key_types(table: TablePlan, schema: Schema) -> Mapping[str, pl.DataType]:
    if table.public_keys is not None:
        return table.public_keys.schema
    return {name: canonical_type(name, schema[name]) for name in table.keys}
