"""Random rows, tables and ways to cut the input into pieces."""

from __future__ import annotations

import datetime

import polars as pl
from hypothesis import strategies as st

from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.metrics import (
    Count,
    DistinctCount,
    Mean,
    PrivacyUnitCount,
    Quantiles,
    Sum,
    Variance,
    VectorSum,
)
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, PublicKeys, Table

SCHEMA = {
    "user": pl.Int64,
    "device": pl.String,
    "word": pl.String,
    "day": pl.Date,
    "level": pl.Float64,
    "value": pl.Float64,
    "other": pl.Float64,
}

_DAYS = [datetime.date(2026, 11, day) for day in (1, 2, 3)]

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 5, None]),
            "device": st.sampled_from(["a", "a", "a", "b", "", None]),
            "word": st.sampled_from(["x", "x", "y", "y", "z", "z", "é", "", None]),
            "day": st.sampled_from([*_DAYS, *_DAYS, None]),
            "level": st.sampled_from([0.0, -0.0, 1.5, 1.5, float("nan"), float("inf"), None]),
            "value": st.sampled_from(
                [None, float("nan"), float("inf"), float("-inf"), 1e300, 0.0005, -0.0015, 7.0]
            )
            | st.floats(-50, 50),
            "other": st.sampled_from([None, float("nan"), float("-inf"), 0.5, -0.5, 2.5, 3.0])
            | st.floats(-9, 9),
        }
    ),
    max_size=60,
)

SUMS = st.sampled_from(
    [
        Sum("value", clip=(0, 10), granularity=0.001),
        Sum("value", clip=(-5, 5), granularity=0.25),
        Sum("value", clip=(-20, 3)),
        Sum("value", clip=(2, 10), granularity=1),
    ]
)
TOTALS = st.sampled_from(
    [
        Sum("value", clip_total=(-8, 20), granularity=0.01),
        Sum("value", clip_total=(0, 7.5), granularity=0.5),
    ]
)
MOMENTS = st.sampled_from(
    [
        Mean("value", (-10, 10)),
        Mean("value", (9, 11), granularity=0.25),
        Mean("other", (-1, 6)),
        Variance("value", (-10, 10)),
        Variance("value", (9, 11), granularity=0.5),
        Variance("other", (-3, 2), granularity=0.7),
    ]
)
VECTORS = st.builds(
    VectorSum,
    st.sampled_from([("value",), ("value", "other"), ("other", "level", "value")]),
    st.sampled_from([1.0, 3.0, 7.5]),
    st.sampled_from(["l1", "l2", "linf"]),
    st.sampled_from([None, 0.25, 1.0]),
)
QUANTILES = st.sampled_from(
    [
        Quantiles("value", (0.5,), (0, 10), granularity=2),
        Quantiles("value", (0.25, 0.9), (-3.5, 40)),
        Quantiles("other", (0.5,), (-2, 3), granularity=0.5),
    ]
)
DISTINCT = st.sampled_from([DistinctCount(name) for name in ("word", "level", "day", "device")])
KINDS = {
    "uses": st.just(Count()),
    "users": st.just(PrivacyUnitCount()),
    "first": SUMS,
    "second": SUMS,
    "total": TOTALS,
    "moments": MOMENTS,
    "spread": MOMENTS,
    "vector": VECTORS,
    "quantiles": QUANTILES,
    "values": DISTINCT,
    "more": DISTINCT,
}

OF_UNITS = ("users", "total")
"""Kinds that need privacy units."""


@st.composite
def tables(draw, guarantee=Guarantee(), kinds=tuple(KINDS), others=False):
    """A table over the columns of `SCHEMA`, with bounds of what the guarantee is about."""
    keys = draw(st.sampled_from([("word",), ("word", "day"), ("level",), ("day", "level", "word")]))
    allowed = [name for name in kinds if guarantee.bounding != "row" or name not in OF_UNITS]
    names = draw(st.sets(st.sampled_from(allowed), min_size=1, max_size=5))
    metrics = {name: draw(KINDS[name]) for name in sorted(names)}
    partitions = PrivateSelection(draw(st.sampled_from(["laplace", "weighted_gaussian"])))
    if not others and draw(st.booleans()):
        values = {
            "word": ["x", "z", "never"],
            "day": _DAYS[:2],
            "level": [0.0, float("inf"), 7.0],
        }
        frame = pl.DataFrame({keys[0]: pl.Series(values[keys[0]], dtype=SCHEMA[keys[0]])})
        for key in keys[1:]:
            column = pl.DataFrame({key: pl.Series(values[key], dtype=SCHEMA[key])})
            frame = frame.join(column, how="cross")
        partitions = PublicKeys(frame)
    adds_up = any(metric.adds_up for metric in metrics.values())
    return Table(keys, metrics, draw(bounds(guarantee)), partitions, other=others and adds_up)


@st.composite
def bounds(draw, guarantee):
    """L0 x Linf, L1, Linf or none."""
    if guarantee.bounding == "row":
        return Bounds()
    if guarantee.bounding == "unit_partition":
        return Bounds(1, draw(st.integers(1, 4)))
    if draw(st.booleans()):
        return Bounds(max_contributions=draw(st.integers(1, 6)))
    return Bounds(draw(st.integers(1, 4)), draw(st.integers(1, 4)))


GUARANTEES = st.builds(
    Guarantee,
    st.sampled_from(["add_remove", "replace"]),
    st.sampled_from(["unit", "unit", "unit_partition", "row"]),
)


@st.composite
def plans(draw, most=3, guarantees=GUARANTEES, kinds=tuple(KINDS), others=False):
    """The plans of one to `most` tables."""
    guarantee = draw(guarantees)
    chosen = draw(st.lists(tables(guarantee, kinds, others), min_size=1, max_size=most))
    named = {f"t{i}": table for i, table in enumerate(chosen)}
    return plan_tables(named, Budget(5.0, 1e-4), guarantee)


UNITS = st.sampled_from([("user",), ("device", "user")])


def arrow(rows):
    """Rows as an Arrow table."""
    return pl.DataFrame(rows, schema=SCHEMA).to_arrow()


def cut(rows, sizes):
    """Splits rows into pieces of the given sizes, and the rest."""
    pieces = []
    for size in sizes:
        pieces.append(rows[:size])
        rows = rows[size:]
    return [*pieces, rows]
