"""The pass of tuning over the data: input files, one Beam pipeline, a private folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import polars as pl
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.run.drawing import CheckedInput, input_pipeline
from pipelines.run.key_storage import store_public_keys
from pipelines.run.shards import DrawnTwiceError
from pipelines.run.sizes import unit_shards
from pipelines.same_code import OnSameCode
from pipelines.sources.files import write_whole
from pipelines.tune.plan import TuningPlan, histogram_noise
from transforms.hashing import HashKey
from transforms.tuning.ptransform import TuneTables
from transforms.tuning.stages import TuningTable
from transforms.wire import unpack_frame
from transforms.worker_errors import without_texts


def measure(
    plan: TuningPlan, checked: CheckedInput, folder: Path, options: PipelineOptions
) -> dict[str, pl.DataFrame]:
    """Reads the input once and finds errors or noisy histograms.

    Args:
        plan: What is to be done.
        checked: The input.
        folder: A private folder, for what is found while the pipeline runs.
        options: Beam options.

    Returns:
        By table, the errors of all that is tried, summed over partitions, or noisy histograms.
    """
    tuned = [
        TuningTable.of(
            table,
            plan.grids[table.name],
            plan.planned[table.name],
            None if plan.charge is None else histogram_noise(plan, table.name),
        )
        for table in store_public_keys(checked.plan.tables, str(folder))
        if table.name in plan.grids
    ]
    unit, shards = plan.plan.spec.privacy.unit, unit_shards(checked.size)
    with input_pipeline(checked, options) as rows:
        found = rows | "Tune" >> TuneTables(unit, tuned, HashKey.draw(), shards)
        _ = found | "Keep" >> beam.ParDo(_Keep(str(folder)))
    return {name: _kept(folder, name) for name in plan.grids}


@without_texts
class _Keep(OnSameCode):
    """Writes what was found for each table to a file."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def process(self, found: tuple[str, bytes]) -> Iterator[str]:
        """Writes one file and yields its path."""
        name, content = found
        digest = hashlib.sha256(content).hexdigest()[:16]
        path = FileSystems.join(self._folder, f"{name}-{digest}.arrow")
        write_whole(path, content)
        yield path


def _kept(folder: Path, name: str) -> pl.DataFrame:
    files = list(folder.glob(f"{name}-*.arrow"))
    if len(files) != 1:
        raise DrawnTwiceError(f"table {name} was found {len(files)} times")
    return unpack_frame(files[0].read_bytes())
