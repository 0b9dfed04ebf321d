"""Public keys: products, rows and files become one frame with the types of the input."""

import datetime as dt
import itertools

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.sources import public_types
from pipelines.spec import ConfigError, key_files, load_release, public_keys, release_tables
from transforms.key_list import KeyList
from transforms.table import PublicKeys
from transforms.text_types import POLARS_TYPES


@pytest.fixture
def frame(tmp_path):
    """Returns the public keys of a table, made from a config in `tmp_path`."""

    def frame(public, keys=None, **source):
        table = {"public": public, "metrics": {"n": "count"}}
        if keys is not None:
            table["keys"] = keys
        config = {
            "release": "r",
            "input": {"files": "*.parquet", **source},
            "privacy": {"unit": "u", "epsilon": 1},
            "tables": {"t": table},
            "output": {"folder": "out"},
        }
        file = tmp_path / "r.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        table = release_tables(load_release(file))["t"]
        return KeyList.of(table.keys, table.partitions.parts).frame

    return frame


def refused(call, *args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        call(*args, **kwargs)
    return [problem.message for problem in caught.value.problems]


def test_a_product_has_every_combination_in_the_order_of_the_keys(frame):
    public = {"a": ["x", "y"], "b": [1, 2, 3], "c": [True]}
    expected = list(itertools.product(*public.values()))
    assert frame(public).rows() == expected
    assert frame(public).columns == ["a", "b", "c"]


def test_keys_give_the_order_of_the_columns(frame):
    assert frame({"a": ["x"], "b": [1]}, keys=["b", "a"]).columns == ["b", "a"]
    assert frame([{"a": "x", "b": 1}], keys=["b", "a"]).columns == ["b", "a"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", "b"], pl.String),
        ([1, -2], pl.Int64),
        ([1.5, 2.0], pl.Float64),
        ([True, False], pl.Boolean),
        (["2026-11-01"], pl.String),
    ],
)
def test_the_type_of_an_inline_list_is_the_type_of_its_values(frame, values, dtype):
    keys = frame({"k": values})["k"]
    assert keys.dtype == dtype
    assert keys.to_list() == values


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5, unique=True))
def test_integers_are_exact(values):
    assert key_files.inline_column("k", values).to_list() == values


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("string", ["1"], ["1"]),
        ("int", [1], [1]),
        ("int", ["1", "2"], [1, 2]),
        ("int", [1.0, 2.0], [1, 2]),
        ("float", ["1.5"], [1.5]),
        ("bool", ["true", "False"], [True, False]),
        ("float", [1, 2], [1.0, 2.0]),
        ("float", [1.5], [1.5]),
        ("bool", [True], [True]),
        ("date", ["2026-11-01"], [dt.date(2026, 11, 1)]),
        (
            "timestamp",
            ["2026-11-01T10:00:00"],
            [dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC)],
        ),
        (
            "timestamp",
            ["2026-11-01T10:00:00+02:00"],
            [dt.datetime(2026, 11, 1, 8, tzinfo=dt.UTC)],
        ),
    ],
)
def test_inline_values_have_the_type_of_the_input(frame, kind, values, expected):
    keys = frame({"k": values}, format="csv", types={"k": kind})
    assert keys["k"].to_list() == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", 7),
        ("string", 1.5),
        ("string", True),
        ("int", "7.5"),
        ("int", 1.5),
        ("float", "a"),
        ("float", 2**53 + 1),
        ("bool", "yes"),
        ("bool", 1),
        ("date", 20261101),
        ("date", "1 November"),
        ("timestamp", "noon"),
    ],
)
def test_inline_values_of_another_type_are_refused(frame, kind, value):
    (message,) = refused(frame, {"k": [value]}, format="csv", types={"k": kind})
    dtype = POLARS_TYPES[kind]
    assert message == (
        f"the value {value!r} is listed for 'k'; allowed: values of the type {dtype}, as in the "
        "input, or another type in input.types"
    )


