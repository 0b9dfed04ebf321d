"""Keeps the values as drawn in private files, until they are published.

A file is named for the partition shard that was drawn and a digest of what is in it. A retried
write makes the same file again. A second draw of a shard, which the runner's `Reshuffle` should
exclude, makes a second file, and publication refuses both.

What was drawn is complete when the file `complete` is there, which lists it. It is written after
all workers are done, so that nobody who does not wait for them takes a part for the whole.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import PCollection

COMPLETE = "complete"
"""Name of the file that lists all files of a draw."""


class StageTable(beam.DoFn):
    """Writes each drawn table to a Parquet file."""

    def __init__(self, folder: str, name: str) -> None:
        """Args: folder of the run, and name of the table."""
        self._folder = folder
        self._name = name

    def process(self, drawn: pa.Table) -> Iterator[tuple[int, bytes]]:
        """Writes one file and yields 0 and its name."""
        buffer = io.BytesIO()
        pq.write_table(drawn, buffer)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()[:16]
        shard = drawn.schema.metadata[b"shard"].decode()
        name = f"{self._name}-{shard}-{digest}.parquet"
        _write(self._folder, name, content)
        yield 0, name.encode()


@dataclass
class MarkComplete(beam.PTransform[PCollection[tuple[int, bytes]], PCollection[None]]):
    """Writes the list of all staged files, once all are there.

    Attributes:
        folder: Folder of the run.
    """

    folder: str

    def expand(self, staged: PCollection[tuple[int, bytes]]) -> PCollection[None]:
        """Wires the list, which is written too where nothing is staged."""
        nothing = beam.Create([(0, b"")]).with_output_types(tuple[int, bytes])
        start = staged.pipeline | "Start the list" >> nothing
        marked: PCollection[None] = (
            (start, staged)
            | "Add no file" >> beam.Flatten()
            | "Wait for all files" >> beam.GroupByKey()
            | "Write the list" >> beam.Map(_mark_complete, self.folder)
        )
        return marked


def is_complete(folder: Path) -> bool:
    """Returns whether all workers of a run are done."""
    return bool(FileSystems.exists(FileSystems.join(str(folder), COMPLETE)))


class IncompleteDrawError(Exception):
    """The pipeline has not staged all that it draws."""


class DrawnTwiceError(Exception):
    """The staging files of a table hold more than one draw of a shard."""


def read_staged(
    folder: Path, name: str, keys: Mapping[str, pl.DataType], metrics: Sequence[str]
) -> pl.DataFrame:
    """Reads the drawn values of one table.

    Args:
        folder: Folder of the run.
        name: Name of the table.
        keys: Its key columns with their types.
        metrics: Its metrics.

    Returns:
        All drawn partitions.

    Raises:
        IncompleteDrawError: Workers are not done, or a file of theirs is gone.
        DrawnTwiceError: A shard or a partition is there more than once.
    """
    if not is_complete(folder):
        raise IncompleteDrawError(f"the pipeline that stages table {name} has not finished")
    listed = set((folder / COMPLETE).read_text(encoding="utf-8").split())
    nothing = pl.DataFrame(schema={**keys, **dict.fromkeys(metrics, pl.Int64())})
    files = sorted(folder.glob(f"{name}-*.parquet"))
    if not {one for one in listed if one.startswith(f"{name}-")} <= {file.name for file in files}:
        raise IncompleteDrawError(f"files of table {name} were staged and are gone")
    shards = [file.name.split("-")[1] for file in files]
    parts = (_typed(pl.read_parquet(file, glob=False), nothing.schema) for file in files)
    drawn = pl.concat([nothing, *parts])
    if len(set(shards)) < len(shards) or drawn.select(keys.keys()).is_duplicated().any():
        raise DrawnTwiceError(f"table {name} was drawn more than once")
    return drawn


def _typed(part: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Gives columns without a value, which have no type, the type that they should have."""
    return part.with_columns(
        pl.col(name).cast(schema[name]) for name, dtype in part.schema.items() if dtype == pl.Null
    )


def _mark_complete(staged: tuple[int, Iterable[bytes]], folder: str) -> None:
    names = sorted({name.decode() for name in staged[1]} - {""})
    _write(folder, COMPLETE, "".join(f"{name}\n" for name in names).encode())


def _write(folder: str, name: str, content: bytes) -> None:
    """Puts a file in place as a whole."""
    path = FileSystems.join(folder, name)
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    with FileSystems.create(partial) as file:
        file.write(content)
    FileSystems.rename([partial], [path])
