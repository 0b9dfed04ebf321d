"""Thinning out: exact totals, exact shares, no matter how the counts are cut."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.allotment import allot

COUNTS = st.lists(st.integers(0, 12), min_size=1, max_size=8)


def one_group(counts, target, start):
    kept = allot(
        np.array(counts, np.int64),
        np.zeros(len(counts), np.int64),
        np.array([target], np.int64),
        np.array([start], np.int64),
    )
    return kept.tolist()


@given(counts=COUNTS, target=st.integers(0, 40), start=st.integers(0, 2**62))
def test_each_count_keeps_its_share_rounded_down_or_up_and_all_keep_the_target(
    counts, target, start
):
    kept = one_group(counts, target, start)
    total = sum(counts)
    assert sum(kept) == min(total, target)
    for count, share in zip(counts, kept, strict=True):
        exact = Fraction(count * min(total, target), total) if total else 0
        assert floor(exact) <= share <= ceil(exact)
        assert share <= count


@given(counts=COUNTS, target=st.integers(0, 40))
@settings(deadline=None)
def test_the_mean_over_all_starts_is_the_exact_share(counts, target):
    total = sum(counts)
    if total <= target:
        assert one_group(counts, target, 3) == counts
        return
    sums = np.sum([one_group(counts, target, start) for start in range(total)], axis=0)
    assert sums.tolist() == [count * target for count in counts]


@given(
    parts=st.lists(COUNTS, min_size=1, max_size=4),
    target=st.integers(0, 30),
    start=st.integers(0, 99),
)
def test_counts_that_are_one_count_keep_the_same_together(parts, target, start):
    """What is kept of the first so many things depends on nothing but how many they are."""
    apart = one_group([count for part in parts for count in part], target, start)
    whole = one_group([sum(part) for part in parts], target, start)
    ends = np.cumsum([len(part) for part in parts])
    assert [sum(piece) for piece in np.split(apart, ends[:-1])] == whole


@given(groups=st.lists(COUNTS, min_size=1, max_size=5), data=st.data())
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.int64])
def test_groups_do_not_touch_each_other(groups, data, dtype):
    targets = data.draw(st.lists(st.integers(0, 20), min_size=len(groups), max_size=len(groups)))
    starts = data.draw(st.lists(st.integers(0, 2**62), min_size=len(groups), max_size=len(groups)))
    kept = allot(
        np.array([count for group in groups for count in group], np.int64),
        np.repeat(np.arange(len(groups), dtype=dtype), [len(group) for group in groups]),
        np.array(targets, np.int64),
        np.array(starts, np.int64),
    )
    apart = [one_group(*of_group) for of_group in zip(groups, targets, starts, strict=True)]
    assert kept.tolist() == [count for group in apart for count in group]


def test_groups_without_counts_are_skipped():
    targets = np.array([1, 1, 1], np.int64)
    kept = allot(np.array([5, 5]), np.array([2, 2]), targets, np.zeros(3, np.int64))
    assert kept.sum() == 1
    assert allot(np.array([], np.int64), np.array([], np.int64), targets, targets).tolist() == []


def test_the_largest_counts_do_not_overflow():
    counts = [2**40 - 7, 3, 4]
    for start in (0, 2**39, 2**40 - 1, 2**63 - 1):
        kept = one_group(counts, 2**20, start)
        assert sum(kept) == 2**20
        assert kept[0] >= 2**20 - 2


def test_what_is_kept_depends_on_the_start():
    kept = {tuple(one_group([1, 1, 1, 1], 2, start)) for start in range(4)}
    assert kept == {(1, 0, 1, 0), (0, 1, 0, 1)}


def test_a_given_start_is_the_one_of_the_formula():
    """floor((2 C + s) / 5) for C = 0, 3, 4, 5."""
    assert one_group([3, 1, 1], 2, 0) == [1, 0, 1]
    assert one_group([3, 1, 1], 2, 4) == [2, 0, 0]
