"""Text that is not UTF-8: its bad bytes are replaced, and nobody else notices."""

from __future__ import annotations

import json
from collections import Counter

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import command_here

import transforms as dp
from transforms.bounding import UNITS
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.rows import canonical_rows

KEY = HashKey(b"a key only for tests")
DIRTY = [b"a\xff\xfec", b"\x80", b"caf\xe9", b"\xed\xa0\x80", b"x" * 500 + b"\xc3", b"\xf0\x9f\x91"]
CLEAN = [b"a", b"", "é👍".encode(), b"x" * 500, b"\x00", "\ufffd!".encode()]
MIXED = [CLEAN[0], None, DIRTY[0], *CLEAN[1:4], *DIRTY[1:4], None, *CLEAN[4:], *DIRTY[4:]]


def as_type(text_type, bytes_type):
    def make(values):
        raw = pa.array(values, bytes_type)
        return pa.Array.from_buffers(text_type, len(raw), raw.buffers(), raw.null_count, raw.offset)

    return make


def dictionary(text_type, bytes_type, index_type):
    def make(values):
        distinct = list(dict.fromkeys(value for value in values if value is not None))
        codes = [None if value is None else distinct.index(value) for value in values]
        texts = as_type(text_type, bytes_type)([*distinct, b"\xff not used"])
        return pa.DictionaryArray.from_arrays(pa.array(codes, index_type), texts)

    return make


KINDS = {
    "string": as_type(pa.string(), pa.binary()),
    "large_string": as_type(pa.large_string(), pa.large_binary()),
    "string_view": as_type(pa.string_view(), pa.binary_view()),
    "dictionary": dictionary(pa.string(), pa.binary(), pa.int32()),
    "large dictionary": dictionary(pa.large_string(), pa.large_binary(), pa.uint8()),
}


def replaced(value):
    return None if value is None else value.decode(errors="replace")


def plan_of(partitions=dp.PrivateSelection()):  # noqa: B008
    table = dp.Table(["k"], {"n": dp.Count()}, dp.Bounds(1, 1), partitions)
    (plan,) = dp.plan_tables({"t": table}, dp.Budget(1.0, 1e-6))
    return plan


def counts(table, plan=None):
    partials = exact_partials(table, ("user",), plan or plan_of(), KEY)
    assert not partials["k"].is_duplicated().any()
    return dict(partials.select("k", UNITS).iter_rows())


