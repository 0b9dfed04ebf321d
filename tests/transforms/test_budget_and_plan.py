"""The plan: never more than the budget, sensitivities that hold, nothing that can overflow."""

import itertools
import json
import math
import re
from collections import Counter
from dataclasses import asdict, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from dp_accounting.pld import common
from dp_accounting.pld import privacy_loss_distribution as pld
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.accounting import GaussianLoss, LaplaceLoss, price
from transforms.accounting.gaussian import gaussian_delta
from transforms.accounting.losses import pure_sum
from transforms.bounding import UNITS
from transforms.bounds import MAX_L0, MAX_LINF, MAX_ROWS, MAX_SENSITIVITY, MAX_UNITS, Bounds
from transforms.budget import Budget, split
from transforms.grid import MAX_VALUE_GRANULES
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.mechanisms import (
    AdditiveMechanism,
    GeometricSelection,
    SelectionMechanism,
    ThresholdSelection,
)
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.noise import noise_scale, noise_std
from transforms.planning import plan_tables
from transforms.sensitivity import Sensitivity
from transforms.table import PrivateSelection, PublicKeys, Table

PUBLIC = PublicKeys(pl.DataFrame({"k": ["a", "b"]}))
GEOMETRIC = PrivateSelection("truncated_geometric")
LARGEST_NOISE = 2**47
"""Laplace noise of the largest scale, 2^40, is beyond this with probability exp(-128)."""


def one_table(budget, **options):
    options = {"keys": ["k"], "metrics": {"rows": Count()}, **options}
    (plan,) = plan_tables({"table": Table(**options)}, budget)
    return plan


def every_mechanism(plans):
    """From the fields that the engine uses, not from the list of the plan."""
    return [
        mechanism
        for plan in plans
        for mechanism in (
            plan.selection,
            *(
                noise.mechanism
                for metric in plan.metrics
                if metric.name != plan.noisy_count
                for noise in metric.noises
            ),
        )
        if mechanism is not None
    ]


def only(metric):
    """The mechanism of a metric that has one."""
    (mechanism,) = metric.mechanisms.values()
    return mechanism


def exact_sum(numbers):
    return sum(map(Fraction, numbers), Fraction(0))


# Splitting.

POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
WEIRD = st.one_of(
    POSITIVE,
    st.sampled_from([5e-324, 1e-300, 0.1, 1 / 3, 1.0, 3.0, 1e16 + 2, 1.7976931348623157e308]),
)


@given(total=st.one_of(WEIRD, st.just(0.0)), shares=st.lists(WEIRD, min_size=1, max_size=12))
@settings(deadline=None, max_examples=300, database=None)
def test_parts_never_add_up_to_more_than_the_total(total, shares):
    parts = split(total, dict(enumerate(shares)))
    assert list(parts) == list(range(len(shares)))
    assert all(part >= 0 for part in parts.values())
    assert exact_sum(parts.values()) <= Fraction(total)


@given(total=WEIRD, shares=st.lists(WEIRD, min_size=1, max_size=12))
@settings(deadline=None, max_examples=300, database=None)
def test_parts_are_proportional_to_the_last_digit(total, shares):
    parts = split(total, dict(enumerate(shares)))
    whole = exact_sum(shares)
    for share, part in zip(shares, parts.values(), strict=True):
        exact = Fraction(total) * Fraction(share) / whole
        assert Fraction(part) <= exact
        assert part == total or exact < Fraction(math.nextafter(part, math.inf))


@given(total=WEIRD, share=WEIRD)
@settings(deadline=None, database=None)
def test_the_only_part_is_the_total(total, share):
    assert split(total, {"only": share}) == {"only": total}


def test_rounding_to_nearest_would_overspend():
    """The property above has power: plain floats break it."""
    shares = dict.fromkeys(range(10), 1.0)
    assert exact_sum([0.1] * 10) > 1
    assert exact_sum(split(1.0, shares).values()) <= 1


# Division among mechanisms.

METRICS = st.sampled_from(
    [
        Count(),
        PrivacyUnitCount(),
        Sum("x", clip=(-3, 60)),
        Sum("x", clip=(0, 1), granularity=0.25),
        Sum("x", clip_total=(-7, 2)),
    ]
)
SHARES = st.floats(min_value=0.05, max_value=20)


