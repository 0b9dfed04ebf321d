"""Order of steps: derived columns, several rows of one, the filter."""

import pickle

import polars as pl
import pyarrow as pa
import pytest

from transforms.prepare.lookups import LookupFile, lookup_table
from transforms.prepare.preparation import Preparation, PreparationError

ROWS = pl.DataFrame(
    {
        "user": ["a", "b", "c", None],
        "text": ["👍👍 hi", "none", None, "❤ x"],
        "number": [1, 2, 3, 4],
    }
)


def problems(*arguments, **keywords):
    with pytest.raises(PreparationError) as caught:
        Preparation(*arguments, **keywords)
    return [(place.column, place.at, message) for place, message in caught.value.problems]


def test_each_value_becomes_a_row_and_a_row_without_any_stays_with_a_null():
    prepared = Preparation({"emoji": "emoji(text)"}).apply_to_frame(ROWS)
    assert prepared.select("user", "number", "emoji").rows() == [
        *(("a", 1, "👍"), ("a", 1, "👍"), ("b", 2, None), ("c", 3, None), (None, 4, "❤️"))
    ]


def test_columns_see_those_before_them_and_are_repeated():
    columns = {"double": "number * 2", "word": "upper(words(text))", "both": "word || double"}
    prepared = Preparation(columns).apply_to_frame(ROWS)
    assert prepared.select("double", "both").rows() == [
        *((2, "HI2"), (4, "NONE4"), (6, None), (8, "X8"))
    ]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("number > 1", [None, None, "❤️"]),
        ("emoji = '👍'", ["👍", "👍"]),
        ("emoji is null and number > 2", [None]),
        ("user = 'a'", ["👍", "👍"]),
        ("user <> 'a'", [None, None]),
        ("null and number > 0", []),
    ],
)
def test_where_is_a_condition_on_the_rows_that_were_made(where, kept):
    prepared = Preparation({"emoji": "emoji(text)"}, where).apply_to_frame(ROWS)
    assert prepared["emoji"].to_list() == kept


def test_a_filter_of_input_columns_comes_to_the_same_before_and_after_exploding():
    early = Preparation({"emoji": "emoji(text)"}, "number > 1").apply_to_frame(ROWS)
    late = Preparation({"emoji": "emoji(text)"}).apply_to_frame(ROWS).filter(pl.col("number") > 1)
    assert early.equals(late)


def test_a_derived_column_hides_a_column_of_the_input():
    prepared = Preparation({"text": "upper(user)"}, where="text = 'B'").apply_to_frame(ROWS)
    assert prepared["text"].to_list() == ["B"]


@pytest.mark.parametrize(
    ("columns", "where", "expected"),
    [
        ({"a": "upper(a)"}, None, [("a", 6, "the derived column names itself")]),
        ({"a": "upper(b)", "b": "lower(c)"}, None, [("a", 6, "'b' is derived later")]),
        ({"a": "1 + 1"}, None, [("a", 0, "names no column")]),
        ({}, "1 = 1", [(None, 0, "names no column")]),
        ({"a": "words(x)", "b": "emoji(x)"}, None, [("b", 0, "words() in 'a'")]),
        ({"a": "words(x) || emoji(x)"}, None, [("a", 12, "one such call")]),
        ({"a": "words(emoji(x))"}, None, [("a", 6, "one such call")]),
        ({}, "words(x) = 'a'", [(None, 0, "allowed: in a column")]),
        ({"a": "x + "}, "sum(y) > 1", [("a", 2, "not a SQL"), (None, 0, "other rows")]),
        ({"a": "upper(x) + 1"}, None, [("a", 0, "numbers")]),
        ({"a": "upper(x)", "b": "a + 1"}, None, [("b", 0, "column 'a' of +")]),
        ({}, "upper(x)", [(None, 0, "allowed: a condition")]),
        ({"^a$": "upper(x)"}, None, [("^a$", 0, "rename it")]),
        ({"value:x": "upper(x)"}, None, [("value:x", 0, "rename it")]),
    ],
)
def test_what_can_be_refused_without_the_input_is(columns, where, expected):
    found = problems(columns, where)
    assert [(name, at) for name, at, _ in found] == [(name, at) for name, at, _ in expected]
    for (_, _, message), (_, _, part) in zip(found, expected, strict=True):
        assert part in message


