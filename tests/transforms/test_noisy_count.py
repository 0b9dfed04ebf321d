"""Where selection compares the released number of privacy units, both are one mechanism."""

import numpy as np
import polars as pl
import pytest

from transforms import local
from transforms.accounting import FailureLoss, price
from transforms.bounds import Bounds, Guarantee
from transforms.budget import Budget
from transforms.draw import draw
from transforms.hashing import HashKey
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.noise import noise_std, select_and_count
from transforms.planning import plan_tables
from transforms.table import PrivateSelection, Table
from transforms.threshold_selection import COUNT_GRANULES, threshold

BUDGET = Budget(1.0, 1e-6)
METRICS = {"rows": Count(), "users": PrivacyUnitCount(), "total": Sum("x", clip=(0, 1))}
BOUNDS = Bounds(3, 2)


def planned(noise="gaussian", strategy=None, metrics=METRICS, guarantee=Guarantee(), **options):
    partitions = PrivateSelection(strategy or noise, options.pop("pre_threshold", None))
    table = Table("k", metrics, BOUNDS, partitions, noise, **options)
    (plan,) = plan_tables({"t": table}, BUDGET, guarantee)
    return plan


def partials_of(plan, sizes):
    """Exact sums of partitions with so many units of one row each."""
    keys = np.repeat(np.arange(len(sizes)), sizes)
    rows = pl.DataFrame({"u": np.arange(len(keys)), "k": keys, "x": np.ones(len(keys))})
    return local.exact_partials(rows.to_arrow(), ("u",), plan, HashKey.draw())


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("adjacency", ["add_remove", "replace"])
def test_the_noise_of_the_count_is_that_of_the_selection_and_is_priced_once(noise, adjacency):
    plan = planned(noise, guarantee=Guarantee(adjacency))
    assert plan.noisy_count == "users"
    assert list(plan.mechanisms) == ["selection", "rows", "total"]
    of_users = plan.metrics[1].noises[0].mechanism
    assert of_users.scale == plan.selection.noise.scale / COUNT_GRANULES
    assert of_users.loss == plan.selection.noise.loss
    assert FailureLoss(plan.selection.delta) in plan.selection.losses
    losses = [loss for mechanism in plan.mechanisms.values() for loss in mechanism.losses]
    assert 0.995 * BUDGET.epsilon <= price(losses, BUDGET.delta).epsilon <= BUDGET.epsilon


@pytest.mark.parametrize(
    ("noise", "strategy", "metrics"),
    [
        ("gaussian", "laplace", METRICS),
        ("gaussian", "truncated_geometric", METRICS),
        ("gaussian", "weighted_gaussian", METRICS),
        ("gaussian", "gaussian", {"rows": Count()}),
    ],
)
def test_other_noise_or_no_count_is_a_mechanism_of_its_own(noise, strategy, metrics):
    plan = planned(noise, strategy, metrics)
    assert plan.noisy_count is None
    assert list(plan.mechanisms) == ["selection", *metrics]


def test_before_noise_and_selection_are_chosen_there_is_none():
    assert Table("k", METRICS).noisy_count is None
    assert list(Table("k", METRICS).spenders) == ["selection", *METRICS]


def test_only_the_first_of_several_counts_is_that_of_the_selection():
    plan = planned(metrics={"users": PrivacyUnitCount(), "again": PrivacyUnitCount()})
    assert plan.noisy_count == "users"
    assert list(plan.mechanisms) == ["selection", "again"]


@pytest.mark.parametrize(
    ("shares", "part"),
    [
        ({}, 1 / 3),
        ({"users": 4}, 4 / 6),
        ({"selection": 2}, 2 / 4),
        ({"selection": 2, "users": 4}, 6 / 8),
    ],
)
def test_both_have_the_shares_that_are_given_of_both(shares, part):
    plan = planned(shares=shares)
    squares = {name: m.losses[0].mu ** 2 for name, m in plan.mechanisms.items()}
    assert squares["selection"] / sum(squares.values()) == pytest.approx(part, rel=1e-9)


@pytest.mark.parametrize("pre_threshold", [None, 5])
@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_released_counts_are_the_numbers_that_were_compared(monkeypatch, noise, pre_threshold):
    """With a draw of known noise: what is released is the exact number and that noise, rounded."""
    plan = planned(noise, metrics={"users": PrivacyUnitCount()}, pre_threshold=pre_threshold)
    least = threshold(plan.selection)
    shift = (pre_threshold or 1) - 1
    sizes = list(range(1, 400))
    shown = np.array([size - shift for size in sizes])
    drawn = np.random.default_rng(7).integers(-least, least, len(sizes))
    calls = []

    def known_noise(values, mechanism):
        calls.append(mechanism)
        return values + drawn

    monkeypatch.setattr("transforms.noise.add_noise", known_noise)
    partials = partials_of(plan, sizes).sort("users")
    assert partials["users"].to_list() == sizes
    done = draw(partials, plan).drawn
    assert calls == [plan.selection.noise]
    noisy = np.maximum(shown, 0) * COUNT_GRANULES + drawn
    kept = (shown > 0) & (noisy >= least)
    expected = [round(number / COUNT_GRANULES + 1e-9) + shift for number in noisy[kept]]
    assert done["users"].to_list() == expected
    assert 10 < kept.sum() < 390


def test_every_released_count_is_at_least_the_threshold():
    plan = planned()
    least = threshold(plan.selection) // COUNT_GRANULES
    done = draw(partials_of(plan, [least] * 300), plan).drawn
    assert 60 < done.height < 240
    assert done["users"].min() >= least


@pytest.mark.statistical
def test_the_stated_std_is_that_of_the_released_counts():
    """Of partitions far above the threshold; false alarm rate 1e-7 with n = 20,000 draws.

    The sample variance of nearly Gaussian noise deviates by less than 5.4 sqrt(2 / n) < 5.5 %.
    """
    plan = planned()
    units = np.full(20_000, 5_000)
    kept, noisy = select_and_count(units, plan.selection)
    assert kept.all()
    stated = noise_std(plan.metrics[1].noises[0].mechanism)
    assert np.var(noisy - units) == pytest.approx(stated**2, rel=0.055)


def test_one_draw_for_both_is_less_noise_for_everything():
    joint, apart = planned(), planned(strategy="laplace")
    for metric, other in zip(joint.metrics, apart.metrics, strict=True):
        assert metric.noises[0].std < other.noises[0].std