@st.composite
def table_lists(draw):
    tables = {}
    for number in range(draw(st.integers(1, 3))):
        metrics = dict(enumerate(draw(st.lists(METRICS, min_size=1, max_size=3))))
        metrics = {f"m{key}": metric for key, metric in metrics.items()}
        strategy = draw(st.sampled_from(["truncated_geometric", "laplace", "gaussian", None]))
        spenders = [*metrics, "selection"] if strategy else [*metrics]
        tables[f"t{number}"] = Table(
            keys=["k"],
            metrics=metrics,
            bounds=Bounds(draw(st.integers(1, 9)), draw(st.integers(1, 9))),
            partitions=PrivateSelection(strategy) if strategy else PUBLIC,
            noise=draw(st.sampled_from(["laplace", "gaussian"])),
            share=draw(SHARES),
            shares=draw(st.dictionaries(st.sampled_from(spenders), SHARES)),
        )
    return tables


BUDGETS = st.builds(
    Budget,
    epsilon=st.floats(min_value=0.05, max_value=10),
    delta=st.floats(min_value=1e-7, max_value=1e-3),
)


@given(tables=table_lists(), budget=BUDGETS)
@settings(deadline=None, max_examples=25, database=None)
def test_plans_list_every_mechanism_and_use_the_budget_up(tables, budget):
    plans = plan_tables(tables, budget)
    assert [plan.name for plan in plans] == list(tables)
    for plan, table in zip(plans, tables.values(), strict=True):
        private = isinstance(table.partitions, PrivateSelection)
        assert [metric.name for metric in plan.metrics] == list(table.metrics)
        counted = [plan.noisy_count] if plan.noisy_count else []
        own = [name for name in table.metrics if name not in counted]
        assert list(plan.mechanisms) == [*["selection"] * private, *own]
        assert (plan.selection is not None) == private == (plan.public_keys is None)
    listed = [mechanism for plan in plans for mechanism in plan.mechanisms.values()]
    assert listed == every_mechanism(plans)

    # What PyDP is told, priced again: at most the budget, and nearly all of it.
    paid = price([loss for mechanism in listed for loss in mechanism.losses], budget.delta)
    assert 0.995 * budget.epsilon <= paid.epsilon <= budget.epsilon
    assert paid.lower <= budget.epsilon
    failed = math.fsum(m.delta for m in listed if isinstance(m, SelectionMechanism))
    assert failed <= budget.delta


@given(tables=table_lists(), epsilon=st.floats(min_value=0.05, max_value=10))
@settings(deadline=None, max_examples=20, database=None)
def test_epsilon_is_divided_by_table_and_then_by_mechanism(tables, epsilon):
    """Without delta, in parts; with delta and Laplace noise, in the same proportions."""
    tables = {name: replace(table, noise="laplace") for name, table in tables.items()}
    no_delta = all(isinstance(table.partitions, PublicKeys) for table in tables.values())
    all_tables = sum(table.share for table in tables.values())
    spent = {}
    for plan in plan_tables(tables, Budget(epsilon, 0.0 if no_delta else 1e-7)):
        table = tables[plan.name]
        names = list(plan.mechanisms)
        shares = {name: table.shares.get(name, 1.0) for name in names}
        of_both = [table.shares[n] for n in ("selection", plan.noisy_count) if n in table.shares]
        if plan.noisy_count and of_both:
            shares["selection"] = sum(of_both)
        inside = sum(shares.values())
        for name, mechanism in plan.mechanisms.items():
            part = table.share / all_tables * shares[name] / inside
            if not isinstance(getattr(mechanism, "noise", None), AdditiveMechanism):
                spent[plan.name, name] = float(pure_sum(mechanism.losses)) / part
            elif mechanism.strategy == "laplace":
                spent[plan.name, name] = mechanism.noise.loss.epsilon / part
    scale = min(spent.values())
    assert spent == pytest.approx(dict.fromkeys(spent, scale), rel=1e-9)
    assert scale >= epsilon * (1 - 1e-8) or any(
        isinstance(table.partitions, PrivateSelection) and table.partitions.strategy == "gaussian"
        for table in tables.values()
    )


