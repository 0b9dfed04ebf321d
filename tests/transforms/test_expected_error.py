"""Errors at expected sizes, against numbers summed up and rendered one by one."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import laplace, norm

from transforms.bounds import Bounds
from transforms.budget import Budget
from transforms.expected_error import (
    expected_error,
    is_plain,
    mean_absolute_noise,
    plain_error,
    ratio_error,
    ten_percent_from,
)
from transforms.mechanisms import AdditiveMechanism
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
from transforms.noise import noise_scale, noise_std
from transforms.planning import plan_tables
from transforms.table import PublicKeys, Table

METRICS = {
    "uses": Count(),
    "users": PrivacyUnitCount(),
    "seconds": Sum("s", clip=(0, 60), granularity=0.25),
    "words": DistinctCount("w"),
    "move": VectorSum(("x", "y"), 10),
    "speed": Mean("v", clip=(-10, 30)),
    "spread": Variance("v", clip=(-10, 30)),
    "delay": Quantiles("d", (0.5,), clip=(0, 10)),
}


@pytest.fixture(scope="module", params=["laplace", "gaussian"])
def metrics(request):
    keys = PublicKeys(pl.DataFrame({"k": [0]}))
    table = Table(["k"], METRICS, Bounds(3, 2), keys, noise=request.param)
    (plan,) = plan_tables({"t": table}, Budget(2.0, 1e-6))
    return {metric.name: metric for metric in plan.metrics}


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 9.9, 10.1, 300.0])
def test_the_mean_absolute_noise_is_that_of_rounded_noise(noise, scale):
    mechanism = AdditiveMechanism(noise, scale, 1, 1)
    scale = noise_scale(mechanism)
    before = laplace(scale=scale) if noise == "laplace" else norm(scale=scale)
    steps = np.arange(1, int(60 * scale) + 5)
    expected = (2 * steps * (before.cdf(steps + 0.5) - before.cdf(steps - 0.5))).sum()
    assert mean_absolute_noise(mechanism) == pytest.approx(expected, rel=1e-5, abs=1e-12)
    assert mean_absolute_noise(mechanism) <= noise_std(mechanism)


def test_which_metrics_are_a_number_plus_one_draw():
    plain = {name for name, metric in METRICS.items() if is_plain(metric)}
    assert plain == {"uses", "users", "seconds", "words", "move"}


@pytest.mark.parametrize("name", ["uses", "users", "seconds", "words", "move"])
def test_a_plain_error_is_against_the_number(metrics, name):
    metric = metrics[name]
    found = expected_error(metric, 250.0)
    step = float(metric.noises[0].component.granularity)
    assert found.error == mean_absolute_noise(metric.noises[0].mechanism) * step
    assert found.error == plain_error(metric)
    assert (found.at, found.against) == (250.0, "value")
    assert found.relative == pytest.approx(found.error / 250)


def test_ten_percent_is_where_the_interval_is_a_tenth(metrics):
    for name in ("uses", "seconds"):
        number = ten_percent_from(metrics[name])
        assert metrics[name].noises[0].half_width_95 / number == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["speed", "spread"])
@pytest.mark.parametrize("rows", [100, 10_000])
def test_means_are_stated_where_their_error_is_largest(metrics, name, rows):
    """Against all data sets that have each value at the lower end, the middle or the upper end."""
    metric = metrics[name]
    found = expected_error(metric, rows)
    grid = metric.metric.grid
    worst = 0.0
    for low in range(0, 11):
        for high in range(0, 11 - low):
            n = {-1: low * rows // 10, 1: high * rows // 10}
            at_ends = n[-1] + n[1]
            drawn = {
                f"{name}:rows": [rows],
                f"{name}:sum": [(n[1] - n[-1]) * grid.largest],
                f"{name}:squares": [(2 * at_ends - rows) * -(-grid.largest // 2)],
            }
            (released,) = metric.metric.render(name, pl.DataFrame(drawn), metric.noises)
            worst = max(worst, released.std[0])
    width = 40 if name == "speed" else 400
    assert found.error == pytest.approx(worst * math.sqrt(2 / math.pi), rel=1e-6)
    assert found.relative == pytest.approx(found.error / width)
    assert (found.at, found.against) == (rows, "range")


def test_errors_of_means_fall_with_the_rows(metrics):
    few, many = (expected_error(metrics["speed"], rows).error for rows in (100, 1000))
    assert few == pytest.approx(10 * many)


def test_quantiles_depend_on_more_than_a_size(metrics):
    assert expected_error(metrics["delay"], 100.0) is None


def test_a_ratio_has_the_error_of_both(metrics):
    """The mean distance of 200,000 ratios of noisy numbers is at most 1 % above what is said."""
    above, below = metrics["seconds"], metrics["uses"]
    at = (200 * above.noises[0].std, 100 * below.noises[0].std)
    found = ratio_error(above, below, at)
    generator = np.random.default_rng(1)
    draw = generator.laplace if above.noises[0].mechanism.noise == "laplace" else generator.normal
    kinds = {"laplace": math.sqrt(0.5), "gaussian": 1.0}
    part = kinds[above.noises[0].mechanism.noise]
    noisy = [
        number + draw(0, part * metric.noises[0].std, 200_000)
        for number, metric in zip(at, (above, below), strict=True)
    ]
    mean = np.abs(noisy[0] / noisy[1] - at[0] / at[1]).mean()
    assert found.at == at[0] / at[1]
    assert 0.85 * found.error <= mean <= 1.01 * found.error
    assert found.relative == pytest.approx(found.error / found.at)
