"""Text files: every rule of the docstring, and arbitrary bytes against slow, obvious parsers."""

import csv
import io
import json
import math
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.sources.lines import csv_header, read_csv, read_jsonl
from transforms.text_types import POLARS_TYPES

ALL_TYPES = {kind: kind for kind in POLARS_TYPES}
NOT_TEXT = "\N{REPLACEMENT CHARACTER}"
MARK = b"\xef\xbb\xbf"

# Short pieces that matter to a parser, so that random concatenations hit every branch.
PIECES = [
    *[b",", b'"', b'""', b"\n", b"\r", b"\r\n", b"\x00", b"\x01", b"\x1a", b" ", b"\t", b"a", b"7"],
    *[b"1.5", b"-", b"nan", b"inf", b"1e999", b"99999999999999999999", b"true", b"2024-02-29"],
    *[
        b"2024-01-01T00:00:00Z",
        b"+262142-12-31 23:59:60-23:59",
        MARK,
        b"\xff",
        b"\xe2\x82",
        b"\x85",
    ],
    *["é".encode(), "\u2028".encode(), "😀".encode(), b"{", b"}", b"[", b"]", b":", b"\\", b"\\u"],
    *[b'{"string":1,"int":', b'{"float":1e999}', b"null", b"#", b"'", b"ud800"],
]
dirty_bytes = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(b"".join)
dirty_lines = st.lists(dirty_bytes.map(lambda text: text.replace(b"\n", b"")), max_size=8)


def csv_rows(text, types, block_bytes=1 << 20):
    frames = read_csv(io.BytesIO(text), types, block_bytes)
    return [row for frame in frames for row in frame.rows()]


def jsonl_rows(text, types, block_bytes=1 << 20):
    frames = read_jsonl(io.BytesIO(text), types, block_bytes)
    return [row for frame in frames for row in frame.rows()]


def texts(*lines):
    """Reads lines of a CSV file with the columns a and b as text, in any order."""
    return sorted(csv_rows(b"\n".join([b"a,b", *lines]), {"a": "string", "b": "string"}), key=str)


def values(kind, texts_of_values):
    """Reads values as a type, one per CSV line, in order."""
    lines = "\n".join(["v,rest", *(f"{value}," for value in texts_of_values)])
    return [value for (value,) in csv_rows(lines.encode(), {"v": kind})]


def members(*lines, kind="string"):
    """Reads the member a of JSON lines."""
    return [value for (value,) in jsonl_rows(b"\n".join(lines), {"a": kind})]


def same(left, right):
    """Whether rows are equal, with NaN equal to NaN, in any order."""
    return sorted(map(repr, left)) == sorted(map(repr, right))


# CSV lines


def test_a_quoted_field_may_hold_commas_and_doubled_quotes():
    assert texts(b'"a,1","say ""hi"""') == [("a,1", 'say "hi"')]


def test_a_line_may_have_quotes_in_any_of_its_fields_and_empty_ones_beside_them():
    assert texts(b',"x"') == [(None, "x")]
    assert texts(b'"x",') == [("x", None)]
    assert texts(b'"",""') == [(None, None)]


@pytest.mark.parametrize(
    "line",
    [b'"a,b', b'a,"b', b'a,b"', b'a"x,b', b'a"x"y,b', b'"a"x,b', b'"a" ,b', b'"""a,b', b' "a",b'],
)
def test_a_line_with_a_stray_quote_is_dropped_and_the_next_one_is_not(line):
    assert texts(line, b"1,2", b'"3","4"') == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize("line", [b"a", b"a,b,c", b'"a","b","c"', b",,", b"   "])
def test_a_line_with_another_number_of_fields_is_dropped(line):
    assert texts(line, b"1,2") == [("1", "2")]


def test_line_ends_of_windows_are_removed_once():
    assert texts(b"1,2\r", b'"3","4"\r', b"5,6\r\r") == [("1", "2"), ("3", "4"), ("5", "6\r")]