def test_squares_of_gaussian_losses_are_divided_by_shares():
    table = Table(
        ["k"],
        {"n": Count(), "m": Count()},
        Bounds(3, 2),
        PUBLIC,
        noise="gaussian",
        shares={"n": 4},
    )
    (plan,) = plan_tables({"t": table}, Budget(1.0, 1e-6))
    mu = {name: mechanism.loss.mu for name, mechanism in plan.mechanisms.items()}
    assert mu["n"] == pytest.approx(2 * mu["m"], rel=1e-9)
    assert gaussian_delta(math.hypot(*mu.values()), 1.0) == pytest.approx(1e-6, rel=1e-6)


def test_delta_is_divided_among_the_selections_and_the_rest_is_for_noise():
    plans = plan_tables(
        {
            "private": Table(
                ["k"],
                {"rows": Count(), "users": PrivacyUnitCount()},
                partitions=GEOMETRIC,
                share=3,
            ),
            "other": Table(["k"], {"n": Count()}, partitions=PrivateSelection("gaussian")),
            "public": Table(["k"], {"rows": Count()}, partitions=PUBLIC),
        },
        Budget(1.0, 1e-6),
    )
    deltas = {plan.name: plan.selection.delta for plan in plans if plan.selection}
    # Shares: 3 * 1/3 for the selection of the first table, 1/2 for that of the second; a quarter
    # of delta, as there is Gaussian noise.
    assert deltas == pytest.approx({"private": 2.5e-7 * 2 / 3, "other": 2.5e-7 / 3})


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({}, "table.selection"),
        ({"noise": "gaussian"}, "table.selection"),
        ({"noise": "gaussian", "partitions": PUBLIC}, "table.rows"),
    ],
)
def test_delta_zero_is_refused_where_delta_is_needed(options, culprit):
    with pytest.raises(ValueError, match=rf"delta is 0, but {culprit} needs some; allowed: .*0"):
        one_table(Budget(1.0), **options)


def test_delta_zero_suffices_for_laplace_noise_and_public_keys():
    plan = one_table(Budget(1.0), partitions=PUBLIC)
    (mechanism,) = every_mechanism([plan])
    assert 1 - 1e-8 <= mechanism.loss.epsilon <= 1.0


def test_no_tables_are_refused():
    with pytest.raises(ValueError, match="at least one table"):
        plan_tables({}, Budget(1.0))


@pytest.mark.parametrize("partitions", [PUBLIC, PrivateSelection()])
def test_the_name_of_the_selection_cannot_hide_a_metric(partitions):
    """Otherwise both would get the same part of the budget, and it would be counted once."""
    with pytest.raises(ValueError, match="'selection' is no name for a metric; allowed"):
        Table(["k"], {"selection": Count()}, partitions=partitions)


# Sensitivity.

VALUES = [-9.0, 0.5, 40.0, math.nan, -math.inf]
SUMS = {
    "straddling": Sum("x", clip=(-3, 5), granularity=0.5),
    "mostly_negative": Sum("x", clip=(-5, 3), granularity=0.25),
    "negative": Sum("x", clip=(-5, -1), granularity=1),
    "positive": Sum("x", clip=(1, 5)),
    "rounded_clip": Sum("x", clip=(-0.25, 0.75), granularity=0.1),
    "total_straddling": Sum("x", clip_total=(-4, 2.5), granularity=0.5),
    "total_positive": Sum("x", clip_total=(0, 30), granularity=2),
    "total_negative": Sum("x", clip_total=(-30, -1)),
}
ALL_METRICS = {"rows": Count(), "users": PrivacyUnitCount(), **SUMS}
SCENARIOS = [
    rows
    for size in range(1, 5)
    for rows in itertools.combinations_with_replacement(
        list(itertools.product("abc", VALUES)), size
    )
]


def scenario_rows(with_the_unit):
    """Each scenario is a data set of its own: its number is part of every unit and every key.

    Two units are always there, a third one comes or not, with any four rows over three keys.
    """
    always = [("other", "a", 3.0), ("other", "b", -1.0), ("crowd", "a", 50.0), ("crowd", "a", 1.0)]
    records = []
    for number, rows in enumerate(SCENARIOS):
        records += [(number, *row) for row in always]
        if with_the_unit:
            records += [(number, "the unit", key, value) for key, value in rows]
    return pl.DataFrame(records, schema=["scenario", "unit", "k", "x"], orient="row").to_arrow()


