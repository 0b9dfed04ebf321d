"""The same numbers as `pipeline_dp.DPEngine`, where both libraries bound the same thing.

Where a bound binds, PipelineDP samples at random, so those data are such that every sample gives
the same result.
"""

from __future__ import annotations

import math
from decimal import Decimal

import pipeline_dp
import polars as pl
import pytest
from no_noise import select_from, without_noise
from pipeline_dp import dp_computations
from pipeline_dp.budget_accounting import MechanismSpec
from pipeline_dp.dp_computations import Sensitivities, create_additive_mechanism
from pipeline_dp.partition_selection import create_partition_selection_strategy

import transforms as dp
from transforms.accounting import GaussianLoss, LaplaceLoss
from transforms.accounting.gaussian import gaussian_delta, gaussian_mu
from transforms.bounds import Bounds
from transforms.mechanisms import GeometricSelection
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.noise import release_probability
from transforms.planning import plan_tables
from transforms.release_curve import selection_threshold
from transforms.table import PublicKeys, Table
from transforms.threshold_selection import threshold_selection

EPSILON = 1e7
"""Of PipelineDP's releases. The scale of the noise on any number below is less than 1e-3."""

DELTA = 1e-9
"""Probability that some partition of a single unit shows; others show almost surely."""

NOISES = {
    "laplace": pipeline_dp.NoiseKind.LAPLACE,
    "gaussian": pipeline_dp.NoiseKind.GAUSSIAN,
}
STRATEGIES = {
    "truncated_geometric": pipeline_dp.PartitionSelectionStrategy.TRUNCATED_GEOMETRIC,
    "laplace": pipeline_dp.PartitionSelectionStrategy.LAPLACE_THRESHOLDING,
    "gaussian": pipeline_dp.PartitionSelectionStrategy.GAUSSIAN_THRESHOLDING,
}
METRICS = [
    pipeline_dp.Metrics.COUNT,
    pipeline_dp.Metrics.PRIVACY_ID_COUNT,
    pipeline_dp.Metrics.SUM,
]


def theirs(rows, *, metrics=METRICS, public=None, **parameters):
    """PipelineDP's release: {key: (count, users, sum)} of the metrics asked for, rounded."""
    budget = pipeline_dp.NaiveBudgetAccountant(total_epsilon=EPSILON, total_delta=DELTA)
    engine = pipeline_dp.DPEngine(budget, pipeline_dp.LocalBackend())
    released = engine.aggregate(
        rows,
        pipeline_dp.AggregateParams(metrics=metrics, **parameters),
        pipeline_dp.DataExtractors(
            privacy_id_extractor=lambda row: row[0],
            partition_extractor=lambda row: row[1],
            value_extractor=lambda row: row[2],
        ),
        public_partitions=public,
    )
    budget.compute_budgets()
    names = [name for name in ("count", "privacy_id_count", "sum") if name in str(metrics).lower()]
    return {key: tuple(round(getattr(row, name), 1) for name in names) for key, row in released}


def ours(rows, bounds, *, noise, metric, public=None, strategy="truncated_geometric"):
    """Our release in the same form, without noise; a partition of one unit does not show."""
    partitions = dp.PrivateSelection(strategy)
    if public is not None:
        partitions = PublicKeys(pl.DataFrame({"key": public}))
    with pytest.MonkeyPatch.context() as patch:
        without_noise(patch)
        select_from(patch, 2)
        released = dp.aggregate(
            pl.DataFrame(rows, schema=["unit", "key", "value"], orient="row"),
            unit=["unit"],
            keys=["key"],
            metrics={"count": Count(), "users": PrivacyUnitCount(), "sum": metric},
            budget=dp.Budget(1.0, DELTA),
            bounds=bounds,
            partitions=partitions,
            noise=noise,
        )
    numbers = released.select("key", "count", "users", pl.col("sum").round(1))
    return {key: tuple(row) for key, *row in numbers.iter_rows()}


def plain(rows, clip, keys):
    """The exact group-by of the keys, with clipped values."""
    low, high = clip
    return {
        key: (
            sum(row[1] == key for row in rows),
            len({row[0] for row in rows if row[1] == key}),
            round(sum(min(high, max(low, row[2])) for row in rows if row[1] == key), 1),
        )
        for key in keys
    }


# No bound binds

