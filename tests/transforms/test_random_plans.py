"""Random plans of everything that the planner accepts: priced twice, and once more from the JSON.

The last price is `dp_accounting`'s alone, for the mechanisms as the JSON of a plan lists them, with
sensitivities and losses worked out here: nothing of ours takes part.
"""

import json
import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from dp_accounting.pld import common
from dp_accounting.pld import privacy_loss_distribution as pld
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipelines.plan import plan_release
from pipelines.plan.json_values import plan_to_dict
from pipelines.spec import load_release
from transforms import (
    Bounds,
    Budget,
    Count,
    DistinctCount,
    Guarantee,
    Mean,
    PrivacyUnitCount,
    PrivateSelection,
    PublicKeys,
    Quantiles,
    Sum,
    Table,
    Variance,
    VectorSum,
    ZcdpBudget,
)
from transforms.accounting import price
from transforms.planning import plan_tables

RECIPES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
PUBLIC = PublicKeys(pl.DataFrame({"k": ["a", "b"]}))
USED = 0.995
"""The least part of a budget that is used: no mechanism here comes near epsilon 300 or mu 25."""

SEARCH = 3e-3
"""How much noise may differ because the search for the scale stops when 99.95 % are used."""

STEPS = 20_000
"""Steps of the grid of losses per epsilon of the budget."""

METRICS = [
    Count(),
    PrivacyUnitCount(),
    DistinctCount("y"),
    Sum("x", clip=(-3, 60)),
    Sum("x", clip_total=(-7, 2)),
    Mean("x", clip=(0, 10)),
    Variance("x", clip=(0, 10)),
    Quantiles("x", ranks=(0.5, 0.9), clip=(0, 100)),
    VectorSum(("x", "y"), 5.0, norm="l2"),
    VectorSum(("x", "y"), 5.0, norm="l1"),
]
SELECTIONS = [
    None,
    *(PrivateSelection(name) for name in ("truncated_geometric", "laplace", "gaussian")),
    PrivateSelection("weighted_gaussian"),
    PrivateSelection("truncated_geometric", 5),
    PrivateSelection("laplace", 5),
    PrivateSelection("gaussian", 5),
]
AUTO = [*SELECTIONS, PrivateSelection("auto"), PrivateSelection("auto", 5)]
"""What is chosen can change with a budget, so that nothing is monotone."""

GUARANTEES = [
    Guarantee(*words)
    for words in product(("add_remove", "replace"), ("unit", "unit_partition", "row"))
]
SHARES = st.floats(0.1, 10)


def fits(metric, guarantee):
    """Without units there is nothing to count or to clip per unit."""
    per_unit = isinstance(metric, PrivacyUnitCount) or getattr(metric, "clip_total", None)
    return guarantee.bounding != "row" or not per_unit


@st.composite
def some_bounds(draw, guarantee):
    if guarantee.bounding == "row":
        return Bounds()
    if guarantee.bounding == "unit_partition":
        return Bounds(1, draw(st.integers(1, 9)))
    if draw(st.booleans()):
        return Bounds(draw(st.integers(1, 12)), draw(st.integers(1, 9)))
    return Bounds(max_contributions=draw(st.integers(1, 12)))


@st.composite
def releases(draw, auto):
    """Tables, and what they guarantee.

    Args:
        draw: Hypothesis.
        auto: Whether noise and selection may be left to be chosen.
    """
    noises = ["laplace", "gaussian", *(["auto"] if auto else [])]
    guarantee = draw(st.sampled_from(GUARANTEES))
    allowed = [metric for metric in METRICS if fits(metric, guarantee)]
    tables = {}
    for number in range(draw(st.integers(1, 3))):
        selection = draw(st.sampled_from(AUTO if auto else SELECTIONS))
        fewest = 1 if selection is None else 0
        chosen = draw(st.lists(st.sampled_from(allowed), min_size=fewest, max_size=3))
        metrics = {f"m{place}": metric for place, metric in enumerate(chosen)}
        other = (
            selection is not None
            and any(metric.adds_up for metric in chosen)
            and draw(st.booleans())
        )
        spenders = [*metrics, *(["selection"] if selection else []), *(["other"] if other else [])]
        tables[f"t{number}"] = Table(
            ["k"],
            metrics,
            draw(some_bounds(guarantee)),
            selection or PUBLIC,
            noise=draw(st.sampled_from(noises)),
            other=other,
            share=draw(SHARES),
            shares=draw(st.dictionaries(st.sampled_from(spenders), SHARES, max_size=3)),
        )
    return tables, guarantee