def differences(plan, key):
    """What the third unit changes, per scenario and key, in one column per metric."""
    columns = {m.name: UNITS if m.name == "users" else m.name for m in plan.metrics}
    with_unit, without = (
        exact_partials(scenario_rows(present), ["scenario", "unit"], plan, key).select(
            *plan.keys, **{name: pl.col(column) for name, column in columns.items()}
        )
        for present in (True, False)
    )
    return (
        pl.concat([with_unit, without.with_columns(-pl.col(list(columns)))])
        .group_by(plan.keys)
        .agg(pl.col(list(columns)).sum())
    )


@pytest.mark.parametrize(("l0", "linf"), [(1, 1), (2, 2), (3, 1), (1, 4), (2, 1), (9, 9)])
@pytest.mark.parametrize("public", [False, True], ids=["private", "public"])
def test_no_neighbour_differs_by_more_than_the_sensitivity(l0, linf, public):
    """All data sets that differ by one unit of up to four rows: 3875 pairs of neighbours."""
    keys = "ab" if public else "abc"
    listed = [(number, key) for number in range(len(SCENARIOS)) for key in keys]
    frame = pl.DataFrame(listed, schema=["scenario", "k"], orient="row")
    (plan,) = plan_tables(
        {
            "table": Table(
                ["scenario", "k"],
                ALL_METRICS,
                Bounds(l0, linf),
                PublicKeys(frame) if public else PrivateSelection(),
            )
        },
        Budget(1.0, 1e-6),
    )
    changed = differences(plan, HashKey(b"0123456789abcdef"))
    names = list(ALL_METRICS)
    touched = changed.filter(pl.any_horizontal(pl.col(names) != 0)).group_by("scenario").len()
    assert touched["len"].max() <= l0
    norms = changed.group_by("scenario").agg(
        *(pl.col(name).abs().sum().alias(f"{name} l1") for name in names),
        *((pl.col(name) ** 2).sum().alias(f"{name} l2 squared") for name in names),
        *(pl.col(name).abs().max().alias(f"{name} linf") for name in names),
    )
    for planned in plan.metrics:
        name, mechanism = planned.name, only(planned)
        assert norms[f"{name} linf"].max() <= mechanism.linf
        assert norms[f"{name} l1"].max() <= mechanism.l1
        assert norms[f"{name} l2 squared"].max() <= Fraction(mechanism.l2) ** 2
        # With at most four rows on so many keys, the worst case is this, and it is attained.
        used_l0 = min(l0, len(keys))
        if used_l0 * linf <= 4:
            worst = mechanism.linf
            assert norms[f"{name} linf"].max() == worst, name
            assert norms[f"{name} l1"].max() == used_l0 * worst, name
            assert norms[f"{name} l2 squared"].max() == used_l0 * worst**2, name
    if not public:
        # The selection looks at the number of units only.
        assert norms["users linf"].max() == 1


def test_other_units_keep_their_contributions():
    """Whatever a unit adds, it adds to its own partitions: the others' choices do not move."""
    rng = np.random.default_rng(5)
    rows = pl.DataFrame({"unit": rng.integers(0, 40, 600), "k": rng.integers(0, 30, 600)})
    plan = one_table(Budget(1.0, 1e-6), bounds=Bounds(3, 2))
    key = HashKey.draw()
    everyone = exact_partials(rows.to_arrow(), ["unit"], plan, key)
    for unit in range(40):
        others = exact_partials(
            rows.filter(pl.col("unit") != unit).to_arrow(), ["unit"], plan, key
        ).with_columns(-pl.col("rows"))
        changed = pl.concat([everyone, others]).group_by("k").agg(pl.col("rows").sum())
        moved = changed.filter(pl.col("rows") != 0)["rows"]
        assert moved.min() > 0
        assert moved.max() <= 2
        assert len(moved) == 3


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Count(), 7),
        (PrivacyUnitCount(), 1),
        (Sum("x", clip=(-3, 5), granularity=0.5), 7 * 10),
        (Sum("x", clip=(-5, 3), granularity=0.5), 7 * 10),
        (Sum("x", clip=(2, 5), granularity=1), 7 * 5),
        (Sum("x", clip=(-0.25, 0.75), granularity=0.1), 7 * 8),
        (Sum("x", clip_total=(-8, 2), granularity=0.5), 16),
        (Sum("x", clip_total=(0, 3), granularity=1), 3),
    ],
)
def test_sensitivities(metric, expected):
    plan = one_table(Budget(1.0, 1e-6), metrics={"m": metric}, bounds=Bounds(4, 7))
    (mechanism,) = map(only, plan.metrics)
    assert (mechanism.l0, mechanism.linf) == (4, expected)
    assert mechanism.l1 == 4 * expected
    assert mechanism.l2 == pytest.approx(2 * expected, rel=1e-15)
    assert plan.selection.l0 == 4