LOOSE = [
    (f"unit {unit}", f"key {key}", (unit * 7 + key * 3 + again) % 11 - 4 + 0.5)
    for unit in range(30)
    for key in range(5)
    for again in range((unit + key) % 4)
]
ALONE = ("unit 0", "key of one", 3.5)
SHARED = [f"key {key}" for key in range(5)]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_private_partitions_agree_when_no_bound_binds(noise, strategy):
    """False alarms: below 1e-8, that a partition of one unit shows.

    At this epsilon PyDP's Gaussian thresholding, of both libraries, has no noise at all and a
    threshold of 1, so that the partition of one unit is left out there.
    """
    rows = LOOSE if strategy == "gaussian" else [*LOOSE, ALONE]
    found = theirs(
        rows,
        noise_kind=NOISES[noise],
        partition_selection_strategy=STRATEGIES[strategy],
        max_partitions_contributed=6,
        max_contributions_per_partition=3,
        min_value=-2,
        max_value=5,
    )
    metric = Sum("value", clip=(-2, 5), granularity=0.5)
    assert found == plain(rows, (-2, 5), SHARED)
    assert ours(rows, Bounds(6, 3), noise=noise, metric=metric, strategy=strategy) == found


@pytest.mark.parametrize("noise", NOISES)
def test_public_partitions_agree_when_no_bound_binds(noise):
    public = ["key 1", "key 3", "key of one", "key of nobody"]
    rows = [*LOOSE, ALONE]
    found = theirs(
        rows,
        public=public,
        noise_kind=NOISES[noise],
        max_partitions_contributed=3,
        max_contributions_per_partition=3,
        min_value=-2,
        max_value=5,
    )
    metric = Sum("value", clip=(-2, 5), granularity=0.5)
    assert found == plain(rows, (-2, 5), public)
    assert ours(rows, Bounds(3, 3), noise=noise, metric=metric, public=public) == found


# At the bounds

CROWDED = [
    (f"unit {unit}", f"key {(unit + key) % 6}", unit / 2 - 5)
    for unit in range(24)
    for key in range(3)
    for _ in range(1 + 2 * (unit % 4))
]
"""Every unit is in 3 partitions, with 1 to 7 rows of one value in each."""
KEYS = [f"key {key}" for key in range(6)]


@pytest.mark.parametrize("linf", [1, 2, 4])
@pytest.mark.parametrize("public", [None, KEYS], ids=["private", "public"])
def test_tables_agree_when_units_reach_every_bound(linf, public):
    """Rescaling and sampling rows agree as all rows of a unit are equal; false alarms: none."""
    found = theirs(
        CROWDED,
        public=public,
        max_partitions_contributed=3,
        max_contributions_per_partition=linf,
        min_value=-3,
        max_value=4,
    )
    metric = Sum("value", clip=(-3, 4), granularity=0.5)
    assert ours(CROWDED, Bounds(3, linf), noise="laplace", metric=metric, public=public) == found
    assert found != plain(CROWDED, (-3, 4), KEYS)


def test_rows_outside_the_public_list_do_not_use_up_bounds():
    others = [(unit, f"other {key}", 1.0) for unit, _, _ in CROWDED for key in range(4)]
    rows = [*others, *CROWDED]
    found = theirs(
        rows,
        public=KEYS,
        max_partitions_contributed=3,
        max_contributions_per_partition=2,
        min_value=-3,
        max_value=4,
    )
    metric = Sum("value", clip=(-3, 4), granularity=0.5)
    assert ours(rows, Bounds(3, 2), noise="laplace", metric=metric, public=KEYS) == found


def test_totals_of_a_unit_are_clipped_alike():
    found = theirs(
        CROWDED,
        metrics=[pipeline_dp.Metrics.SUM],
        public=KEYS,
        max_partitions_contributed=3,
        max_contributions_per_partition=7,
        min_sum_per_partition=-6,
        max_sum_per_partition=15,
    )
    metric = Sum("value", clip_total=(-6, 15), granularity=0.5)
    released = ours(CROWDED, Bounds(3, 1), noise="laplace", metric=metric, public=KEYS)
    assert {key: (values[2],) for key, values in released.items()} == found


def test_crowds_beyond_l0_add_up_to_as_much():
    """Which partitions are kept is random in both; how many of each unit is not."""
    found = theirs(
        CROWDED,
        public=KEYS,
        max_partitions_contributed=2,
        max_contributions_per_partition=1,
        min_value=1,
        max_value=1,
    )
    metric = Sum("value", clip=(1, 1), granularity=1)
    released = ours(CROWDED, Bounds(2, 1), noise="laplace", metric=metric, public=KEYS)
    for table in (found, released):
        assert [sum(column) for column in zip(*table.values(), strict=True)] == [48, 48, 48]


# Noise

CASES = [
    (epsilon, delta, l0, linf)
    for epsilon in (0.1, 1.0, 3.0)
    for delta in (1e-10, 1e-6)
    for l0, linf in ((1, 1), (4, 1), (1, 9), (8, 5))
]


def their_sensitivities(parameters):
    return {
        "count": dp_computations.compute_sensitivities_for_count(parameters),
        "users": dp_computations.compute_sensitivities_for_privacy_id_count(parameters),
        "sum": dp_computations.compute_sensitivities_for_sum(parameters),
    }


def without_rounding(planned_noise):
    """The std of our noise before it is rounded to whole granules: far above one granule here."""
    granule = float(planned_noise.component.granularity)
    return math.sqrt(planned_noise.std**2 - granule**2 / 12)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("epsilon", "delta", "l0", "linf"), CASES)