def test_every_wrong_expression_is_told():
    found = problems({"a": "sum(x)", "b": "uper(x)", "c": "upper(x)"}, "c + 1 > now()")
    assert [(name, at) for name, at, _ in found] == [("a", 0), ("b", 0), (None, 0)]


def test_a_missing_column_is_told_with_those_that_are_there_and_their_types():
    with pytest.raises(
        PreparationError, match=r"no column 'txt'; there are: user \(String\), text"
    ):
        Preparation({"a": "upper(txt)"}).schema(ROWS.schema)


def test_the_columns_and_files_that_are_needed():
    preparation = Preparation(
        {"a": "lookup(x, 'f.csv', 'v')", "b": "lookup(a || y, 'g.csv', 'v', 'k')"}, "a = z"
    )
    assert [name for _, name in preparation.named_columns] == ["x", "y", "z"]
    assert [wanted for _, wanted in preparation.lookups] == [
        LookupFile("f.csv", "x", "v"),
        LookupFile("g.csv", "k", "v"),
    ]
    assert [place.at for place, _ in preparation.lookups] == [10, 15]


@pytest.mark.parametrize(
    "text",
    ["lookup(x)", "lookup(x, 'f.csv')", "lookup(x, y, 'v')", "lookup(-x, 'f.csv', 'v')"],
)
def test_a_lookup_that_is_not_complete_is_refused(text):
    assert problems({"a": text})


def test_the_type_of_a_column_is_known_as_soon_as_it_can_be():
    preparation = Preparation({"a": "number + 1", "b": "emoji(text)", "c": "a / 2", "d": "text"})
    assert preparation.schema({"number": pl.UInt8(), "text": pl.Categorical()}) == {
        **{"number": pl.UInt8(), "text": pl.Categorical()},
        **{"a": pl.Int64(), "b": pl.String(), "c": pl.Float64(), "d": pl.String()},
    }


def test_text_that_is_not_utf8_has_its_bad_bytes_replaced():
    raw = pa.array([b"caf\xff words", None], pa.binary())
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), 2, raw.buffers()), "n": [1, 2]})
    prepared = Preparation({"word": "words(text)"}).apply(table, ["n", "word", "text"])
    assert pl.DataFrame(prepared).rows() == [
        *((1, "caf", "caf\ufffd words"), (1, "words", "caf\ufffd words"), (2, None, None))
    ]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_arrow_tables_come_out_with_the_columns_asked_for(rows):
    table = ROWS.head(rows).to_arrow()
    preparation = Preparation({"word": "words(text)"}, where="number <> 2")
    prepared = preparation.apply(table, ["word", "user"])
    assert prepared.column_names == ["word", "user"]
    assert prepared.num_rows == {0: 0, 1: 1, 3: 2}[rows]


def test_a_preparation_travels_to_a_worker():
    wanted = LookupFile("f.csv", "user", "area")
    table = lookup_table(pl.DataFrame({"user": ["a"], "area": [1]}), wanted)
    columns = {"word": "words(text)", "area": "lookup(user, 'f.csv', 'area')"}
    preparation = Preparation(columns, "number < 4", {wanted: table})
    before = preparation.apply_to_frame(ROWS)
    assert pickle.loads(pickle.dumps(preparation)).apply_to_frame(ROWS).equals(before)


def test_a_type_that_does_not_fit_is_refused_when_rows_come():
    with pytest.raises(PreparationError, match="allowed: text"):
        Preparation({"a": "upper(number)"}).apply_to_frame(ROWS)