def test_only_a_newline_ends_a_line():
    assert texts(b"1\r2,3", "4\u20285,6".encode(), b"7\x0b,8\x0c\x1c") == [
        ("1\r2", "3"),
        ("4\u20285", "6"),
        ("7\x0b", "8\x0c\x1c"),
    ]


def test_empty_lines_are_no_rows():
    assert texts(b"", b"\r", b"1,2", b"", b"") == [("1", "2")]
    assert csv_rows(b"a\n\n\r\nx\n\n", {"a": "string"}) == [("x",)]


def test_control_characters_and_nul_are_text():
    assert texts(b"\x00,\x01\x02", b"a\x00b,\x7f\x1a") == [
        ("\x00", "\x01\x02"),
        ("a\x00b", "\x7f\x1a"),
    ]


def test_bytes_that_are_not_utf8_are_replaced_within_their_line():
    assert texts(b"\xff,\xe2\x82", b"\x85x,ok") == [
        (NOT_TEXT, NOT_TEXT),
        (f"{NOT_TEXT}x", "ok"),
    ]


def test_white_space_and_comment_signs_are_text():
    assert texts(b" a ,\tb", b"#x,y") == [(" a ", "\tb"), ("#x", "y")]


def test_the_last_line_needs_no_newline():
    assert csv_rows(b"a,b\n1,2", {"a": "string"}) == [("1",)]


# CSV headers


def test_columns_are_found_by_name_in_any_order():
    text = b"a,b,c\n1,2,3\n"
    assert csv_rows(text, {"c": "int", "a": "string"}) == [(3, "1")]


def test_a_header_may_have_quotes_empty_names_and_a_byte_order_mark():
    assert csv_header(io.BytesIO(MARK + b'"a","b,c","d""e"\r\n')) == ["a", "b,c", 'd"e']
    assert csv_header(io.BytesIO(b",a,b\n")) == ["", "a", "b"]
    assert csv_rows(b",a\n0,x\n1,y\n", {"a": "string"}) == [("x",), ("y",)]


def test_of_a_name_that_is_there_twice_the_first_column_is_read():
    assert csv_rows(b"a,a\n1,2\n", {"a": "string"}) == [("1",)]


@pytest.mark.parametrize("header", [b"", b"\n", b"\r\n", b'"a,b\n'])
def test_a_header_that_is_empty_or_malformed_has_no_columns(header):
    assert csv_header(io.BytesIO(header)) == []


def test_a_column_that_the_header_lacks_is_left_out():
    assert csv_rows(b"a,b\n1,2\n", {"b": "string", "z": "string"}) == [("2",)]


@pytest.mark.parametrize("types", [{}, {"z": "string"}])
def test_rows_are_there_without_a_column_too(types):
    assert len(csv_rows(b"a,b\n1,2\n3\n4,5\n", types)) == 2
    assert len(jsonl_rows(b'{"a": 1}\n\nx\n', {})) == 2


def test_a_file_with_only_a_header_has_no_rows():
    assert csv_rows(b"a,b", {"a": "string"}) == []
    assert csv_rows(b"a,b\n", {"a": "string"}) == []


def test_a_byte_order_mark_elsewhere_is_text_wherever_a_block_begins():
    text = b"a,b\n" + MARK + b"1,2\n" + MARK + b"3,4\n"
    for block_bytes in (1, 4, 7, 1000):
        assert csv_rows(text, {"a": "string"}, block_bytes) == [("\ufeff1",), ("\ufeff3",)]


# Values


def test_an_empty_field_is_null_for_every_type():
    for kind in ALL_TYPES:
        assert values(kind, ["", '""']) == [None, None]


def test_whole_numbers():
    assert values("int", ["0", "-7", "+7", " 12 ", "007"]) == [0, -7, 7, 12, 7]
    assert values("int", [str(2**63 - 1), str(-(2**63))]) == [2**63 - 1, -(2**63)]


@pytest.mark.parametrize(
    "text",
    [str(2**63), str(-(2**63) - 1), "9" * 400, "1.0", "1e3", "0x1", "1_000", "٣", "x", "--1"],
)
def test_what_is_no_64_bit_integer_is_null_as_an_int(text):
    assert values("int", [text]) == [None]


