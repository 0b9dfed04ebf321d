"""Keeps the values as drawn in private files, until they are published.

A file is named for the partition shard that was drawn and a digest of what is in it. A retried
write makes the same file again. A second draw of a shard, which the runner's `Reshuffle` should
exclude, makes a second file; then the attempt is over, and the next one draws
(`pipelines.run.exactly_once`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from pipelines.run.staged_list import is_list
from pipelines.same_code import OnSameCode
from pipelines.sources.files import files_in, write_whole
from pipelines.storage.storage import Where
from transforms.worker_errors import without_texts


@without_texts
class StageTable(OnSameCode):
    """Writes each drawn table to a Parquet file."""

    def __init__(self, folder: str, name: str) -> None:
        """Args: folder of the run, and name of the table."""
        super().__init__()
        self._folder = folder
        self._name = name

    def process(self, drawn: pa.Table) -> Iterator[str]:
        """Writes one file and yields its path."""
        buffer = io.BytesIO()
        pq.write_table(drawn, buffer)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()[:16]
        shard = drawn.schema.metadata[b"shard"].decode()
        path = FileSystems.join(self._folder, f"{self._name}-{shard}-{digest}.parquet")
        write_whole(path, content)
        yield path


@contextmanager
def staged_files(folder: Where) -> Iterator[Path]:
    """Yields a folder here with the files that workers staged, downloaded where they are not here.

    Args:
        folder: The folder that the workers wrote to.
    """
    if isinstance(folder, Path):
        yield folder
        return
    with TemporaryDirectory(prefix="dp-release-") as temporary:
        wanted = (path for path in files_in(folder) if path.endswith(".parquet") or is_list(path))
        for path in wanted:
            with FileSystems.open(path) as file:
                (Path(temporary) / path.rpartition("/")[2]).write_bytes(file.read())
        yield Path(temporary)


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
        DrawnTwiceError: A shard or a partition is there more than once.
    """
    nothing = pl.DataFrame(schema={**keys, **dict.fromkeys(metrics, pl.Int64())})
    files = sorted(folder.glob(f"{name}-*.parquet"))
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