@given(l0=st.integers(1, MAX_L0), linf=st.integers(1, MAX_SENSITIVITY))
@settings(deadline=None, max_examples=1000, database=None)
def test_l1_is_exact_or_rounded_up(l0, linf):
    mechanism = AdditiveMechanism.of(LaplaceLoss(1.0), Sensitivity(l0, linf))
    if l0 * linf <= 2**53:
        assert Fraction(mechanism.l1) == l0 * linf
    assert mechanism.l1 == pytest.approx(l0 * linf, rel=1e-15)


L2_ROUNDED = [(l0, linf) for l0 in range(1, 200) for linf in (*range(1, 60), 167_218, 999_983)]


def test_l2_is_rounded_up():
    for l0, linf in L2_ROUNDED:
        l2 = AdditiveMechanism.of(GaussianLoss(1.0), Sensitivity(l0, linf)).l2
        assert Fraction(l2) ** 2 >= l0 * linf**2, (l0, linf)


def test_l2_is_within_two_steps():
    for l0, linf in L2_ROUNDED:
        l2 = AdditiveMechanism.of(GaussianLoss(1.0), Sensitivity(l0, linf)).l2
        assert Fraction(l2 * (1 + 2**-51)) ** 2 >= l0 * linf**2
        assert Fraction(l2 * (1 - 2**-50)) ** 2 <= l0 * linf**2


# Overflow.


def test_limits_prove_that_int64_suffices():
    # One unit: the total of its rows, and the products of the rescaling.
    assert MAX_ROWS * MAX_VALUE_GRANULES < 2**63
    assert MAX_VALUE_GRANULES * MAX_LINF < 2**62
    assert 2 * MAX_ROWS * MAX_LINF + MAX_ROWS < 2**63
    # All units, and the noise on top.
    assert MAX_UNITS * MAX_SENSITIVITY + LARGEST_NOISE < 2**63
    # A value in granules travels as Int32.
    assert MAX_VALUE_GRANULES < 2**31


@pytest.mark.parametrize("name", ["clip", "clip_total"])
@pytest.mark.parametrize("sign", [1, -1])
def test_values_have_at_most_the_largest_number_of_granules(name, sign):
    def sum_up_to(largest, granularity):
        return Sum("x", granularity=granularity, **{name: tuple(sorted((0, sign * largest)))})

    assert max(map(abs, sum_up_to(MAX_VALUE_GRANULES, 1).grid.granules)) == MAX_VALUE_GRANULES
    half = sum_up_to(MAX_VALUE_GRANULES / 2, Decimal("0.5"))
    assert max(map(abs, half.grid.granules)) == MAX_VALUE_GRANULES
    with pytest.raises(ValueError, match=rf"allowed: at most {MAX_VALUE_GRANULES}, a granularity"):
        sum_up_to(MAX_VALUE_GRANULES + 1, 1)


@pytest.mark.parametrize("largest", [1e7, 1e9, 123_456_789])
def test_the_granularity_that_the_message_advises_is_allowed(largest):
    with pytest.raises(ValueError, match="granularity of at least") as refusal:
        Sum("x", clip=(0, largest), granularity=Decimal("0.1"))
    advice = re.search(r"granularity of at least (\S+)", str(refusal.value))[1]
    Sum("x", clip=(0, largest), granularity=Decimal(advice))


def test_a_sensitivity_that_could_overflow_is_refused():
    value, linf = 2**22, 2**7
    assert value * linf == MAX_SENSITIVITY + 1
    allowed = {"m": Sum("x", clip=(0, value), granularity=1)}
    plan = one_table(Budget(1.0), metrics=allowed, bounds=Bounds(1, linf - 1), partitions=PUBLIC)
    assert only(plan.metrics[0]).linf == MAX_SENSITIVITY + 1 - value
    with pytest.raises(
        ValueError,
        match=rf"metrics\.m can change by {value * linf} .*overflow; "
        rf"allowed: at most {MAX_SENSITIVITY}; choose a coarser granularity",
    ):
        one_table(Budget(1.0), metrics=allowed, bounds=Bounds(1, linf), partitions=PUBLIC)


