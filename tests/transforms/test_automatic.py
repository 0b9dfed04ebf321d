"""What `auto` stands for, against the plans of everything that it may stand for."""

import math
from dataclasses import replace
from typing import get_args

import polars as pl
import pytest

from transforms.automatic import choose
from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget, ZcdpBudget
from transforms.mechanisms import NoiseKind, SelectionStrategy
from transforms.metrics import Count, Mean, PrivacyUnitCount, Quantiles, Sum
from transforms.planning import plan_tables
from transforms.release_curve import selection_threshold
from transforms.table import PrivateSelection, PublicKeys, Table

PUBLIC = PublicKeys(pl.DataFrame({"k": ["a", "b"]}))
COUNT = {"rows": Count()}
USERS = {"users": PrivacyUnitCount()}
THREE = {**COUNT, **USERS, "total": Sum("x", clip=(0, 1))}
MANY = {**THREE, "mean": Mean("y", clip=(0, 9)), "q": Quantiles("z", (0.5,), (0, 9))}


def error(plan):
    """Geometric mean of the threshold and of the noise of each metric."""
    logs = [math.log(selection_threshold(plan.selection))] if plan.selection else []
    for metric in plan.metrics:
        stds = [noise.std / float(noise.component.granularity) for noise in metric.noises]
        logs.append(sum(map(math.log, stds)) / len(stds))
    return math.exp(math.fsum(logs) / len(logs))


def every_way(table):
    for noise in get_args(NoiseKind):
        if table.partitions is PUBLIC:
            yield replace(table, noise=noise)
            continue
        for strategy in get_args(SelectionStrategy):
            yield replace(table, noise=noise, partitions=PrivateSelection(strategy))


def planned_alone(table, budget, guarantee=Guarantee()):
    (plan,) = plan_tables({"t": table}, budget, guarantee)
    return plan


@pytest.mark.parametrize("partitions", [PrivateSelection(), PUBLIC], ids=["private", "public"])
@pytest.mark.parametrize("l0", [1, 4, 30])
@pytest.mark.parametrize("metrics", [COUNT, USERS, THREE, MANY], ids=["1", "units", "3", "many"])
@pytest.mark.parametrize(
    "budget", [Budget(0.5, 1e-8), Budget(6.0, 1e-6), ZcdpBudget(0.1, 1e-8)], ids=str
)
def test_hardly_any_other_choice_has_a_smaller_error(metrics, l0, partitions, budget):
    table = Table("k", metrics, Bounds(l0, 2), partitions)
    chosen = planned_alone(table, budget)
    errors = [error(planned_alone(other, budget)) for other in every_way(table)]
    assert error(chosen) <= 1.08 * min(errors)


@pytest.mark.parametrize("budget", [Budget(30.0, 1e-8), Budget(1.0, 1e-15)], ids=str)
def test_selection_whose_rounding_shows_is_not_chosen(budget):
    chosen = choose({"t": Table("k", COUNT, Bounds(1, 1))}, budget)["t"].partitions
    assert chosen.strategy in ("laplace", "gaussian", "weighted_gaussian")


def test_gaussian_noise_is_for_units_in_many_partitions():
    noises = {
        l0: choose({"t": Table("k", THREE, Bounds(l0, 1), PUBLIC)}, Budget(1.0, 1e-8))["t"].noise
        for l0 in (1, 100)
    }
    assert noises == {1: "laplace", 100: "gaussian"}


def test_what_is_given_stays():
    table = Table("k", THREE, Bounds(50, 1), PrivateSelection("laplace"), "laplace")
    given = choose({"t": table}, Budget(1.0, 1e-8))["t"]
    assert (given.noise, given.partitions) == ("laplace", PrivateSelection("laplace"))
    half = replace(table, noise="auto")
    chosen = choose({"t": half}, Budget(1.0, 1e-8))["t"]
    assert (chosen.noise, chosen.partitions.strategy) == ("gaussian", "laplace")