def test_floats():
    assert values("float", ["1", "1.5", ".5", "5.", "-2e3", " 7 "]) == [1, 1.5, 0.5, 5, -2000, 7]
    assert values("float", ["inf", "-inf", "Infinity", "1e999", "-1e999"]) == [
        *(math.inf, -math.inf, math.inf, math.inf, -math.inf)
    ]
    assert all(math.isnan(value) for value in values("float", ["nan", "NaN", "NAN"]))


@pytest.mark.parametrize("text", ["x", "1e", '"1,5"', "0x1p3", "1_0", "1 2", "--1", "."])
def test_what_is_no_number_is_null_as_a_float(text):
    assert values("float", [text]) == [None]


def test_booleans():
    assert values("bool", ["true", "False", "TRUE", " true "]) == [True, False, True, True]
    assert values("bool", ["1", "0", "t", "yes", "wahr"]) == [None] * 5


def test_dates():
    assert values("date", ["2024-02-29", " 2024-03-01 "]) == [date(2024, 2, 29), date(2024, 3, 1)]
    wrong = ["2023-02-29", "20240101", "2024/01/01", "2024-01-01 00:00:00", "2024-01-01x", "1", "x"]
    assert values("date", wrong) == [None] * len(wrong)


def test_a_timestamp_without_a_zone_is_in_utc():
    assert values(
        "timestamp",
        [
            *["2024-01-02", "2024-01-02T10:11", "2024-01-02 10:11:12", "2024-01-02T10:11:12.5"],
            *["2024-01-02 10:11:12.123456789", " 2024-01-02T10:11:12 "],
        ],
    ) == [
        datetime(2024, 1, 2, tzinfo=UTC),
        datetime(2024, 1, 2, 10, 11, tzinfo=UTC),
        datetime(2024, 1, 2, 10, 11, 12, tzinfo=UTC),
        datetime(2024, 1, 2, 10, 11, 12, 500_000, tzinfo=UTC),
        datetime(2024, 1, 2, 10, 11, 12, 123_456, tzinfo=UTC),
        datetime(2024, 1, 2, 10, 11, 12, tzinfo=UTC),
    ]


def test_a_timestamp_with_a_zone_is_moved_to_utc():
    assert values(
        "timestamp",
        [
            *["2024-01-02T10:11:12Z", "2024-01-02T10:11:12z", "2024-01-02T10:11Z"],
            *["2024-01-02T10:11:12.5+02:00", "2024-01-02T10:11:12+0200", "2024-01-02 10:11-05:30"],
        ],
    ) == [
        datetime(2024, 1, 2, 10, 11, 12, tzinfo=UTC),
        datetime(2024, 1, 2, 10, 11, 12, tzinfo=UTC),
        datetime(2024, 1, 2, 10, 11, tzinfo=UTC),
        datetime(2024, 1, 2, 8, 11, 12, 500_000, tzinfo=UTC),
        datetime(2024, 1, 2, 8, 11, 12, tzinfo=UTC),
        datetime(2024, 1, 2, 15, 41, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *["2024-13-01", "2024-01-01T25:00:00", "2024-01-01T10:11:12+25:00", "1704103872", "now"],
        *[
            "2024-01-01T10:11:12 UTC",
            "+262142-12-31T23:59:59-23:00",
            "-262143-01-01T00:00:00+23:00",
        ],
    ],
)
def test_what_is_no_timestamp_is_null(text):
    assert values("timestamp", [text]) == [None]


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_a_column_has_its_type_even_when_nothing_parses(kind):
    for text in (b"v,x\n", b"v,x\n?,\n", b"v,x\n1\n"):
        for frame in read_csv(io.BytesIO(text), {"v": kind}):
            assert frame.schema == {"v": POLARS_TYPES[kind]}
    for frame in read_jsonl(io.BytesIO(b"?\n"), {"v": kind}):
        assert frame.schema == {"v": POLARS_TYPES[kind]}


# JSON lines


def test_a_json_string_is_read_with_its_escapes_resolved():
    assert members(b'{"a":"x\\n\\"\\\\\\u00e9\\ud83d\\ude00"}', '{"a":"日本"}'.encode()) == [
        'x\n"\\é😀',
        "日本",
    ]