def test_too_much_noise_is_refused_by_the_plan():
    with pytest.raises(ValueError, match="noise scale"):
        one_table(
            Budget(1e-9),
            metrics={"m": Sum("x", clip=(0, 2**22), granularity=1)},
            partitions=PUBLIC,
        )


def test_the_largest_values_add_up_exactly():
    """The sum of the unit's rows, rescaled: many rows at the limit, in all orders the same."""
    largest = Sum("x", clip=(-MAX_VALUE_GRANULES, MAX_VALUE_GRANULES), granularity=1)
    plan = one_table(Budget(1.0), metrics={"m": largest}, bounds=Bounds(1, 64), partitions=PUBLIC)
    rows = pl.DataFrame({"u": [1] * 5000 + [2] * 3, "k": ["a"] * 5003, "x": [1e300] * 5003})
    for signed in (rows, rows.with_columns(-pl.col("x")), rows.reverse()):
        partials = exact_partials(signed.to_arrow(), ["u"], plan, HashKey.draw())
        (total,) = partials.filter(pl.col("k") == "a")["m"]
        assert abs(total) == (64 + 3) * MAX_VALUE_GRANULES


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0, 60), "0.01"),
        ((0, 99.9), "0.01"),
        ((0, 100), "0.1"),
        ((-1000, 60), "1"),
        ((0, 1), "0.001"),
        ((-0.5, 0.25), "0.0001"),
        ((0, 999_999), "100"),
        ((0, 1e-7), "1e-10"),
    ],
)
@pytest.mark.parametrize("name", ["clip", "clip_total"])
def test_default_granularity_is_a_power_of_ten_at_most_a_thousandth(interval, expected, name):
    metric = Sum("x", **{name: interval})
    assert metric.step == Decimal(expected)
    largest = max(map(abs, metric.grid.granules))
    assert 1000 <= largest <= 10_000


# The price of the whole, by an accountant that shares no code with the plan.

INTERVAL = 1e-3
"""Step of the discretised privacy loss; rounding is upwards, by at most this per mechanism."""


def price_by_grid(plans, delta, noise_factor=1.0):
    """Epsilon at delta of all mechanisms, each in its worst case."""
    total = pld.identity(value_discretization_interval=INTERVAL)
    for mechanism in every_mechanism(plans):
        if isinstance(mechanism, GeometricSelection):
            each = mechanism.loss
            spent = common.DifferentialPrivacyParameters(each.epsilon, each.delta)
            part = pld.from_privacy_parameters(spent, value_discretization_interval=INTERVAL)
            total = total.compose(part.self_compose(each.times))
            continue
        if isinstance(mechanism, ThresholdSelection):
            spent = common.DifferentialPrivacyParameters(0.0, mechanism.delta)
            failure = pld.from_privacy_parameters(spent, value_discretization_interval=INTERVAL)
            total, mechanism = total.compose(failure), mechanism.noise
        if mechanism.noise == "laplace":
            part = pld.from_laplace_mechanism(
                noise_scale(mechanism) * noise_factor,
                sensitivity=mechanism.linf,
                value_discretization_interval=INTERVAL,
            ).self_compose(mechanism.l0)
        else:
            part = pld.from_gaussian_mechanism(
                noise_scale(mechanism) * noise_factor,
                sensitivity=math.sqrt(mechanism.l0) * mechanism.linf,
                value_discretization_interval=INTERVAL,
            )
        total = total.compose(part)
    # The slack is for what composition truncates: without it, delta 0 is never reached.
    return total.get_epsilon_for_delta(delta * (1 + 1e-9) + 1e-12)


@given(tables=table_lists(), budget=BUDGETS)
@settings(deadline=None, max_examples=15, database=None)
def test_the_whole_plan_costs_at_most_the_budget(tables, budget):
    plans = plan_tables(tables, budget)
    tolerance = INTERVAL * sum(mechanism.l0 for mechanism in every_mechanism(plans))
    assert price_by_grid(plans, budget.delta) <= budget.epsilon + tolerance


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_the_price_notices_noise_that_is_20_percent_too_small(noise):
    budget = Budget(1.0, 1e-6)
    plans = [one_table(budget, noise=noise, partitions=PUBLIC)]
    assert 0.98 < price_by_grid(plans, budget.delta) <= 1 + INTERVAL
    assert price_by_grid(plans, budget.delta, noise_factor=1 / 1.2) > 1.15
    assert price_by_grid(plans, budget.delta, noise_factor=1.2) < 0.9