@pytest.mark.parametrize("clip", [(0, 60), (-80, 20), (-5, -1)], ids=str)
def test_noise_is_as_wide(noise, epsilon, delta, l0, linf, clip):
    """Within 1e-3 for the same epsilon and delta per mechanism, apart from our rounding.

    Rounding adds 1 / 12 to the variance of noise that is wide against a granule, and less than a
    tenth of a granule squared over the std to the std of noise that is not.
    """
    step = Decimal("0.001")
    metrics = {
        "count": Count(),
        "users": PrivacyUnitCount(),
        "sum": Sum("x", clip=clip, granularity=step),
    }
    table = Table(
        ["k"], metrics, Bounds(l0, linf), PublicKeys(pl.DataFrame({"k": ["a"]})), noise=noise
    )
    (plan,) = plan_tables({"t": table}, dp.Budget(3 * epsilon, 3 * delta * (noise == "gaussian")))
    parameters = pipeline_dp.AggregateParams(
        metrics=METRICS,
        noise_kind=NOISES[noise],
        max_partitions_contributed=l0,
        max_contributions_per_partition=linf,
        min_value=clip[0],
        max_value=clip[1],
    )
    for planned in plan.metrics:
        (planned_noise,) = planned.noises
        mechanism = planned_noise.mechanism
        spec = MechanismSpec(NOISES[noise].convert_to_mechanism_type())
        if noise == "laplace":
            assert mechanism.loss.epsilon == pytest.approx(epsilon, rel=1e-8)
            spec.set_eps_delta(epsilon, 0)
        else:
            # Our metrics share a mechanism, so each has less noise than with its part of a sum.
            assert mechanism.loss.mu > gaussian_mu(epsilon, delta)
            spec.set_eps_delta(epsilon, gaussian_delta(mechanism.loss.mu, epsilon))
        sensitivities = their_sensitivities(parameters)[planned.name]
        their_std = create_additive_mechanism(spec, sensitivities).std
        rounding = float(planned_noise.component.granularity) / their_std
        if rounding < 0.5:
            assert without_rounding(planned_noise) == pytest.approx(their_std, rel=4e-3)
        assert planned_noise.std == pytest.approx(their_std, rel=4e-3 + rounding**2 / 10)


def test_the_comparison_of_noise_notices_another_sensitivity():
    spec = MechanismSpec(pipeline_dp.NoiseKind.LAPLACE.convert_to_mechanism_type())
    spec.set_eps_delta(1.0, 0)
    stds = [create_additive_mechanism(spec, Sensitivities(l0, 5)).std for l0 in (8, 9)]
    assert stds[0] == pytest.approx(math.sqrt(2) * 40, rel=1e-3)
    assert stds[1] != pytest.approx(math.sqrt(2) * 40, rel=0.1)


# Selection


def selection_like_theirs(strategy, epsilon, delta, l0, pre_threshold):
    """With thresholds of Gaussian noise, half of delta is for the noise."""
    if strategy == "truncated_geometric":
        return GeometricSelection(epsilon, delta, l0, pre_threshold)
    loss = LaplaceLoss(epsilon)
    if strategy == "gaussian":
        delta /= 2
        loss = GaussianLoss(gaussian_mu(epsilon, delta))
    return threshold_selection(strategy, loss, delta, l0, 1, pre_threshold)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("l0", [1, 4])
@pytest.mark.parametrize("pre_threshold", [None, 7])
@pytest.mark.parametrize(("epsilon", "delta"), [(0.5, 1e-8), (2.0, 1e-3)])
def test_partitions_are_kept_with_the_same_probability(strategy, l0, pre_threshold, epsilon, delta):
    """Thresholds are rounded to granules of units here, and PyDP rounds sigma up.

    Of the delta of truncated geometric selection, a little is kept for its rounding.
    """
    mechanism = selection_like_theirs(strategy, epsilon, delta, l0, pre_threshold)
    their = create_partition_selection_strategy(
        STRATEGIES[strategy], epsilon, delta, l0, pre_threshold
    )
    middle = round(selection_threshold(mechanism))
    counts = sorted({0, 1, 2, 5, 6, 7, 8, 20, *range(max(0, middle - 5), middle + 6), 10 * middle})
    our_curve = [release_probability(mechanism, units) for units in counts]
    their_curve = [their.probability_of_keep(units) for units in counts]
    if strategy == "truncated_geometric":
        assert our_curve == pytest.approx(their_curve, rel=1e-4)
    assert our_curve == pytest.approx(their_curve, abs=0.01)
    assert our_curve == sorted(our_curve)
    assert our_curve[-1] > 0.99
    other = selection_like_theirs(strategy, epsilon, delta, l0 + 1, pre_threshold)
    assert our_curve != [release_probability(other, units) for units in counts]
