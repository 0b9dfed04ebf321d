"""Which partitions of a privacy unit count: the L0 ones with the smallest keyed rank.

The rank of a partition is a keyed hash of (unit, partition), so the kept set is a function of the
unit's own partitions. The smallest k of a set are among the smallest k of each of its parts that
they fall in: pruning parts, merging and pruning again keeps what pruning the whole keeps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from transforms.arrays import IntArray, U64Array
from transforms.hashing import Hash128, priorities
from transforms.runs import position_in_run


def first_ranked(
    unit: IntArray, partition: IntArray, units: Hash128, partitions: Hash128, max_partitions: int
) -> npt.NDArray[np.bool_]:
    """Chooses the pairs of each unit that count.

    Args:
        unit: Index into `units` per pair, shape (n,).
        partition: Index into `partitions` per pair, shape (n,); pairs do not repeat.
        units: Identities of the units.
        partitions: Identities of the partitions.
        max_partitions: L0.

    Returns:
        True for at most `max_partitions` pairs of each unit, shape (n,).
    """
    per_unit = np.bincount(unit, minlength=len(units))
    crowded = (per_unit > max_partitions)[unit]
    keep = ~crowded
    pairs = np.flatnonzero(crowded)
    if not len(pairs):
        return keep
    unit, partition = unit[pairs], partition[pairs]
    rank = priorities(units.low[unit], partitions.low[partition])
    order = _sort_within_units(unit, rank, partitions.high[partition])
    keep[pairs[order[position_in_run(unit[order]) < max_partitions]]] = True
    return keep


def _sort_within_units(
    unit: IntArray, rank: U64Array, tie_breaker: U64Array
) -> npt.NDArray[np.int64]:
    """Returns the order of pairs by unit, then rank, then tie breaker.

    One sort of numbers that hold the unit and the upper bits of the rank is enough, unless two of
    them are equal.
    """
    unit_bits = np.uint64(int(unit.max()).bit_length())
    packed = rank >> unit_bits
    if unit_bits:
        packed |= unit.astype(np.uint64) << (np.uint64(64) - unit_bits)
    order = np.argsort(packed)
    in_order = packed[order]
    if (in_order[1:] == in_order[:-1]).any():
        return np.lexsort((tie_breaker, rank, unit))
    return order
