"""The utility benchmark compares what it says: PipelineDP's own parameters, and our real draws.

Statistical tests have a false-alarm rate of at most 1e-6 per run: `FALSE_ALARM` for each of at most
ten comparisons, by exact binomial tails and the Dvoretzky-Kiefer-Wolfowitz inequality.
"""

import json
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import utility
from scipy import stats
from utility_cases import METRICS, PARTITION, UNIT, VALUE, Case, cases, truth
from utility_ours import STRATEGIES, Ours, fast_noise
from utility_pipeline_dp import COLUMNS, SELECTIONS, PipelineDp, as_tuples, bounded
from utility_release import Released
from utility_scores import (
    Estimate,
    difference,
    is_worse,
    mean,
    ratio_of_roots,
    root_mean_square,
    squared_errors,
    squared_errors_where,
)

from transforms import Bounds, Budget
from transforms.noise import release_probability

FALSE_ALARM = 1e-7
CASE = Case("made up", "none", ("k",), Bounds(2, 3), "x", (0, 10), 0.25)
BUDGET = Budget(4.0, 1e-3)
BOTH = [(noise, selection) for noise in ("gaussian", "laplace") for selection in SELECTIONS]


def crowded(sizes, each):
    """Partitions of so many units, each with one row of 2.5 in two partitions of the same size."""
    pairs = pl.DataFrame({"size": np.repeat(sizes, each // 2)}).with_row_index("pair")
    units = pairs.select(
        "pair", pl.int_ranges(0, "size").alias("unit"), side=pl.lit([0, 1], pl.List(pl.Int64))
    ).explode("unit")
    pair = pl.col("pair").cast(pl.Int64)
    return units.explode("side").select(
        (pair * 1000 + pl.col("unit")).alias(UNIT),
        (pair * 2 + pl.col("side")).alias(PARTITION),
        pl.lit(2.5).alias(VALUE),
    )


def exact_of(rows):
    """Three numbers per partition, as nothing of it is bounded."""
    return truth(CASE, rows)


def rate_fits(hits, trials, probability):
    tails = (
        stats.binom.cdf(hits, trials, probability),
        stats.binom.sf(hits - 1, trials, probability),
    )
    return min(tails) >= FALSE_ALARM / 2


def has_law(draws, law):
    values = np.sort(draws)
    ranks = np.arange(len(draws) + 1) / len(draws)
    cdf = law.cdf(values)
    distance = max(np.abs(ranks[1:] - cdf).max(), np.abs(ranks[:-1] - cdf).max())
    return distance <= math.sqrt(math.log(2 / FALSE_ALARM) / (2 * len(draws)))


def law_of(noise, std):
    return stats.norm(0, std) if noise == "gaussian" else stats.laplace(0, std / math.sqrt(2))


# What must come out.


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("bounds", [Bounds(8, 5), Bounds(1, 1), Bounds(100, 1)], ids=str)
def test_gaussian_noise_is_at_most_0_46_times_that_of_pipeline_dp(epsilon, bounds):
    case = replace(CASE, bounds=bounds, granularity=0.001)
    budget = Budget(epsilon, 1e-8)
    ours = Ours(case, "gaussian", "gaussian", budget)
    for theirs in ("default", "gaussian"):
        its = PipelineDp(case, "gaussian", theirs, budget)
        for metric in METRICS:
            # Rounding to whole numbers adds 1 / 12 to the variance of our counts.
            rounded = 1 / 12 if metric != "sum" else 0.0
            assert math.sqrt(ours.stds[metric] ** 2 - rounded) <= 0.46 * its.stds[metric]


# PipelineDP's parameters are those of its real runs.


@pytest.mark.parametrize(("noise", "selection"), BOTH)
def test_noise_is_what_pipeline_dp_says_beside_its_results(noise, selection):
    theirs = PipelineDp(CASE, noise, selection, BUDGET)
    (_, told) = theirs.run(as_tuples(crowded([60], 2)))[0]
    for metric, column in COLUMNS.items():
        if f"{column}_noise_stddev" in told._fields:
            assert theirs.stds[metric] == getattr(told, f"{column}_noise_stddev")
    assert set(theirs.stds) == set(METRICS)


@pytest.mark.statistical
@pytest.mark.parametrize(("noise", "selection"), BOTH)
def test_simulated_numbers_of_pipeline_dp_have_the_law_of_its_real_ones(noise, selection):
    """False alarms: 6e-7. Where partitions are so large that all are released."""
    size, each = 40, 1500
    theirs = PipelineDp(CASE, noise, selection, BUDGET)
    rows = crowded([size], each)
    exact = exact_of(rows)
    simulated = theirs.release(exact, np.random.default_rng(5))
    assert simulated.kept.all()
    real = theirs.run(as_tuples(rows))
    assert len(real) == each
    for row, (metric, column) in enumerate(COLUMNS.items()):
        law = law_of(noise, theirs.stds[metric])
        assert has_law(simulated.values[row] - exact[row], law)
        true = dict(zip(range(each), exact[row], strict=True))
        drawn = np.array([getattr(told, column) - true[key] for key, told in real])
        # It rounds some of its numbers: spread them out again.
        spread = np.random.default_rng(6).uniform(-0.5, 0.5, each) * np.allclose(drawn % 1, 0)
        assert has_law(drawn + spread, law), metric


@pytest.mark.statistical
@pytest.mark.parametrize(("noise", "selection"), BOTH)
def test_simulated_partitions_of_pipeline_dp_are_released_as_often_as_real_ones(noise, selection):
    """False alarms: 8e-7. Each size against the other's rate, given both together."""
    sizes, each = [1, 4, 8, 14], 600
    theirs = PipelineDp(CASE, noise, selection, BUDGET)
    rows = crowded(sizes, each)
    real = np.zeros(len(sizes) * each, bool)
    real[[key for key, _ in theirs.run(as_tuples(rows))]] = True
    draws = 50
    exact = exact_of(rows)
    rng = np.random.default_rng(5)
    simulated = np.mean([theirs.release(exact, rng).kept for _ in range(draws)], axis=0)
    for place in range(len(sizes)):
        of_size = slice(place * each, (place + 1) * each)
        hits, rate = int(real[of_size].sum()), float(simulated[of_size].mean())
        # Fisher's exact test of two rates: all that is known is how many are released in all.
        table = [[hits, each - hits], [rate * each * draws, (1 - rate) * each * draws]]
        assert stats.fisher_exact(np.rint(table)).pvalue >= FALSE_ALARM


def test_what_pipeline_dp_bounds_is_the_truth_where_no_bound_binds():
    rows = crowded([1, 5, 9], 4)
    assert np.array_equal(bounded(CASE, rows, 1), exact_of(rows))


def test_pipeline_dp_bounds_partitions_rows_and_values():
    rows = pl.DataFrame(
        {UNIT: [0] * 40, PARTITION: [0] * 10 + [1] * 10 + [2] * 20, VALUE: [99.0, -5.0] * 20}
    )
    count, units, total = bounded(CASE, rows, 1)
    assert units.sum() == 2
    assert set(count) == {0, 3}
    assert total.max() <= 3 * 10
    assert total.min() >= 0


# Our side.


@pytest.mark.statistical
@pytest.mark.parametrize("noise", ["gaussian", "laplace"])
@pytest.mark.parametrize("selection", STRATEGIES)
@pytest.mark.parametrize("fast", [False, True], ids=["PyDP", "NumPy"])
def test_fast_draws_of_ours_have_the_law_of_real_ones(noise, selection, fast):
    """False alarms: 8e-7. Both against the plan: how often, and how large the noise is."""
    each, large = 1500, 100
    ours = Ours(CASE, noise, selection, BUDGET)
    plan = ours.plan.selection
    rates = {size: release_probability(plan, size) for size in range(1, 60)}
    sizes = sorted({min(rates, key=lambda n: abs(rates[n] - at)) for at in (0.05, 0.3, 0.8)})
    rows = crowded([*sizes, large], each)
    partials = ours.bounded(rows, b"a key only for tests")
    exact = exact_of(rows)
    if fast:
        with fast_noise(np.random.default_rng(5)):
            released = ours.release(partials, exact.shape[1])
    else:
        released = ours.release(partials, exact.shape[1])
    kept = released.kept.reshape(len(sizes) + 1, each)
    for place, size in enumerate(sizes):
        assert rate_fits(int(kept[place].sum()), each, rates[size])
    assert kept[-1].all()
    for row, metric in enumerate(METRICS):
        step = CASE.granularity if metric == "sum" else 1.0
        noisy = (released.values - exact)[row, -each:] / step
        assert np.array_equal(noisy, np.rint(noisy))
        spread = np.random.default_rng(6).uniform(-0.5, 0.5, each)
        assert has_law(noisy + spread, law_of(noise, ours.stds[metric] / step))


def test_fast_noise_is_repeatable_and_goes_away_again():
    ours = Ours(CASE, "gaussian", "gaussian", BUDGET)
    rows = crowded([30], 40)
    partials = ours.bounded(rows, b"a key only for tests").sort(PARTITION)

    def seeded(seed):
        with fast_noise(np.random.default_rng(seed)):
            return ours.release(partials, 40).values.tolist()

    assert seeded(1) == seeded(1)
    assert seeded(1) != seeded(2)
    assert ours.release(partials, 40).values.tolist() != ours.release(partials, 40).values.tolist()


# Scores.


def test_what_is_not_released_is_off_by_its_whole_value():
    true = np.array([[10.0, 20.0], [1.0, 2.0], [100.0, 0.0]])
    kept = np.array([True, False])
    values = np.array([[13.0, 0.0], [1.0, 0.0], [96.0, 0.0]])
    released = Released(kept, values)
    assert squared_errors(released, true).tolist() == [(9 + 400) / 2, 2.0, 8.0]
    assert squared_errors_where(released, true, kept).tolist() == [9.0, 0.0, 16.0]
    assert np.isnan(squared_errors_where(released, true, ~kept & kept)).all()


def test_intervals_hold_the_truth_in_95_of_100():
    """Deterministic: 2,000 sets of 30 seeded draws; Student's intervals hold it in 95 %."""
    rng = np.random.default_rng(3)
    sets = [(rng.normal(3, 1, 30), rng.normal(2, 1, 30)) for _ in range(2000)]
    held = [
        [
            inside(mean(one), 3),
            inside(difference(one, two), 1),
            inside(root_mean_square(one**2), math.sqrt(10)),
            inside(ratio_of_roots(one**2, two**2), math.sqrt(2)),
        ]
        for one, two in sets
    ]
    assert np.mean(held, axis=0) == pytest.approx(0.95, abs=0.02)


def inside(estimate, true):
    return estimate.low <= true <= estimate.high


def test_nothing_to_compare_is_no_ratio():
    nothing = np.full(30, math.nan)
    assert ratio_of_roots(nothing, np.ones(30)) is None
    assert ratio_of_roots(np.zeros(30), np.ones(30)) is None
    assert not is_worse(None)
    assert is_worse(Estimate(1.2, 1.1, 1.3))
    assert not is_worse(Estimate(1.2, 0.9, 1.5))


# The whole.


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A case in a file, and a benchmark that writes nowhere else."""
    file = tmp_path / "rows.parquet"
    crowded([1, 20, 80], 20).rename({UNIT: "user_id", PARTITION: "k", VALUE: "x"}).write_parquet(
        file
    )
    monkeypatch.setattr(utility, "BENCH", tmp_path)
    case = replace(CASE, files=str(file))
    missing = replace(case, name="not there", files=str(tmp_path / "no.parquet"))
    monkeypatch.setattr(utility, "cases", lambda *_: [case, missing])
    monkeypatch.setattr(utility, "generated", lambda: tmp_path)
    return tmp_path


def test_the_benchmark_runs_from_files_to_a_table_and_a_file(small, capsys, monkeypatch):
    readme = small / "README.md"
    readme.write_text(f"before\n{utility.BEGIN}\nold\n{utility.END}\nafter\n")
    monkeypatch.setattr(utility, "README", readme)
    arguments = ["--seeds", "3", "--epsilon", "1", "--delta", "1e-6", "--write-readme"]
    utility.main(arguments)
    first = json.loads((small / "utility.json").read_text())
    text = capsys.readouterr().out
    assert "not there: skipped, as" in text
    assert "made up: 60 partitions" in text
    assert "Where PipelineDP is better" in text
    assert {result["noise"] for result in first["results"]} == {"gaussian", "laplace"}
    for result in first["results"]:
        assert result["partitions"] == 60
        for score in result["scores"].values():
            assert 0 <= score["released"]["value"] <= 60
            assert 0 <= score["mass"]["value"] <= 1
            assert set(score["stds"]) == set(METRICS)
    written = readme.read_text()
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "old" not in written
    assert "| made up | 60 |" in written
    utility.main(arguments)
    assert json.loads((small / "utility.json").read_text())["results"] == first["results"]


def test_losses_are_listed():
    data = utility.Estimate
    worse, better, same = data(1.2, 1.1, 1.3), data(0.8, 0.7, 0.9), data(1.0, 0.9, 1.1)
    lost = utility.Comparison(
        {"count": 1.3, "privacy_unit_count": 0.5, "sum": 1.00001},
        data(-3.0, -4.0, -2.0),
        data(-0.1, -0.2, -0.01),
        {"count": worse, "privacy_unit_count": same, "sum": better},
        {"count": None, "privacy_unit_count": worse, "sum": same},
        {"count": worse, "privacy_unit_count": same, "sum": None},
    )
    assert lost.losses == [
        "noise of count x 1.300",
        "3.0 fewer partitions",
        "10.00% less mass",
        "error of count x 1.200",
        "error of privacy_unit_count of both x 1.200",
        "noise of count of both x 1.200",
    ]
    won = replace(
        lost,
        std=dict.fromkeys(METRICS, 0.5),
        released=same,
        mass=same,
        rmse={},
        rmse_both={},
        noise_both={},
    )
    assert won.losses == []


def test_cases_have_three_numbers_per_partition(tmp_path):
    file = tmp_path / "rows.parquet"
    pl.DataFrame(
        {
            "user_id": [1, 1, 2, None, 3],
            "k": ["a", "a", "b", "b", None],
            "x": [5.0, math.nan, 99.0, 1.0, 1.0],
        }
    ).write_parquet(file)
    case = replace(CASE, files=str(file))
    rows = case.rows()
    assert rows[PARTITION].to_list() == [0, 0, 1]
    assert truth(case, rows).tolist() == [[2, 1], [1, 1], [5, 10]]
    names = [case.name for case in cases(tmp_path, tmp_path, tmp_path)]
    assert len(names) == len(set(names))
