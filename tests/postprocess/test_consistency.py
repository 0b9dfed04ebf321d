"""Consistency of levels, against dense generalised least squares, and by simulation."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from released import assert_coverage, draw, released

from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.postprocess import check_consistency, make_consistent, quantile_95
from transforms.table import PrivateSelection, PublicKeys, Table

NAMES = ["country", "region", "city", "street"]


def level(depth, paths, values, stds, noise="laplace"):
    columns = {name: [path[step] for path in paths] for step, name in enumerate(NAMES[:depth])}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64)).hstack(
        released("n", values, stds, noise)
    )


@st.composite
def trees(draw):
    """Paths of all rows per level: every row but those of the last level has children."""
    depth = draw(st.integers(1, 4))
    levels = [[(number,) for number in range(draw(st.integers(1, 3)))]]
    for _ in range(depth - 1):
        children = []
        for path in levels[-1]:
            children += [(*path, number) for number in range(draw(st.integers(1, 3)))]
        levels.append(draw(st.permutations(children)))
    return levels


def dense(levels, values, variances):
    """Least squares over all leaves at once: the estimates of all rows, and their covariance."""
    leaves = levels[-1]
    rows = [path for paths in levels for path in paths]
    sums = np.array([[leaf[: len(row)] == row for leaf in leaves] for row in rows], float)
    weights = np.diag(1 / np.array(variances))
    covariance = np.linalg.inv(sums.T @ weights @ sums)
    estimates = sums @ covariance @ sums.T @ weights @ np.array(values)
    return estimates, sums @ covariance @ sums.T


@settings(deadline=None)
@given(
    levels=trees(), seed=st.integers(0, 2**32 - 1), noise=st.sampled_from(["laplace", "gaussian"])
)
def test_values_and_errors_are_those_of_dense_least_squares(levels, seed, noise):
    rng = np.random.default_rng(seed)
    values = [rng.normal(100, 50, len(paths)).tolist() for paths in levels]
    stds = [np.exp(rng.normal(0, 2, len(paths))).tolist() for paths in levels]
    frames = [
        level(depth, *row, noise)
        for depth, row in enumerate(zip(levels, values, stds, strict=True), start=1)
    ]
    keys = [NAMES[: depth + 1] for depth in range(len(levels))]
    done = make_consistent(frames, keys, "n", noise)
    expected, covariance = dense(levels, np.concatenate(values), np.concatenate(stds) ** 2)
    found = pl.concat([frame.select("n", "n_std", "n_low", "n_high") for frame in done])
    error = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found["n"], expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found["n_std"], error, rtol=1e-6)
    np.testing.assert_allclose(found["n_low"], expected - quantile_95(noise) * error, atol=1e-5)
    np.testing.assert_allclose(found["n_high"], expected + quantile_95(noise) * error, atol=1e-5)
    for before, after, names in zip(frames, done, keys, strict=True):
        assert after.columns == before.columns
        assert after.select(names).equals(before.select(names))
    for parents, children, names in zip(done[:-1], done[1:], keys[:-1], strict=True):
        sums = children.group_by(names).agg(total=pl.col("n").sum())
        both = parents.join(sums, on=names)
        np.testing.assert_allclose(both["n"], both["total"], rtol=1e-9, atol=1e-6)


def test_equal_variances_by_hand():
    """One parent of two children: the difference of 30 is divided by three."""
    parents = level(1, [(0,)], [130.0], [2.0])
    children = level(2, [(0, 0), (0, 1)], [60.0, 40.0], [2.0, 2.0])
    parents, children = make_consistent([parents, children], [NAMES[:1], NAMES[:2]], "n")
    assert parents["n"].to_list() == pytest.approx([120])
    assert children["n"].to_list() == pytest.approx([70, 50])
    # The parent is 2/3 of itself and 1/3 of the sum: 4/9 * 4 + 1/9 * 8 = 8/3.
    assert parents["n_std"].to_list() == pytest.approx([(8 / 3) ** 0.5])
    assert children["n_std"].to_list() == pytest.approx([(8 / 3) ** 0.5] * 2)


def test_other_columns_and_metrics_stay():
    parents = level(1, [(0,)], [13], [2.0]).with_columns(pl.lit("x").alias("title"))
    children = level(2, [(0, 1), (0, 0)], [6, 4], [2.0, 2.0]).with_columns(
        m=pl.Series([5, 6]), m_std=pl.Series([1.0, 1.0])
    )
    done = make_consistent([parents, children], [NAMES[:1], NAMES[:2]], "n")
    assert done[0]["title"].to_list() == ["x"]
    assert done[1].select("m", "m_std").equals(children.select("m", "m_std"))
    assert [frame.schema["n"] for frame in done] == [pl.Float64, pl.Float64]


def test_errors_only_shrink_and_what_agrees_stays():
    parents = level(1, [(0,), (1,)], [10.0, 7.0], [1.0, 3.0])
    children = level(2, [(0, 0), (0, 1), (1, 0)], [6.0, 4.0, 7.0], [1.0, 2.0, 0.5])
    done = make_consistent([parents, children], [NAMES[:1], NAMES[:2]], "n")
    for before, after in zip([parents, children], done, strict=True):
        assert after["n"].to_list() == pytest.approx(before["n"].to_list())
        assert (after["n_std"] < before["n_std"]).all()


@pytest.mark.parametrize("noise", ["laplace", "gaussian"])
def test_the_stated_errors_are_those_of_simulated_releases(noise):
    """Many countries of the same two regions: each is one simulated release."""
    rng, size = np.random.default_rng(3), 40_000
    stds = ([4.0], [1.0, 6.0])
    truth = ([100], [70, 30])
    paths = ([(c,) for c in range(size)], [(c, r) for c in range(size) for r in range(2)])
    frames = []
    for depth in range(2):
        values = np.tile(truth[depth], size) + np.concatenate(
            np.stack([draw(rng, noise, std, size) for std in stds[depth]], axis=1)
        )
        frames.append(level(depth + 1, paths[depth], values.tolist(), stds[depth] * size, noise))
    done = make_consistent(frames, [NAMES[:1], NAMES[:2]], "n", noise)
    for depth, frame in enumerate(done):
        for row in range(depth + 1):
            part = frame[row :: depth + 1]
            errors = (part["n"] - truth[depth][row]).to_numpy()
            # Six standard errors of a variance with the kurtosis of Laplace noise, 6.
            assert np.mean(errors**2) == pytest.approx(
                part["n_std"][0] ** 2, rel=6 * (5 / size) ** 0.5
            )
            held = part.select(pl.lit(truth[depth][row]).is_between("n_low", "n_high")).to_series()
            assert_coverage(held, at_most=0.967)


def two_levels(parents=((0,),), children=((0, 0), (0, 1)), **changed):
    frames = [
        level(depth, paths, [5.0] * len(paths), [1.0] * len(paths))
        for depth, paths in ((1, parents), (2, children))
    ]
    return [frame.with_columns(**changed) for frame in frames]


KEYS = [NAMES[:1], NAMES[:2]]


@pytest.mark.parametrize(
    ("levels", "keys", "message"),
    [
        (two_levels(parents=((0,), (1,))), KEYS, "a row has no children on the next level"),
        (two_levels(children=((0, 0), (1, 0))), KEYS, "a row has no parent on the level before"),
        (two_levels(parents=((0,), (0,))), KEYS, "several rows of the same country"),
        (two_levels(children=((0, 0), (0, 0))), KEYS, "several rows of the same country, region"),
        (two_levels(n_std=pl.lit(0.0)), KEYS, "n_std has values of 0 or less"),
        (two_levels(n_std=pl.lit(None, pl.Float64)), KEYS, "n has empty values"),
        (two_levels(n=pl.lit(float("nan"))), KEYS, "n has empty values"),
        (two_levels(), [["country"], ["region"]], "the keys country are not among region"),
        (two_levels(), [["country"], ["country"]], "the keys country are not among country"),
    ],
)
def test_levels_that_are_no_tree_are_refused(levels, keys, message):
    with pytest.raises(ValueError, match=message):
        make_consistent(levels, keys, "n")


PUBLIC = [
    PublicKeys(pl.DataFrame({"country": [0]})),
    PublicKeys(pl.DataFrame({"country": [0], "region": [0]})),
]


def tables(metrics, partitions=PUBLIC, keys=KEYS):
    names = ["countries", "regions"]
    levels = zip(names, keys, metrics, partitions, strict=True)
    return {name: Table(k, m, partitions=p) for name, k, m, p in levels}


@pytest.mark.parametrize("metric", [Count(), Sum("x", clip=(-1, 1)), Sum("x", clip_total=(0, 5))])
def test_counts_and_sums_with_public_keys_can_be_made_consistent(metric):
    check_consistency(tables([{"n": metric}] * 2), "n")


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (tables([{"n": PrivacyUnitCount()}] * 2), "n does not add up: .* allowed: counts of rows"),
        (tables([{"n": Count()}, {"m": Count()}]), "regions has no metric 'n'; it has: m"),
        (
            tables([{"n": Sum("x", clip=(0, 1))}, {"n": Sum("x", clip=(0, 2))}]),
            "n is not the same on all levels",
        ),
        (
            tables([{"n": Count()}] * 2, [PUBLIC[0], PrivateSelection()]),
            "the partitions of regions are selected privately, so a parent may have children",
        ),
        (
            tables([{"n": Count()}] * 2, [PrivateSelection(), PUBLIC[1]]),
            "the partitions of countries are selected privately",
        ),
        (tables([{"n": Count()}] * 2, [PUBLIC[0]] * 2, [["country"]] * 2), "are not among"),
    ],
)
def test_what_cannot_be_made_consistent_is_refused_with_the_reason(levels, message):
    with pytest.raises(ValueError, match=message):
        check_consistency(levels, "n")