def test_the_price_notices_a_budget_that_is_given_twice():
    budget = Budget(1.0, 1e-6)
    plan = one_table(budget, partitions=PUBLIC)
    assert price_by_grid([plan, plan], budget.delta) > 1.9


# Plans as data.


@given(tables=table_lists(), budget=BUDGETS)
@settings(deadline=None, max_examples=20, database=None)
def test_mechanisms_are_plain_data_from_which_the_noise_can_be_recomputed(tables, budget):
    for mechanism in every_mechanism(plan_tables(tables, budget)):
        data = json.loads(json.dumps(mechanism.to_dict(), allow_nan=False))
        kind, l1, l2 = data.pop("kind"), data.pop("l1", None), data.pop("l2", None)
        loss = data.pop("loss", None)
        if isinstance(mechanism, SelectionMechanism):
            assert kind == f"{mechanism.strategy}_selection"
        if isinstance(mechanism, GeometricSelection):
            assert loss == asdict(mechanism.loss)
            assert GeometricSelection(**data) == mechanism
            continue
        if isinstance(mechanism, ThresholdSelection):
            fields = {name: data["noise"][name] for name in ("noise", "scale", "l0", "linf")}
            data["noise"] = AdditiveMechanism(**fields)
            assert ThresholdSelection(**data) == mechanism
            continue
        assert kind == mechanism.noise
        again = AdditiveMechanism(**data)
        assert again == mechanism
        assert noise_std(again) == noise_std(mechanism)
        assert (l1, l2) == (mechanism.l1, mechanism.l2)
        assert loss == asdict(mechanism.loss)


def test_the_plan_says_noise_in_the_unit_of_the_column():
    plan = one_table(
        Budget(1.0),
        metrics={"m": Sum("x", clip=(0, 60), granularity=0.25)},
        partitions=PUBLIC,
    )
    (metric,) = plan.metrics
    (noise,) = metric.noises
    assert noise.component.granularity == Decimal("0.25")
    assert noise.std == pytest.approx(60 * math.sqrt(2), rel=1e-4)


def test_public_keys_are_in_the_order_of_the_keys():
    frame = pl.DataFrame({"b": [1, 2], "a": ["x", "y"]}, schema={"b": pl.Int8, "a": pl.String})
    plan = one_table(Budget(1.0), keys=["a", "b"], partitions=PublicKeys(frame))
    assert plan.public_keys.schema == {"a": pl.String, "b": pl.Int64}
    assert plan.public_keys.frame.rows() == [("x", 1), ("y", 2)]


def test_a_selection_that_pydp_cannot_draw_from_is_refused_before_rows_are_read():
    """Metrics have plenty, so that it is the selection that is refused."""
    table = Table(["k"], {"n": Count()}, partitions=PrivateSelection("laplace"), shares={"n": 1e20})
    with pytest.raises(ValueError, match=r"the noise scale is .* choose a coarser granularity or"):
        plan_tables({"t": table}, Budget(1.0, 1e-6))


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_more_epsilon_than_one_mechanism_may_have_is_divided_first(noise):
    metrics = {"a": Count(), "b": PrivacyUnitCount()}
    (plan,) = plan_tables(
        {"t": Table("k", metrics, partitions=PUBLIC, noise=noise)}, Budget(590.0, 1e-6)
    )
    assert all(metric.noises[0].mechanism.noise == noise for metric in plan.metrics)


@pytest.mark.parametrize("budget", [Budget(301.0), Budget(310.0, 1e-9)])
def test_more_epsilon_than_one_mechanism_may_have_is_refused(budget):
    with pytest.raises(ValueError, match=r"epsilon of t\.n is 3[01].*; allowed: .* at most 300"):
        plan_tables({"t": Table(["k"], {"n": Count()}, partitions=PUBLIC, noise="laplace")}, budget)


def test_the_same_tables_give_the_same_plan():
    tables = {"t": Table(["k"], ALL_METRICS, Bounds(3, 2), noise="gaussian")}
    first, second = (plan_tables(tables, Budget(1.0, 1e-6)) for _ in range(2))
    assert [plan.mechanisms for plan in first] == [plan.mechanisms for plan in second]
    assert Counter(first[0].mechanisms) == Counter(second[0].mechanisms)
