"""How a release is cut up for its workers: shards and reading tasks, from the size of its input.

See "How the sizes are chosen" in deploy/scale.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from transforms.plan import TablePlan
from transforms.ptransforms import GATHER_BYTES

SHARD_BYTES = 32 << 20
"""Input per unit shard, as long as there are no more than `FEW_SHARDS`."""

FEW_SHARDS = 4096
"""From here on shards grow first: each batch of rows sends an element to every one of them."""

LARGE_SHARD_BYTES = 128 << 20
"""Input per unit shard of a large input."""

FEW_TASKS = 4096
"""From here on reading tasks grow first, as each may send an element to every shard."""

SHARD_PARTITIONS = 1_000_000
"""Public partitions per partition shard."""


def unit_shards(input_bytes: int) -> int:
    """Returns the number of unit shards for an input: a power of two, from 16 to 65536."""
    few = min(FEW_SHARDS, max(16, 1 << (input_bytes // SHARD_BYTES).bit_length()))
    return min(1 << 16, max(few, 1 << (input_bytes // LARGE_SHARD_BYTES).bit_length()))


def task_bytes(input_bytes: int) -> int:
    """Returns how much of a file is at least read at once: at most a full batch."""
    return min(GATHER_BYTES, input_bytes // FEW_TASKS)


def partition_shards(tables: Sequence[TablePlan]) -> int:
    """Returns the number of partition shards: a power of two, from 4 to 256."""
    largest = max(table.public_keys.height if table.public_keys else 0 for table in tables)
    return min(256, max(4, 1 << (largest // SHARD_PARTITIONS).bit_length()))