@pytest.mark.parametrize("kind", KINDS)
def test_canonical_rows_replace_bad_bytes_and_keep_the_rest(kind):
    column = KINDS[kind](MIXED)
    with pytest.raises((pa.ArrowInvalid, UnicodeDecodeError)):
        column.validate(full=True) or column.to_pylist()
    expected = [replaced(value) for value in MIXED]
    chunks = pa.chunked_array([column.slice(0, 3), column.slice(3, 0), column.slice(3)])
    for one in (column, chunks, column.slice(1), column.slice(2, 5), chunks.slice(1, 4)):
        frame = canonical_rows(pa.table({"k": one}), ["k"], [])
        assert frame.schema["k"] == pl.String
        start = 0 if one is column or one is chunks else 2 if len(one) == 5 else 1
        assert frame["k"].to_list() == expected[start : start + len(one)]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_without_bad_bytes_are_as_they_were(kind):
    values = [*CLEAN, None]
    for column in (KINDS[kind](values), pa.chunked_array([], KINDS[kind](values).type)):
        frame = canonical_rows(pa.table({"k": column}), ["k"], [])
        assert frame["k"].to_list() == [replaced(value) for value in values[: len(column)]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_key_is_a_partition_under_its_replaced_name(kind):
    values = [value for value in MIXED for _ in range(3)]
    table = pa.table({"user": pa.array(range(len(values))), "k": KINDS[kind](values)})
    found = counts(table)
    assert found == Counter(replaced(value) for value in values if value is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_unit_is_a_unit_and_changes_no_other(kind):
    units = [b"u1", b"u2", b"bad \xff", b"u1", b"bad \xff", None]
    words = ["x", "x", "x", "x", "x", "x"]
    table = pa.table({"user": KINDS[kind](units), "k": words})
    assert counts(table) == {"x": 3}
    without = pa.table({"user": ["u1", "u2", "u1"], "k": words[:3]})
    assert counts(without) == {"x": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_bad_units_that_read_the_same_are_one_unit(kind):
    table = pa.table({"user": KINDS[kind]([b"\xff", b"\xfe", b"\xff\xfe"]), "k": ["x"] * 3})
    assert counts(table) == {"x": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_key_counts_for_no_public_key_but_its_replaced_name(kind):
    column = KINDS[kind]([b"DE", b"D\xff", b"FR", None, b"DE\xff"])
    public = dp.PublicKeys(pl.DataFrame({"k": ["DE", "D\ufffd", "XX"]}))
    table = pa.table({"user": pa.array(range(5)), "k": column})
    assert counts(table, plan_of(public)) == {"DE": 1, "D\ufffd": 1, "XX": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_aggregate_does_not_fail(kind):
    values = [*[b"good"] * 400, *DIRTY]
    table = pa.table({"user": pa.array(range(len(values))), "k": KINDS[kind](values)})
    released = dp.aggregate(
        table, unit="user", keys="k", metrics={"n": dp.Count()}, budget=dp.Budget(50.0, 1e-9)
    )
    assert "good" in released["k"].to_pylist()


# Whole runs


def command(config):
    done = command_here("run", config)
    return done.returncode, done.stderr


def write_release(folder, make, bad):
    """Sixty users with DE and FR each, and in the middle rows with the given bad values."""
    folder.mkdir()
    users = [f"u{number}".encode() for number in range(60) for _ in range(2)]
    countries = [b"DE", b"FR"] * 60
    for place, (user, country) in enumerate(bad):
        users.insert(30 + place, user)
        countries.insert(30 + place, country)
    table = pa.table({"user": make(users), "country": make(countries), "dwell": [1.0] * len(users)})
    pq.write_table(table, folder / "in.parquet", row_group_size=50)
    config = folder / "release.yaml"
    config.write_text(
        "release: r\ninput: {files: in.parquet}\n"
        "privacy: {unit: user, epsilon: 300, delta: 1e-6}\n"
        "tables:\n"
        "  t:\n    keys: [country]\n    bounds: {max_partitions_contributed: 2}\n"
        "    metrics: {n: count, s: {sum: dwell, clip: [0, 2]}}\n"
        "  known:\n    public: {country: [DE, XX]}\n    metrics: {n: count}\n"
        "output: {folder: out, formats: [parquet, csv]}\n"
    )
    return config


@pytest.mark.parametrize("kind", ["string", "string_view", "dictionary"])
def test_a_run_on_a_file_with_bad_text_is_like_a_run_without(tmp_path, kind):
    bad = [(b"u\xff", b"DE"), (b"u0", b"F\xff"), (b"u\xfe\xfd", b"\xed\xa0\x80"), (None, b"\xff")]
    dirty = write_release(tmp_path / "dirty", KINDS[kind], bad)
    assert command(dirty) == (0, "")
    found = pl.read_parquet(tmp_path / "dirty" / "out" / "t.parquet")
    numbers = dict(found.select("country", "n").iter_rows())
    assert {"DE", "FR"} <= numbers.keys() <= {"DE", "FR", "F\ufffd", "\ufffd\ufffd\ufffd"}
    # Another bad unit in DE; user u0 has three countries, of which two count.
    assert numbers["DE"] == pytest.approx(60.5, abs=2)
    assert numbers["FR"] == pytest.approx(59.5, abs=2)
    known = pl.read_parquet(tmp_path / "dirty" / "out" / "known.parquet")
    assert known["n"].to_list() == pytest.approx([61, 0], abs=0.5)
    clean = write_release(tmp_path / "clean", KINDS[kind], [])
    assert command(clean) == (0, "")
    names = [
        sorted(path.name for path in (tmp_path / name / "out").iterdir())
        for name in ("dirty", "clean")
    ]
    assert names[0] == names[1]


def test_bad_text_in_a_column_that_is_not_read_does_not_matter(tmp_path):
    config = write_release(tmp_path / "release", KINDS["string"], [])
    path = config.with_name("in.parquet")
    table = pq.read_table(path)
    pq.write_table(table.append_column("notes", KINDS["string"]([b"\xff"] * table.num_rows)), path)
    assert command(config) == (0, "")
    plan = json.loads((config.parent / "out" / "plan.json").read_text())
    assert list(plan["plan"]["tables"]) == ["t", "known"]
