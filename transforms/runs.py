"""Runs of equal values in sorted arrays."""

from __future__ import annotations

import numpy as np

from transforms.arrays import Int64Array, IntArray


def run_starts(sorted_values: IntArray) -> Int64Array:
    """Returns the position of the first of each run of equal values."""
    new = np.ones(len(sorted_values), np.bool_)
    np.not_equal(sorted_values[1:], sorted_values[:-1], out=new[1:])
    return np.flatnonzero(new)


def in_runs(per_run: Int64Array, starts: Int64Array, size: int) -> Int64Array:
    """Repeats a number of each run for each of its values.

    Args:
        per_run: One number per run.
        starts: First position of each run.
        size: Number of values.

    Returns:
        The numbers, shape (size,).
    """
    return np.repeat(per_run, np.diff(starts, append=size))


def position_in_run(sorted_values: IntArray) -> Int64Array:
    """Returns how many values of its run are before each value."""
    starts = run_starts(sorted_values)
    return np.arange(len(sorted_values)) - in_runs(starts, starts, len(sorted_values))
