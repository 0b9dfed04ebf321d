"""What comes out of a pipeline, in files."""

import uuid
from pathlib import Path

import apache_beam as beam
import polars as pl
import pyarrow as pa


class Write(beam.DoFn):
    """Writes each element to a file of its own."""

    def __init__(self, folder, name="table"):
        self._start = f"{folder}/{name}"

    def process(self, table: pa.Table):
        pl.DataFrame(table).write_parquet(f"{self._start}-{uuid.uuid4()}.parquet")


def written(folder, name="table"):
    """Reads what was written under a name, as one frame; None if nothing was."""
    files = sorted(Path(folder).glob(f"{name}-*.parquet"))
    return pl.concat(map(pl.read_parquet, files), how="vertical_relaxed") if files else None
