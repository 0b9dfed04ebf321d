"""The pass of tuning over the data: input files, one Beam pipeline, a private folder."""

from __future__ import annotations

import hashlib
import shutil
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import apache_beam as beam
import polars as pl
from apache_beam.io.filesystems import FileSystems

from pipelines.check import check_input, release_input
from pipelines.drawing import input_size, read_rows, unit_shards
from pipelines.folders import scratch_folder
from pipelines.interrupts import noted_interrupts
from pipelines.key_storage import store_public_keys
from pipelines.options import OptionError, is_local, pipeline_options
from pipelines.prepared import prepared_schema
from pipelines.progress import progress
from pipelines.public_types import fit_public_keys
from pipelines.run import RunError
from pipelines.staging import DrawnTwiceError
from pipelines.tune.plan import TuningPlan, histogram_noise
from transforms.hashing import HashKey
from transforms.tuning.ptransform import TuneTables
from transforms.tuning.stages import TuningTable
from transforms.wire import unpack_frame


def measure(plan: TuningPlan, beam_options: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Reads the input once and finds errors or noisy histograms.

    What is found is kept in a private folder while the pipeline runs, and removed at the end.

    Args:
        plan: What is to be done.
        beam_options: Command line options of the Beam runner.

    Returns:
        By table, the errors of all that is tried, summed over partitions, or noisy histograms.

    Raises:
        ConfigError: The config does not fit the input, or another run of the release is under way.
        RunError: A Beam option is wrong, or the pipeline failed.
    """
    try:
        options = pipeline_options(beam_options)
    except OptionError as error:
        raise RunError(str(error)) from None
    release, preparation = plan.release, plan.plan.preparation
    source = release_input(release)
    files, read = check_input(release, source)
    schema = prepared_schema(release, preparation, read)
    tables = fit_public_keys(release, plan.plan.tables, schema)
    with scratch_folder(release) as staging, noted_interrupts() as interrupted:
        try:
            stored = store_public_keys(tables, str(staging))
            tuned = [
                TuningTable.of(
                    table,
                    plan.grids[table.name],
                    plan.planned[table.name],
                    None if plan.charge is None else histogram_noise(plan, table.name),
                )
                for table in stored
                if table.name in plan.grids
            ]
            rows, size = read_rows(source, files, read), input_size(source, files)
            with (
                progress(size) if files and is_local(options) else nullcontext(),
                beam.Pipeline(options=options) as pipeline,
            ):
                raw = pipeline | "Read" >> rows
                if preparation is not None:
                    from transforms.prepare.ptransform import Prepare

                    named = plan.plan.spec.named_columns()
                    keep = tuple(dict.fromkeys(one.column for one in named))
                    raw = raw | "Prepare" >> Prepare(preparation, keep)
                found = raw | "Tune" >> TuneTables(
                    plan.plan.spec.privacy.unit, tuned, HashKey.draw(), unit_shards(size)
                )
                _ = found | "Keep" >> beam.ParDo(_Keep(str(staging)))
            results = {name: _kept(staging, name) for name in plan.grids}
        except (Exception, pl.exceptions.PanicException) as error:
            if interrupted:
                raise KeyboardInterrupt from None
            details = staging / "error.txt"
            details.write_text(traceback.format_exc(), encoding="utf-8")
            raise RunError(
                f"tuning failed with {type(error).__name__}; "
                f"details, which may hold private values: {details}"
            ) from None
        shutil.rmtree(staging)
    return results


class _Keep(beam.DoFn):
    """Writes what was found for each table to a file."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, found: tuple[str, bytes]) -> Iterator[str]:
        """Writes one file and yields its path."""
        name, content = found
        digest = hashlib.sha256(content).hexdigest()[:16]
        path = FileSystems.join(self._folder, f"{name}-{digest}.arrow")
        partial = f"{path}.{uuid.uuid4().hex}.partial"
        with FileSystems.create(partial) as file:
            file.write(content)
        FileSystems.rename([partial], [path])
        yield path


def _kept(folder: Path, name: str) -> pl.DataFrame:
    files = list(folder.glob(f"{name}-*.arrow"))
    if len(files) != 1:
        raise DrawnTwiceError(f"table {name} was found {len(files)} times")
    return unpack_frame(files[0].read_bytes())
