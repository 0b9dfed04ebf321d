"""The row of other partitions: what it holds, what one unit can do to it, and that it is one."""

import random
from fractions import Fraction

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbours import distances, things, without
from oracle import as_dict
from strategies import ROWS, arrow, plans

import transforms as dp
from transforms.bounding import UNITS, add_up_others, without_keys
from transforms.bounds import Guarantee
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.mechanisms import AdditiveMechanism

KEY = HashKey(b"a key only for tests")
CERTAIN = dp.Budget(1000.0, 0.5)


def other_of(rows, plan, selected):
    """Exact sums of all partitions but the selected ones."""
    partials = exact_partials(arrow(rows), ("user",), plan, KEY)
    left_out = [row not in selected for row in partials.select(plan.keys).rows()]
    return add_up_others(
        [without_keys(partials.filter(pl.Series(left_out, dtype=pl.Boolean)), plan)], plan
    )


def assert_other_hidden(before, after, plan):
    moved = distances(as_dict(before, plan), as_dict(after, plan), plan)
    for name, sizes in moved.items():
        mechanism = plan.mechanisms.get(f"other:{name}")
        if not isinstance(mechanism, AdditiveMechanism):
            continue
        assert len(sizes) <= mechanism.l0, name
        assert max(map(abs, sizes), default=0) <= mechanism.linf, name
        assert sum(map(abs, sizes)) <= mechanism.l1, name
        assert sum(size**2 for size in sizes) <= Fraction(mechanism.l2) ** 2, name


GUARANTEES = st.builds(
    Guarantee,
    st.just("add_remove"),
    st.sampled_from(["unit", "unit", "unit_partition", "row"]),
)


@settings(max_examples=80, deadline=None)
@given(
    rows=ROWS.map(lambda rows: rows[:40]),
    planned=plans(most=1, guarantees=GUARANTEES, others=True),
    seed=st.integers(0, 99),
)
def test_no_unit_moves_the_other_row_by_more_than_the_plan_says(rows, planned, seed):
    """Whatever partitions were selected: the selection is released, and the same for both."""
    (plan,) = planned
    partitions = exact_partials(arrow(rows), ("user",), plan, KEY).select(plan.keys).rows()
    generator = random.Random(seed)
    for selected in (set(), {row for row in partitions if generator.random() < 0.5}):
        everything = other_of(rows, plan, selected)
        for thing in things(rows, ("user",), plan.guarantee.bounding):
            assert_other_hidden(everything, other_of(without(rows, thing), plan, selected), plan)


@pytest.mark.parametrize("bounds", [dp.Bounds(3, 2), dp.Bounds(max_contributions=6)])
@pytest.mark.parametrize("metric", [dp.Count(), dp.Sum("value", clip=(-5, 2), granularity=1)])
def test_a_unit_with_nothing_selected_reaches_the_bound(bounds, metric):
    table = dp.Table(["word"], {"n": metric}, bounds, other=True)
    (plan,) = dp.plan_tables({"t": table}, dp.Budget(1.0, 1e-6))
    row = {"device": "a", "day": None, "level": 1.0, "value": -9.0, "other": None}
    rows = [{"user": 1, "word": word, **row} for word in "abcdefg" for _ in range(4)]
    moved = other_of(rows, plan, set())["n"][0] - other_of([], plan, set())["n"][0]
    assert abs(moved) == plan.mechanisms["other:n"].linf == plan.mechanisms["other:n"].l1


ROWS_OF_WORDS = [
    {"user": user, "word": word, "seconds": 2.0}
    for word, users in (("common", 90), ("usual", 60), ("rare", 1), ("odd", 1), ("queer", 1))
    for user in range(users)
]
WORDS = dp.Table(
    ["word"],
    {"uses": dp.Count(), "users": dp.PrivacyUnitCount(), "time": dp.Sum("seconds", clip=(0, 5))},
    dp.Bounds(5, 1),
    dp.PrivateSelection("laplace", 20),
    other=True,
)


def run(tables, plan, *options):
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", *options])) as pipeline:
        rows = pipeline | beam.Create(tables)
        drawn = (rows | dp.DrawTables(["user"], (plan,), KEY, partition_shards=3))[plan.name]
        for sink in ("one", "two"):
            _ = drawn | sink >> beam.Map(keep)
    collected, OUT[:] = list(OUT), []
    return pl.concat(collected, how="vertical_relaxed") if collected else None


OUT = []


def keep(table):
    OUT.append(pl.DataFrame(table))


def test_selected_rows_and_the_other_row_are_all_that_was_bounded():
    (plan,) = dp.plan_tables({"t": WORDS}, CERTAIN)
    drawn = run([pl.DataFrame(ROWS_OF_WORDS).to_arrow()], plan).unique()
    words = drawn["word"].to_list()
    assert sorted(words, key=str) == [None, "common", "usual"]
    exact = exact_partials(pl.DataFrame(ROWS_OF_WORDS).to_arrow(), ("user",), plan, KEY)
    for column in ("uses", "time"):
        assert abs(drawn[column].sum() - exact[column].sum()) <= (5 if column == "uses" else 30_000)
    other = drawn.filter(pl.col("word").is_null())
    assert abs(other["uses"][0] - exact.filter(pl.col(UNITS) == 1)["uses"].sum()) <= 3
    assert other["users"][0] is None


@pytest.mark.parametrize("pieces", [1, 4])
def test_the_other_row_is_one_and_drawn_once(pieces):
    """Every bundle runs twice and two sinks consume the draw."""
    (plan,) = dp.plan_tables({"t": WORDS}, dp.Budget(1.0, 1e-6))
    frame = pl.DataFrame(ROWS_OF_WORDS)
    tables = [frame[start::pieces].to_arrow() for start in range(pieces)]
    drawn = run(tables, plan, "--direct_runner_bundle_repeat=2")
    others = drawn.filter(pl.col("word").is_null())
    assert others.height > 1
    assert others.unique().height == 1


def test_an_empty_input_has_an_other_row():
    (plan,) = dp.plan_tables({"t": WORDS}, CERTAIN)
    empty = pl.DataFrame(schema={"user": pl.Int64, "word": pl.String, "seconds": pl.Float64})
    released = run([empty.to_arrow()], plan)
    assert released is not None
    drawn = released.unique()
    assert drawn.height == 1
    assert drawn["word"].to_list() == [None]
    assert abs(drawn["uses"][0]) <= 3