@given(
    st.one_of(
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3, unique=True),
        st.lists(st.floats(allow_nan=False), min_size=1, max_size=3, unique=True),
        st.lists(st.text("0123456789.-eT", max_size=4), min_size=1, max_size=3, unique=True),
        st.lists(st.booleans(), min_size=1, unique=True),
    ),
    st.sampled_from(sorted(POLARS_TYPES)),
)
def test_a_list_means_the_same_for_an_input_with_types_and_for_one_without(values, kind):
    listed = PublicKeys(pl.DataFrame({"k": values})).parts[0]

    def outcome(fit):
        try:
            return fit().to_dict(as_series=False)
        except ValueError as error:
            return str(error).removesuffix(", or another type in input.types")

    reader = public_keys.PublicKeyReader(("k",), {"k": kind}, str, (), None)
    schema = {"k": POLARS_TYPES[kind]}
    assert outcome(lambda: reader._fitted(listed)) == outcome(
        lambda: public_types._fit_frame(listed, schema)
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_lists_all_keys_in_any_order_and_may_have_more_columns(frame, tmp_path, suffix):
    listed = pl.DataFrame({"b": [1, 2], "more": ["x", None], "a": ["p", "q"]})
    getattr(listed, f"write_{suffix}")(tmp_path / f"keys.{suffix}")
    keys = frame(f"keys.{suffix}", keys=["a", "b"])
    kind = pl.Int64 if suffix == "parquet" else pl.String
    assert_frame_equal(keys, listed.select("a", pl.col("b").cast(kind)))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_lists_one_key_of_a_product(frame, tmp_path, suffix):
    getattr(pl.DataFrame({"a": ["p", "q"]}), f"write_{suffix}")(tmp_path / f"a.{suffix}")
    assert frame({"a": f"a.{suffix}", "b": [1]}).rows() == [("p", 1), ("q", 1)]


def test_an_absolute_file(frame, tmp_path):
    file = tmp_path / "elsewhere.csv"
    file.write_text("k\na\n")
    assert frame({"k": str(file)})["k"].to_list() == ["a"]


def test_a_file_name_is_not_a_glob(frame, tmp_path):
    (tmp_path / "[k]*.csv").write_text("k\na\n")
    assert frame({"k": "[k]*.csv"})["k"].to_list() == ["a"]


def test_a_csv_file_is_read_as_the_type_of_a_text_input(frame, tmp_path):
    (tmp_path / "k.csv").write_text("zip,hour\n007,7\nNA,8\n")
    keys = frame("k.csv", keys=["zip", "hour"], format="csv", types={"hour": "int"})
    assert keys.rows() == [("007", 7), ("NA", 8)]


def test_a_csv_file_beside_a_parquet_input_is_text_until_the_input_is_known(frame, tmp_path):
    (tmp_path / "k.csv").write_text("a,b\n" + "1,1\n" * 5 + "x,2\n", newline="")
    (message,) = refused(frame, "k.csv", keys=["a", "b"])
    assert message.endswith("has repeated rows, such as '1', '1'")
    (tmp_path / "k.csv").write_text("a,b\n001,1\nx,2\n")
    assert frame("k.csv", keys=["a", "b"]).rows() == [("001", "1"), ("x", "2")]


def test_a_parquet_file_of_a_narrower_integer(frame, tmp_path):
    pl.DataFrame({"k": [1]}, schema={"k": pl.Int8}).write_parquet(tmp_path / "k.parquet")
    keys = frame({"k": "k.parquet"}, format="csv", types={"k": "int"})
    assert keys.schema == {"k": pl.Int64}


def test_a_file_below_a_named_folder_does_not_gain_columns_from_it(frame, tmp_path):
    (tmp_path / "k=1").mkdir()
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "k=1" / "a.parquet")
    (message,) = refused(frame, {"k": "k=1/a.parquet"})
    assert message.endswith("has no column 'k'; it has: a")


@pytest.mark.parametrize("name", ["k.csv", "k.parquet"])
def test_a_missing_file_and_a_folder(frame, tmp_path, name):
    assert refused(frame, {"k": name}) == [f"no such file: {tmp_path / name}"]
    (tmp_path / name).mkdir()
    assert refused(frame, {"k": name}) == [f"no such file: {tmp_path / name}"]


def test_problems_with_several_files_are_reported_together(frame, tmp_path):
    (tmp_path / "gap.csv").write_text('k,l\na,x\n"",y\n')
    messages = refused(frame, {"k": "nowhere.csv", "l": "gap.csv", "m": "gap.csv"})
    assert len(messages) == 2
    assert "no such file" in messages[0]
    assert "has no column 'm'; it has: k, l" in messages[1]


def test_a_list_that_is_too_long(frame, tmp_path, monkeypatch):
    for module in (key_files, public_keys):
        monkeypatch.setattr(module, "MAX_PARTITIONS", 3)
    (tmp_path / "k.csv").write_text("k\n1\n2\n3\n")
    assert frame({"k": "k.csv"}).height == 3
    assert refused(frame, {"k": "k.csv", "l": ["a", "b"]}) == [
        "makes 6 partitions; allowed: at most 3"
    ]
    (tmp_path / "k.csv").write_text("k\n1\n2\n3\n4\n")
    assert refused(frame, {"k": "k.csv"}) == [f"{tmp_path / 'k.csv'} has more rows than allowed: 3"]


@pytest.mark.parametrize("value", [2**63, 2**64, 2**200, -(2**63) - 1])
def test_an_integer_beyond_64_bits(frame, value):
    assert refused(frame, {"k": [0, value]}) == [
        "has a number that is out of range; allowed: 64-bit integers"
    ]