@pytest.mark.parametrize("budget", [Budget(1.0), Budget(40.0)])
def test_without_delta_noise_is_laplace(budget):
    chosen = choose({"t": Table("k", THREE, Bounds(100, 1), PUBLIC)}, budget)["t"]
    assert chosen.noise == "laplace"


def test_a_pre_threshold_needs_whole_units():
    table = Table("k", COUNT, Bounds(100, 1), PrivateSelection(pre_threshold=10), "laplace")
    chosen = choose({"t": table}, Budget(0.1, 1e-8))["t"].partitions
    assert chosen.strategy != "weighted_gaussian"
    assert chosen.pre_threshold == 10


def test_each_table_gets_its_own():
    tables = {
        "narrow": Table("k", USERS, Bounds(1, 1), PUBLIC),
        "wide": Table("k", USERS, Bounds(200, 1), PUBLIC, share=2),
    }
    chosen = choose(tables, Budget(1.0, 1e-8))
    assert {name: table.noise for name, table in chosen.items()} == {
        "narrow": "laplace",
        "wide": "gaussian",
    }
    assert chosen["wide"].share == 2


def test_pure_noise_beside_much_else_is_compared_by_its_zcdp():
    """With 40 equal tables epsilons need not be added up: Laplace noise stays the better one."""
    tables = {f"t{number}": Table("k", USERS, Bounds(2, 1), PUBLIC) for number in range(40)}
    chosen = choose(tables, Budget(1.0, 1e-8))
    plans = {
        noise: plan_tables(
            {name: replace(table, noise=noise) for name, table in tables.items()},
            Budget(1.0, 1e-8),
        )
        for noise in get_args(NoiseKind)
    }
    best = min(plans, key=lambda noise: error(plans[noise][0]))
    assert {table.noise for table in chosen.values()} == {best}


EXPECTED = {"rows": 1000.0, "users": 20.0, "total": 400.0}


def squared_errors(table, budget):
    plan = planned_alone(table, budget)
    stds = {metric.name: metric.noises[0].std for metric in plan.metrics}
    return math.fsum((stds[name] / number) ** 2 for name, number in EXPECTED.items())


@pytest.mark.parametrize("partitions", [PrivateSelection(), PUBLIC], ids=["private", "public"])
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("budget", [Budget(0.5, 1e-8), ZcdpBudget(0.1, 1e-8)], ids=str)
def test_automatic_shares_have_the_smallest_squared_errors(budget, noise, partitions):
    if partitions is not PUBLIC:
        partitions = PrivateSelection(noise)
    table = Table("k", THREE, Bounds(5, 2), partitions, noise, shares="auto", expect=EXPECTED)
    found = choose({"t": table}, budget)["t"].shares
    assert set(found) == set(EXPECTED)
    assert sum(found.values()) == pytest.approx(len(EXPECTED))
    best = squared_errors(table, budget)
    others = [dict.fromkeys(found, 1.0)]
    for name in found:
        others += [{**found, name: found[name] * factor} for factor in (0.7, 1.5)]
    for other in others:
        whole = sum(other.values()) / len(other)
        scaled = {name: share / whole for name, share in other.items()}
        assert best <= squared_errors(replace(table, shares=scaled), budget) * (1 + 1e-6)


def test_what_is_not_expected_keeps_its_share():
    table = Table("k", THREE, Bounds(5, 2), PUBLIC, shares="auto", expect={"rows": 10, "total": 10})
    shares = choose({"t": table}, Budget(1.0, 1e-8))["t"].spenders
    assert shares["users"] == 1
    assert shares["rows"] + shares["total"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shares": "auto"}, "shares: auto needs typical numbers of metrics; allowed: with expect"),
        ({"expect": {"none": 1}}, "expect names 'none'; allowed: counts and sums of the table"),
        ({"expect": {"mean": 1}}, "expect names 'mean'; allowed: counts and sums of the table"),
        ({"expect": {"rows": 0}}, "rows is expected to be 0; allowed: a finite number above 0"),
    ],
)
def test_expected_numbers_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Table("k", MANY, **options)
