"""Neighbouring data sets are no further apart than the plan says, by enumeration."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbours import assert_hidden, exact, things, without
from strategies import ROWS, UNITS, plans

from transforms.bounds import Guarantee
from transforms.hashing import HashKey

SECRETS = st.binary(min_size=16, max_size=16).map(HashKey)
ADJACENCIES = st.sampled_from(["add_remove", "replace"])
MOST_PAIRS = 40


def neighbours(rows, unit, plan, key):
    """Tables of pairs of data sets that differ in one thing."""
    found = things(rows, unit, plan.guarantee.bounding)
    reduced = [exact(without(rows, thing), unit, plan, key) for thing in found]
    if plan.guarantee.adjacency == "add_remove":
        everything = exact(rows, unit, plan, key)
        return [(everything, part) for part in reduced]
    return list(combinations(reduced, 2))[:MOST_PAIRS]


@pytest.mark.parametrize(
    ("bounding", "most_rows"), [("unit", 60), ("unit_partition", 30), ("row", 20)]
)
def test_neighbours_are_as_near_as_the_plan_says(bounding, most_rows):
    """One thing is there or not; or, where two may be missing, one instead of the other."""
    guarantees = st.builds(Guarantee, ADJACENCIES, st.just(bounding))

    @settings(max_examples=60, deadline=None)
    @given(
        rows=ROWS.map(lambda rows: rows[:most_rows]),
        unit=UNITS,
        planned=plans(most=1, guarantees=guarantees),
        key=SECRETS,
    )
    def check(rows, unit, planned, key):
        (plan,) = planned
        for before, after in neighbours(rows, unit, plan, key):
            assert_hidden(before, after, plan)

    check()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, more=ROWS, planned=plans(most=1), key=SECRETS)
def test_a_unit_may_be_replaced_by_any_other(rows, more, planned, key):
    """The rows of unit 0 become those of unit 99, which are no function of them."""
    (plan,) = planned
    if plan.guarantee.bounding != "unit":
        return
    others = [row for row in rows if row["user"] != 0]
    newcomer = [{**row, "user": 99} for row in more]
    tables = [exact(data, ("user",), plan, key) for data in (rows, others, others + newcomer)]
    if plan.guarantee.adjacency == "replace":
        assert_hidden(tables[0], tables[2], plan)
    else:
        assert_hidden(tables[0], tables[1], plan)
        assert_hidden(tables[1], tables[2], plan)


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, unit=UNITS, planned=plans(most=1))
def test_tables_add_up_over_units(rows, unit, planned):
    """What a unit adds does not depend on anybody else."""
    (plan,) = planned
    key = HashKey(b"a key only for tests")
    together = exact(rows, unit, plan, key)
    added = exact([], unit, plan, key)
    for thing in things(rows, unit, "unit"):
        alone = [rows[position] for position in sorted(thing)]
        for partition, values in exact(alone, unit, plan, key).items():
            before = added.get(partition)
            added[partition] = (
                values if before is None else {name: before[name] + values[name] for name in values}
            )
    assert together == added