def test_json_scalars_and_nested_values_are_their_json_text():
    lines = [b'{"a":7}', b'{"a":1.5}', b'{"a":true}', b'{"a":{"x":[1,null]}}', b'{"a":[]}']
    assert members(*lines) == ["7", "1.5", "true", '{"x":[1,null]}', "[]"]


def test_a_json_null_and_a_missing_member_are_null_and_an_empty_string_is_not():
    assert members(b'{"a":null}', b"{}", b'{"b":1}', b'{"a":""}') == [None, None, None, ""]


@pytest.mark.parametrize(
    "line",
    [
        *[
            b"x",
            b"{",
            b'{"a":1',
            b'{"a":1}}',
            b'{"a":1} {"a":2}',
            b'{"a":NaN}',
            b"[1]",
            b"1",
            b"null",
        ],
        *[
            b'{"a":"\\ud800"}',
            b'{"a":"\x01"}',
            b"{'a':1}",
            b'{"a":' + b"[" * 100_000,
            b'{"a":1e999}',
        ],
    ],
)
def test_a_json_line_that_is_no_object_is_a_row_of_nulls(line):
    rows = jsonl_rows(b'{"a":"x","b":1}\n' + line + b"\n", {"a": "string", "b": "int"})
    assert rows == [("x", 1), (None, None)]


def test_a_json_value_is_parsed_as_its_declared_type():
    assert members(b'{"a":7}', b'{"a":"8"}', b'{"a":1.5}', b'{"a":true}', kind="int") == [
        *(7, 8, None, None)
    ]
    assert members(b'{"a":7}', b'{"a":"nan"}', b'{"a":"inf"}', kind="float")[::2] == [7.0, math.inf]
    assert members(b'{"a":true}', b'{"a":"false"}', b'{"a":1}', kind="bool") == [True, False, None]
    assert members(b'{"a":"2024-02-29"}', b'{"a":20240229}', kind="date") == [
        *(date(2024, 2, 29), None)
    ]
    assert members(b'{"a":"2024-02-29T00:00:00Z"}', kind="timestamp") == [
        datetime(2024, 2, 29, tzinfo=UTC)
    ]


def test_json_lines_may_have_a_byte_order_mark_line_ends_of_windows_and_empty_lines():
    text = MARK + b'{"a":1}\r\n\r\n\n  {"a" : 2} '
    for block_bytes in (1, 5, 1000):
        assert jsonl_rows(text, {"a": "int"}, block_bytes) == [(1,), (2,)]


@pytest.mark.parametrize("name", ["a b", "a'b", 'a"b', "a.b", "é", "*", "a]", "$", "0", "", "a[0]"])
def test_a_json_member_may_have_any_name(name):
    line = json.dumps({"other": 1, name: "found", "last": 2}).encode()
    assert jsonl_rows(line, {name: "string"}) == [("found",)]


# Any bytes


@settings(max_examples=150, deadline=None)
@given(dirty_bytes, st.integers(1, 40))
@example(b"\n", 1)
@example(b"\n\n\n", 2)
@example(b",\n,\n,", 1)
@example(MARK, 1)
def test_csv_of_any_bytes_never_fails_and_does_not_depend_on_the_blocks(text, block_bytes):
    text = b"string,int,float,bool,date,timestamp\n" + text
    whole = csv_rows(text, ALL_TYPES)
    assert same(csv_rows(text, ALL_TYPES, block_bytes), whole)


@settings(max_examples=150, deadline=None)
@given(dirty_bytes, st.integers(1, 40))
@example(MARK + b'{"int":1}\n' + MARK + b'{"int":2}', 13)
def test_jsonl_of_any_bytes_never_fails_and_does_not_depend_on_the_blocks(text, block_bytes):
    whole = jsonl_rows(text, ALL_TYPES)
    assert same(jsonl_rows(text, ALL_TYPES, block_bytes), whole)


