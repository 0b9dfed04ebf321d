"""Chooses how many of each of several counts are kept, so that a given number is kept of all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from transforms.arrays import Int64Array
from transforms.runs import in_runs, run_starts


def allot(
    counts: Int64Array, group: npt.NDArray[np.integer], targets: Int64Array, starts: Int64Array
) -> Int64Array:
    """Thins out counts by systematic sampling (W. G. Madow and L. H. Madow, 1944).

    The things counted in a group of T are put in a row; of every T / t of them one is kept, from
    the start on. With C the running total of the counts, the i-th count keeps
    floor((t C_i + s) / T) - floor((t C_(i-1) + s) / T). That is its exact share t / T, rounded down
    or up, and makes t for the whole group. Over all starts s from 0 to T - 1 its mean is the exact
    share. Products fit an int64 for T up to 2^40 and t up to 2^20.

    Args:
        counts: Counts, 0 or more, the counts of each group next to each other, shape (n,).
        group: Index of each count's group, not decreasing, shape (n,).
        targets: How many to keep per group, t, 0 or more, shape (g,).
        starts: Any number per group, of which the remainder by T counts, shape (g,).

    Returns:
        Kept counts, at most the counts given, shape (n,); all of them in a group of up to t.
    """
    totals = np.zeros(len(targets), np.int64)
    np.add.at(totals, group, counts)
    thinned = np.flatnonzero((totals > targets)[group])
    kept = counts.copy()
    if not len(thinned):
        return kept
    group, counts = group[thinned].astype(np.int64), counts[thinned]
    running = np.cumsum(counts)
    first = run_starts(group)
    before_group = in_runs((running - counts)[first], first, len(group))
    end = running - before_group
    total, target, start = totals[group], targets[group], (starts % np.maximum(totals, 1))[group]
    kept[thinned] = (target * end + start) // total - (target * (end - counts) + start) // total
    return kept
