"""The kernels by themselves: codes, ranks, rescaling, packing."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.bounds import MAX_LINF, MAX_ROWS, Bounds
from transforms.budget import Budget
from transforms.contributions import Contributions, merge
from transforms.contributions import prune as prune_for_plan
from transforms.encode import encode
from transforms.grid import MAX_VALUE_GRANULES
from transforms.hashing import Hash128, HashKey, hash_rows, mix
from transforms.metrics import Sum
from transforms.metrics.base import rescale
from transforms.partitions import PartitionSet
from transforms.planning import plan_tables
from transforms.table import Table
from transforms.wire import pack_contributions, pack_frame, unpack_contributions, unpack_frame

KEY = HashKey(b"a key only for tests")
HALVES = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])


def hashes(pairs):
    return Hash128(
        np.array([low for low, _ in pairs], np.uint64),
        np.array([high for _, high in pairs], np.uint64),
    )


@given(st.lists(st.tuples(HALVES, HALVES), max_size=30))
def test_codes_tell_128_bit_identities_apart(pairs):
    codes = encode(hashes(pairs))

    numbers = {pair: number for number, pair in enumerate(sorted(set(pairs)))}
    assert codes.codes.tolist() == [numbers[pair] for pair in pairs]
    assert [pairs[row] for row in codes.examples] == list(numbers)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50, unique=True))
def test_mixing_is_a_bijection(values):
    mixed = mix(np.array(values, np.uint64))
    assert len(set(mixed.tolist())) == len(values)


def test_hashes_depend_on_key_purpose_column_order_and_every_value():
    frame = pl.DataFrame({"a": ["x", "y", "x"], "b": [1, 1, 2]})
    base = hash_rows(frame, KEY, "unit")
    others = [
        hash_rows(frame, HashKey(b"another key for tests"), "unit"),
        hash_rows(frame, KEY, "partition"),
        hash_rows(frame.select("b", "a"), KEY, "unit"),
    ]
    every = np.concatenate(
        [base.low, base.high, *(h.low for h in others), *(h.high for h in others)]
    )
    assert len(set(every.tolist())) == len(every)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(["", "a", "aa", "é", "👍🏽"]),
        pl.Series([-1, 0, 1, 2**62]),
        pl.Series([0, 2**64 - 1], dtype=pl.UInt64),
        pl.Series([0.0, 1.0, -1.0, math.inf, -math.inf]),
        pl.Series([True, False]),
        pl.Series(["2026-11-01", "2026-11-02"]).str.to_date(),
        pl.Series(["2026-11-01 00:00", "2026-11-01 00:01"]).str.to_datetime(time_unit="us"),
        pl.Series(["1.10", "1.11"]).cast(pl.Decimal(10, 2)),
        pl.Series([b"", b"\x00", b"\x00\x00"]),
        pl.Series(["01:00:00", "02:00:00"]).str.to_time(),
    ],
)
def test_every_scalar_type_hashes_by_value(column):
    once = hash_rows(column.to_frame("x"), KEY, "unit")
    again = hash_rows(pl.concat([column, column]).to_frame("x")[::-1], KEY, "unit")
    assert len(set(once.low.tolist())) == len(column)
    assert len(set(once.high.tolist())) == len(column)
    assert set(again.low.tolist()) == set(once.low.tolist())


def test_a_hash_key_keeps_its_secret():
    key = HashKey.draw()
    assert key.secret.hex() not in repr(key)
    assert str(key.secret) not in repr(key)
    with pytest.raises(ValueError, match="15 bytes; allowed: 16 or more"):
        HashKey(b"x" * 15)


ONE = st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(1, 4), st.integers(-9, 9))


def contributions(rows):
    """Contributions of (unit, partition, rows, sum) tuples; pairs may repeat."""
    units, partitions = sorted({r[0] for r in rows}), sorted({r[1] for r in rows})
    frame = pl.DataFrame({"p": pl.Series(partitions, dtype=pl.Int64)})
    identities = hash_rows(pl.DataFrame({"u": pl.Series(units, dtype=pl.Int64)}), KEY, "unit")
    return Contributions(
        identities,
        PartitionSet.of(frame, KEY),
        np.array([units.index(r[0]) for r in rows], np.uint32),
        np.array([partitions.index(r[1]) for r in rows], np.uint32),
        np.array([r[2] for r in rows], np.int64),
        (np.array([r[3] for r in rows], np.int64),),
    )


def prune(whole, l0):
    table = Table("p", {"s": Sum("x", clip=(-9, 9), granularity=1)}, Bounds(l0, 1))
    (plan,) = plan_tables({"t": table}, Budget(1.0, 1e-6))
    return prune_for_plan(whole, plan)


def as_set(parts):
    return {
        (int(parts.units.low[u]), parts.partitions.keys["p"][int(p)], int(n), int(s))
        for u, p, n, s in zip(parts.unit, parts.partition, parts.rows, parts.sums[0], strict=True)
    }


def distinct(rows):
    return list({row[:2]: row for row in rows}.values())


@settings(deadline=None)
@given(st.lists(ONE, min_size=1, max_size=40), st.integers(1, 4))
def test_pruning_keeps_at_most_l0_and_all_of_small_units(rows, l0):
    whole = contributions(distinct(rows))
    kept = prune(whole, l0)
    per_unit = np.bincount(kept.unit, minlength=len(whole.units))
    expected = np.minimum(np.bincount(whole.unit, minlength=len(whole.units)), l0)
    assert per_unit.tolist() == expected.tolist()
    assert as_set(kept) <= as_set(whole)


@settings(deadline=None)
@given(st.lists(st.lists(ONE, min_size=1, max_size=15), min_size=1, max_size=4), st.integers(1, 3))
def test_pruning_parts_first_changes_nothing(parts, l0):
    wholes = [contributions(distinct(part)) for part in parts]
    late = prune(merge(wholes), l0)
    early = prune(merge([prune(whole, l0).compact() for whole in wholes]), l0)
    assert as_set(early) == as_set(late)


@settings(deadline=None)
@given(st.lists(ONE, min_size=1, max_size=40), st.integers(1, 3))
def test_pruning_is_exact_when_ranks_tie(rows, l0):
    whole = contributions(distinct(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transforms.pruning.priorities", lambda u, p: np.zeros_like(u))
        kept = prune(whole, l0)
        parts = [contributions(distinct(rows)[i::2]) for i in (0, 1) if distinct(rows)[i::2]]
        early = prune(merge([prune(part, l0) for part in parts]), l0)
    expected = np.minimum(np.bincount(whole.unit), l0)
    assert np.bincount(kept.unit, minlength=len(whole.units)).tolist() == expected.tolist()
    assert as_set(early) == as_set(kept)


def test_kept_partitions_look_random_over_units():
    """Every partition is kept about equally often; the bound is 7 standard deviations."""
    units, partitions, l0 = 2_000, 10, 3
    rows = [(u, p, 1, 0) for u in range(units) for p in range(partitions)]
    kept = prune(contributions(rows), l0)
    share = np.bincount(kept.partition, minlength=partitions) / units
    assert np.abs(share - l0 / partitions).max() < 7 * math.sqrt(0.3 * 0.7 / units)


@given(
    st.lists(
        st.tuples(st.integers(1, MAX_ROWS), st.integers(-MAX_VALUE_GRANULES, MAX_VALUE_GRANULES)),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, MAX_LINF),
    st.integers(0, 1000),
)
def test_rescaling_is_exact_at_every_size(parts, linf, offset):
    rows = [rows for rows, _ in parts]
    totals = [mean * rows - min(offset, rows) * (mean > 0) for rows, mean in parts]
    scaled = rescale(np.array(totals, np.int64), np.array(rows, np.int64), linf)
    for total, count, result in zip(totals, rows, scaled.tolist(), strict=True):
        exact = Fraction(total) * min(Fraction(1), Fraction(linf, count))
        assert result == math.floor(exact + Fraction(1, 2))
        assert abs(result) <= linf * MAX_VALUE_GRANULES


@settings(deadline=None)
@given(st.lists(ONE, min_size=1, max_size=30))
def test_contributions_survive_packing(rows):
    whole = contributions(distinct(rows))
    assert as_set(unpack_contributions(pack_contributions(whole), KEY)) == as_set(whole)


@pytest.mark.parametrize(
    "value", [0, 255, 256, -1, -128, -129, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)]
)
def test_numbers_of_every_size_survive_packing(value):
    part = Contributions(
        hash_rows(pl.DataFrame({"u": [1]}), KEY, "unit"),
        PartitionSet.of(pl.DataFrame({"p": [1]}), KEY),
        np.array([0], np.uint32),
        np.array([0], np.uint32),
        np.array([2**40], np.int64),
        (np.array([value], np.int64),),
    )
    unpacked = unpack_contributions(pack_contributions(part), KEY)
    assert unpacked.sums[0].tolist() == [value]
    assert unpacked.rows.tolist() == [2**40]


def test_frames_survive_packing():
    frame = pl.DataFrame({"a": ["x", "é"], "b": [1.5, 2.5], "c": [True, False]})
    assert unpack_frame(pack_frame(frame)).equals(frame)


def test_a_packed_slice_is_small():
    frame = pl.DataFrame({"a": np.arange(1_000_000)})
    assert len(pack_frame(frame[:100])) < 5_000
