"""What crosses a shuffle: plain bytes holding Arrow IPC streams compressed with lz4.

Beam pickles Arrow tables, which writes a slice's whole parent buffer, and may tear what a custom
coder writes; `bytes` has a standard coder on every runner.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from transforms.contributions import Contributions
from transforms.hashing import Hash128, HashKey
from transforms.items import ItemCounts
from transforms.partitions import PartitionSet

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
_FIXED_COLUMNS = ("unit", "partition", "rows")
_ITEM_COLUMNS = ("contribution", "item", "count")


def pack_frame(frame: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> bytes:
    """Writes a frame, and metadata of its schema, as bytes."""
    sink = pa.BufferOutputStream()
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    _write(sink, table.replace_schema_metadata(metadata))
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack_frame(packed: bytes) -> pl.DataFrame:
    """Reads what `pack_frame` wrote."""
    return pl.DataFrame(unpack_table(packed))


def unpack_table(packed: bytes) -> pa.Table:
    """Reads what `pack_frame` wrote, as an Arrow table."""
    return _read(pa.BufferReader(packed))


def pack_contributions(contributions: Contributions) -> bytes:
    """Writes contributions as streams: themselves, their units, their partitions, their items.

    Accumulators travel in the smallest integer type that holds them.
    """
    columns = {
        "unit": contributions.unit,
        "partition": contributions.partition,
        "rows": contributions.rows,
        **{f"sum{position}": column for position, column in enumerate(contributions.sums)},
    }
    units = {"low": contributions.units.low, "high": contributions.units.high}
    sink = pa.BufferOutputStream()
    _write(sink, pa.table({name: pa.array(_shrink(column)) for name, column in columns.items()}))
    _write(sink, pa.table({name: pa.array(column) for name, column in units.items()}))
    _write(sink, contributions.partitions.keys.to_arrow(compat_level=pl.CompatLevel.oldest()))
    for counts in contributions.items:
        arrays = (_shrink(counts.contribution), counts.item, _shrink(counts.count))
        _write(sink, pa.table(dict(zip(_ITEM_COLUMNS, map(pa.array, arrays), strict=True))))
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack_contributions(packed: bytes, key: HashKey) -> Contributions:
    """Reads what `pack_contributions` wrote.

    Args:
        packed: The bytes.
        key: Secret of the release, to hash the partitions' key values again.
    """
    source = pa.BufferReader(packed)
    columns, units, partitions = _read(source), _read(source), _read(source)
    items = []
    while source.tell() < len(packed):
        part = _read(source)
        contribution, item, count = (part[name].to_numpy() for name in _ITEM_COLUMNS)
        items.append(ItemCounts(contribution, item, count.astype(np.int64)))
    sums = [name for name in columns.column_names if name not in _FIXED_COLUMNS]
    return Contributions(
        Hash128(units["low"].to_numpy(), units["high"].to_numpy()),
        PartitionSet.of(pl.DataFrame(partitions), key),
        columns["unit"].to_numpy(),
        columns["partition"].to_numpy(),
        columns["rows"].to_numpy(),
        tuple(columns[name].to_numpy() for name in sums),
        tuple(items),
    )


def _write(sink: pa.BufferOutputStream, table: pa.Table) -> None:
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)


def _read(source: pa.BufferReader) -> pa.Table:
    with pa.ipc.open_stream(source) as reader:
        return reader.read_all()


def _shrink(column: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    low, high = column.min(initial=0), column.max(initial=0)
    for dtype in (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return column.astype(dtype, copy=False)
    return column