@settings(max_examples=100, deadline=None)
@given(dirty_bytes)
def test_a_header_of_any_bytes_never_fails(text):
    names = csv_header(io.BytesIO(text))
    assert all(isinstance(name, str) for name in names)


@settings(max_examples=100, deadline=None)
@given(dirty_lines)
def test_every_csv_line_is_read_as_if_it_were_alone(lines):
    header, types = b"string,int", {"string": "string", "int": "int"}
    together = csv_rows(b"\n".join([header, *lines]), types)
    alone = [row for line in lines for row in csv_rows(header + b"\n" + line, types)]
    assert same(together, alone)


@settings(max_examples=100, deadline=None)
@given(dirty_lines)
def test_every_json_line_is_read_as_if_it_were_alone(lines):
    # The mark at the start of a file belongs to the file, not to its first line.
    together = jsonl_rows(b"\n".join([b"{}", *lines]), ALL_TYPES)
    alone = [row for line in lines for row in jsonl_rows(b"{}\n" + line, ALL_TYPES)[1:]]
    assert same(together[1:], alone)


@settings(max_examples=60, deadline=None)
@given(dirty_lines, dirty_lines, dirty_lines)
def test_changing_some_lines_changes_no_row_of_other_lines(before, one, other):
    header, types = b"string,int", {"string": "string", "int": "int"}
    after = [b"someone,1", b'"else",2', b",3"]
    expected = csv_rows(b"\n".join([header, *before, *after]), types)
    for lines in (one, other):
        both = csv_rows(b"\n".join([header, *before, *lines, *after]), types)
        changed = csv_rows(b"\n".join([header, *lines]), types)
        assert same(both, [*expected, *changed])


fields = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r\x00"), max_size=6
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(fields, min_size=2, max_size=4), max_size=8), st.sampled_from(range(2)))
def test_well_formed_csv_agrees_with_the_csv_module(rows, quoting):
    written = io.StringIO(newline="")
    csv.writer(written, quoting=quoting, lineterminator="\n").writerows([["a", "b"], *rows])
    lines = written.getvalue().split("\n")
    expected = [
        tuple(field or None for field in row)
        for line in lines[1:]
        for row in csv.reader([line])
        if len(row) == 2
    ]
    found = csv_rows(written.getvalue().encode(), {"a": "string", "b": "string"})
    assert same(found, expected)


json_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(json_scalars, max_size=8), st.booleans())
def test_json_strings_agree_with_json_loads(scalars, ascii_only):
    lines = [json.dumps({"x": 0, "a": value}, ensure_ascii=ascii_only) for value in scalars]
    found = members(*(line.encode() for line in lines))
    for text, value in zip(found, scalars, strict=True):
        if value is None or isinstance(value, str):
            assert text == value
        elif isinstance(value, float):
            assert math.isclose(json.loads(text), value, rel_tol=1e-14)
        else:
            assert json.loads(text) == value


@settings(max_examples=100, deadline=None)
@given(st.lists(json_scalars, max_size=8))
def test_json_numbers_agree_with_json_loads(scalars):
    lines = [json.dumps({"a": value}).encode() for value in scalars]
    whole = members(*lines, kind="int")
    for found, value in zip(whole, scalars, strict=True):
        if isinstance(value, int) and not isinstance(value, bool):
            assert found == value
    for found, value in zip(members(*lines, kind="float"), scalars, strict=True):
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert math.isclose(found, value, rel_tol=1e-14)


def test_many_lines_of_every_kind_in_one_file_add_up():
    count = 20_000
    lines = [b"u%d,%d" % (number, number) for number in range(count)]
    lines[::10] = [b'"u%d","%d"' % (number, number) for number in range(0, count, 10)]
    lines[5::10] = [b'u%d,"%d' % (number, number) for number in range(5, count, 10)]
    text = b"\n".join([b"u,n", *lines])
    read = pl.concat(read_csv(io.BytesIO(text), {"u": "string", "n": "int"}, 1 << 12))
    expected = [number for number in range(count) if number % 10 != 5]
    assert read["n"].sort().to_list() == expected
    assert (read["u"] == "u" + read["n"].cast(pl.String)).all()
