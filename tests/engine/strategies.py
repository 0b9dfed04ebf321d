"""Random rows, tables and ways to cut the input into pieces."""

from __future__ import annotations

import datetime

import polars as pl
from hypothesis import strategies as st

from transforms.budget import Budget
from transforms.metrics import Bounds, Count, PrivacyUnitCount, Sum
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, PublicKeys, Table

SCHEMA = {
    "user": pl.Int64,
    "device": pl.String,
    "word": pl.String,
    "day": pl.Date,
    "level": pl.Float64,
    "value": pl.Float64,
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
        Sum("value", clip_total=(-8, 20), granularity=0.01),
        Sum("value", clip_total=(0, 7.5), granularity=0.5),
    ]
)


@st.composite
def tables(draw):
    """A table over the columns of `SCHEMA`."""
    keys = draw(st.sampled_from([("word",), ("word", "day"), ("level",), ("day", "level", "word")]))
    names = draw(st.sets(st.sampled_from(["uses", "users", "first", "second"]), min_size=1))
    metrics = {}
    for name in sorted(names):
        kinds = {"uses": st.just(Count()), "users": st.just(PrivacyUnitCount())}
        metrics[name] = draw(kinds.get(name, SUMS))
    bounds = Bounds(draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    partitions = PrivateSelection()
    if draw(st.booleans()):
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
    return Table(keys, metrics, bounds, partitions)


@st.composite
def plans(draw, most=3):
    """The plans of one to `most` tables."""
    chosen = draw(st.lists(tables(), min_size=1, max_size=most))
    return plan_tables({f"t{i}": table for i, table in enumerate(chosen)}, Budget(1.0, 1e-6))


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