@st.composite
def budgets(draw, tables):
    delta = 10.0 ** draw(st.floats(-7, -3))
    if all(table.noise == "laplace" and table.partitions is PUBLIC for table in tables.values()):
        delta = draw(st.sampled_from([0.0, delta]))
    return Budget(draw(st.floats(0.05, 6)), delta)


@st.composite
def priced_releases(draw, auto=False):
    tables, guarantee = draw(releases(auto))
    return tables, guarantee, draw(budgets(tables))


def as_json(plans):
    """The mechanisms as a reader of the plan has them."""
    listed = [m.to_dict() for plan in plans for m in plan.mechanisms.values()]
    return json.loads(json.dumps(listed, allow_nan=False))


# Twice.


@given(release=priced_releases(auto=True))
@settings(deadline=None, max_examples=20, database=None)
def test_both_accountants_agree_on_a_price_that_uses_the_budget_up(release):
    """`price` raises an error where the two do not agree."""
    tables, guarantee, budget = release
    plans = plan_tables(tables, budget, guarantee)
    listed = [mechanism for plan in plans for mechanism in plan.mechanisms.values()]
    paid = price([loss for mechanism in listed for loss in mechanism.losses], budget.delta)
    assert USED * budget.epsilon <= paid.epsilon <= budget.epsilon
    assert paid.lower <= budget.epsilon
    assert paid.failed <= budget.delta


# Once more, from the JSON.


def lost_by_noise(mechanism):
    """The change in the norm of the noise, over its scale."""
    l0, linf = mechanism["l0"], mechanism["linf"]
    l1 = mechanism.get("total", l0 * linf)
    if mechanism["noise"] == "laplace":
        return l1 / mechanism["scale"]
    squares = min(l0 * linf**2, linf * l1, mechanism.get("squares", math.inf))
    return math.sqrt(squares) / mechanism["scale"]


def priced_by_library(mechanisms, budget, noise_factor=1.0):
    """Epsilon of the mechanisms at the budget's delta, and how far rounding may lift it."""
    step = budget.epsilon / STEPS
    total = pld.identity(value_discretization_interval=step)
    squares = pure = 0.0
    rounded = 0

    def compose(epsilon, delta, times=1):
        nonlocal total, rounded
        spent = common.DifferentialPrivacyParameters(epsilon, delta)
        one = pld.from_privacy_parameters(spent, value_discretization_interval=step)
        total = total.compose(one.self_compose(times))
        rounded += times

    for mechanism in mechanisms:
        if mechanism["kind"] == "truncated_geometric_selection":
            times = mechanism["l0"] * mechanism["changed"]
            each = -math.expm1(math.log1p(-mechanism["delta"]) / times)
            compose(mechanism["epsilon"] / times, each, times)
            continue
        noise = mechanism
        if mechanism["kind"].endswith("_selection"):
            compose(0.0, mechanism["delta"])
            noise = mechanism["noise"]
        lost = lost_by_noise(noise) / noise_factor
        if noise["noise"] == "gaussian":
            squares += lost**2
            continue
        pure += lost
        rounded += 1
        total = total.compose(
            pld.from_laplace_mechanism(1 / lost, value_discretization_interval=step)
        )
    if budget.delta == 0:
        assert not squares
        return pure, 1e-9 * pure
    if squares:
        one = pld.from_gaussian_mechanism(
            1 / math.sqrt(squares), value_discretization_interval=step
        )
        total = total.compose(one)
        rounded += 1
    return total.get_epsilon_for_delta(budget.delta), rounded * step


@given(release=priced_releases(auto=True))
@settings(deadline=None, max_examples=25, database=None)
def test_the_library_alone_prices_the_json_at_the_budget(release):
    tables, guarantee, budget = release
    listed = as_json(plan_tables(tables, budget, guarantee))
    found, rounding = priced_by_library(listed, budget)
    assert found <= budget.epsilon * 1.001 + rounding
    assert found >= USED * 0.999 * budget.epsilon


