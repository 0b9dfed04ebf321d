"""Released tables made by hand, and coverage of intervals."""

import polars as pl
from scipy.stats import binom

from transforms.postprocess import quantile_95
from transforms.table import released_columns

FALSE_ALARM = 1e-7
"""Probability that one statistical assertion fails although all is well, over all seeds."""


def released(metric, values, stds, noise="laplace"):
    """The four columns of a metric; values may be whole numbers."""
    whole = all(isinstance(value, int) for value in values if value is not None)
    half = [
        None if v is None else quantile_95(noise) * s for v, s in zip(values, stds, strict=True)
    ]
    low = [None if v is None else v - h for v, h in zip(values, half, strict=True)]
    high = [None if v is None else v + h for v, h in zip(values, half, strict=True)]
    columns = zip(released_columns(metric), (values, stds, low, high), strict=True)
    frame = pl.DataFrame({name: pl.Series(c, dtype=pl.Float64) for name, c in columns})
    if not whole:
        return frame
    return frame.with_columns(pl.col(metric, f"{metric}_low", f"{metric}_high").round().cast(int))


def table(**metrics):
    """A released table with the key k from 0 on; `n=([values], [stds])`."""
    frames = [released(name, values, stds) for name, (values, stds) in metrics.items()]
    wide = pl.concat(frames, how="horizontal")
    return pl.select(k=pl.int_range(wide.height)).hstack(wide)


def draw(rng, noise, std, size):
    """Noise of a standard deviation."""
    if noise == "laplace":
        return rng.laplace(0, std / 2**0.5, size)
    return rng.normal(0, std, size)


def assert_coverage(held, *, at_least=0.95, at_most=1.0):
    """Checks that intervals hold what they should about as often as they say."""
    count, hits = len(held), int(held.sum())
    assert binom.cdf(hits, count, at_least) > FALSE_ALARM / 2, hits / count
    assert binom.sf(hits - 1, count, at_most) > FALSE_ALARM / 2, hits / count
