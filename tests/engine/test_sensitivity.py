"""Removing one privacy unit moves the table by no more than the plan says, by enumeration."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import as_dict, metric_names
from strategies import ROWS, UNITS, arrow, plans

from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.metrics import PrivacyUnitCount


def exact(rows, unit, plan, key):
    return as_dict(exact_partials(arrow(rows), unit, plan, key), plan)


def is_nan(value):
    return isinstance(value, float) and math.isnan(value)


def without(rows, unit, who):
    return [row for row in rows if tuple(row[name] for name in unit) != who]


def units_of(rows, unit):
    found = {tuple(row[name] for name in unit) for row in rows}
    return [who for who in found if not any(value is None or is_nan(value) for value in who)]


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, unit=UNITS, planned=plans(most=1), secret=st.binary(min_size=16, max_size=16))
def test_a_unit_moves_l0_partitions_by_at_most_linf(rows, unit, planned, secret):
    (plan,) = planned
    key = HashKey(secret)
    with_all = exact(rows, unit, plan, key)
    for who in units_of(rows, unit):
        reduced = exact(without(rows, unit, who), unit, plan, key)
        assert set(reduced) <= set(with_all)
        zero = dict.fromkeys(metric_names(plan), 0)
        moves = {
            partition: {
                name: abs(values[name] - reduced.get(partition, zero)[name]) for name in values
            }
            for partition, values in with_all.items()
        }
        touched = [move for move in moves.values() if any(move.values())]
        assert (
            sum(move["users"] for move in moves.values()) <= plan.bounds.max_partitions_contributed
        )
        for planned_metric in plan.metrics:
            column = (
                "users"
                if isinstance(planned_metric.metric, PrivacyUnitCount)
                else planned_metric.name
            )
            mechanism = planned_metric.mechanism
            changes = [move[column] for move in touched]
            assert sum(change > 0 for change in changes) <= mechanism.l0
            assert max(changes, default=0) <= mechanism.linf
            assert sum(changes) <= mechanism.l1
            assert math.sqrt(sum(change**2 for change in changes)) <= mechanism.l2


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, unit=UNITS, planned=plans(most=1))
def test_tables_add_up_over_units(rows, unit, planned):
    """What a unit adds does not depend on anybody else."""
    (plan,) = planned
    key = HashKey(b"a key only for tests")
    together = exact(rows, unit, plan, key)
    added = exact([], unit, plan, key)
    for who in units_of(rows, unit):
        alone = [row for row in rows if tuple(row[name] for name in unit) == who]
        for partition, values in exact(alone, unit, plan, key).items():
            before = added.setdefault(partition, dict.fromkeys(values, 0))
            added[partition] = {name: before[name] + values[name] for name in values}
    assert together == added