@pytest.mark.parametrize("config", RECIPES, ids=lambda file: file.stem)
def test_the_library_alone_prices_the_plans_of_all_recipes_at_their_budgets(config):
    made = json.loads(json.dumps(plan_to_dict(plan_release(load_release(config))), allow_nan=False))
    budget = Budget(made["epsilon"], made["delta"])
    listed = [m for table in made["tables"].values() for m in table["mechanisms"].values()]
    found, rounding = priced_by_library(listed, budget)
    assert USED * 0.999 * budget.epsilon <= found <= budget.epsilon * 1.001 + rounding


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("selection", [None, PrivateSelection("gaussian")])
def test_the_library_notices_noise_that_is_20_percent_off(noise, selection):
    budget = Budget(1.0, 1e-6)
    table = Table(["k"], {"n": Count()}, Bounds(3, 2), selection or PUBLIC, noise=noise)
    listed = as_json(plan_tables({"t": table}, budget))
    assert priced_by_library(listed, budget, 1 / 1.2)[0] > 1.15
    assert priced_by_library(listed, budget, 1.2)[0] < 0.9


# Monotone.


def scales(plans):
    """What makes the errors, per mechanism: the noise, or one over the epsilon of a selection."""
    found = {}
    for plan in plans:
        for name, mechanism in plan.mechanisms.items():
            told = mechanism.to_dict()
            noise = told["noise"] if isinstance(told.get("noise"), dict) else told
            found[plan.name, name] = noise["scale"] if "scale" in noise else 1 / noise["epsilon"]
    return found


def assert_not_less(after, before, names):
    for name in names:
        assert after[name] >= before[name] * (1 - SEARCH), name


def metrics_of(scale, table):
    return [name for name in scale if name[0] == table and name[1] != "selection"]


@given(release=priced_releases(), factor=st.floats(1.05, 3))
@settings(deadline=None, max_examples=20, database=None)
def test_more_epsilon_never_gives_more_noise(release, factor):
    tables, guarantee, budget = release
    less = scales(plan_tables(tables, budget, guarantee))
    more = Budget(budget.epsilon * factor, budget.delta)
    assert_not_less(less, scales(plan_tables(tables, more, guarantee)), less)


@given(release=priced_releases(), factor=st.floats(1.05, 3), data=st.data())
@settings(deadline=None, max_examples=20, database=None)
def test_a_larger_share_never_gives_more_noise(release, factor, data):
    tables, guarantee, budget = release
    assume(any(table.metrics for table in tables.values()))
    name = data.draw(st.sampled_from([name for name, table in tables.items() if table.metrics]))
    table = tables[name]
    metric = data.draw(st.sampled_from(list(table.metrics)))
    shares = {**table.shares, metric: table.shares.get(metric, 1.0) * factor}
    before = scales(plan_tables(tables, budget, guarantee))
    raised = {**tables, name: replace(table, shares=shares)}
    after = scales(plan_tables(raised, budget, guarantee))
    own = [key for key in metrics_of(before, name) if key[1].split(":")[0] == metric]
    assert_not_less(before, after, own)


@given(release=priced_releases(), factor=st.integers(2, 3))
@settings(deadline=None, max_examples=20, database=None)
def test_larger_bounds_never_give_less_noise(release, factor):
    tables, guarantee, budget = release
    assume(guarantee.bounding != "row")
    before = scales(plan_tables(tables, budget, guarantee))

    def larger(bounds):
        if bounds.max_contributions is not None:
            return Bounds(max_contributions=bounds.max_contributions * factor)
        l0, linf = bounds.l0_linf
        if guarantee.bounding == "unit_partition":
            return Bounds(1, linf * factor)
        return Bounds(l0 * factor, linf * factor)

    raised = {name: replace(table, bounds=larger(table.bounds)) for name, table in tables.items()}
    after = scales(plan_tables(raised, budget, guarantee))
    assert_not_less(after, before, [key for key in before if key[1] != "selection"])


@given(release=priced_releases(), data=st.data())
@settings(deadline=None, max_examples=12, database=None)
def test_one_more_metric_never_gives_less_noise_elsewhere(release, data):
    """Of pure budgets and those of rho, whose parts add up; else composition may gain more."""
    tables, guarantee, budget = release
    allowed = [metric for metric in METRICS if fits(metric, guarantee)]
    if budget.delta:
        budget = ZcdpBudget(budget.epsilon**2 / 10, budget.delta)
    name = data.draw(st.sampled_from(list(tables)))
    table = tables[name]
    metrics = {**table.metrics, "one_more": data.draw(st.sampled_from(allowed))}
    before = scales(plan_tables(tables, budget, guarantee))
    grown = {**tables, name: replace(table, metrics=metrics)}
    after = scales(plan_tables(grown, budget, guarantee))
    assert_not_less(after, before, [key for key in metrics_of(before, name) if key in before])
