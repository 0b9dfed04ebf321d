"""YAML 1.2 scalars, positions, and one clean line for every text that is not a config."""

import json
import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.spec import ConfigError, Position
from pipelines.spec.yaml_reader import parse_yaml, read_yaml


def value(text):
    return parse_yaml(f"x: {text}").data["x"]


def problem(text):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "c.yaml")
    (found,) = caught.value.problems
    return str(found)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-8", 1e-8),
        ("1E5", 1e5),
        ("1e+5", 1e5),
        ("-1.5e3", -1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+.5", 0.5),
        ("1.0", 1.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("+.INF", math.inf),
    ],
)
def test_floats_of_the_core_schema(text, number):
    assert value(text) == number
    assert type(value(text)) is float


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("-12", -12), ("+7", 7), ("017", 17), ("0o17", 15), ("0xFf", 255)],
)
def test_integers_of_the_core_schema(text, number):
    assert value(text) == number
    assert type(value(text)) is int


def test_not_a_number():
    assert math.isnan(value(".nan"))


@pytest.mark.parametrize(
    "text",
    [
        *("no", "yes", "on", "off", "y", "N", "No", "OFF", "tRUE", "nULL"),
        *("2026-11-01", "2026-11-01T10:00:00Z", "12:30:00", "1:30"),
        *("1_000", "0b101", "0o8", "0xg", "-0x1", "1e", "e5", ".", "+.", "1.2.3", "inf", "nan"),
        *("=", "~a", "5 s"),
    ],
)
def test_what_is_text_in_yaml_1_2(text):
    assert value(text) == text


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_true(text):
    assert value(text) is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE"])
def test_false(text):
    assert value(text) is False


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL", "# comment"])
def test_null(text):
    assert value(text) is None


@pytest.mark.parametrize("text", ["'1'", '"1e-8"', "'true'", "'null'", "''", "!!str 1"])
def test_quoted_scalars_are_text(text):
    assert isinstance(value(text), str)


def test_tags_of_the_core_schema_are_kept():
    assert type(value("!!float 1")) is float
    assert value("!!int '5'") == 5


def test_block_text():
    assert parse_yaml("x: |\n  1\n  2\n").data == {"x": "1\n2\n"}


def test_keys_are_text():
    assert parse_yaml("1: a\ntrue: b\nno: c\n'd': e\n1.0: f").data == {
        "1": "a",
        "true": "b",
        "no": "c",
        "d": "e",
        "1.0": "f",
    }


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_read_back(number):
    assert value(repr(number)) == number
    assert type(value(repr(number))) is float


@given(st.integers())
def test_every_integer_is_read_back(number):
    assert value(str(number)) == number


text = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=20)
plain = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)


@example({"<<": None})  # in quotes, it is text and no merge key
@given(st.dictionaries(text, plain, max_size=4))
def test_json_is_yaml(data):
    assert parse_yaml(json.dumps(data)).data == data


@given(st.dictionaries(st.text("abc", min_size=1), st.lists(st.text("xyz ")), min_size=1))
def test_a_position_is_where_the_value_begins(data):
    text = yaml.safe_dump(data, default_style='"', default_flow_style=False)
    source = parse_yaml(text)
    lines = text.splitlines()
    for key, items in source.data.items():
        position = source.keys[(key,)]
        assert lines[position.line - 1][position.column - 1 :].startswith(f'"{key}"')
        for index, item in enumerate(items):
            position = source.position((key, index))
            assert lines[position.line - 1][position.column - 1 :] == f'"{item}"'


def test_positions_of_values_and_keys():
    source = parse_yaml("# comment\na:\n  b: [1, two]\n  c:\n    - d: 5\n")
    assert source.position(()) == Position(2, 1)
    assert source.position(("a", "b")) == Position(3, 6)
    assert source.position(("a", "b", 1)) == Position(3, 10)
    assert source.position(("a", "c", 0, "d")) == Position(5, 10)
    assert source.keys["a", "c", 0, "d"] == Position(5, 7)


def test_columns_count_characters_and_not_bytes():
    assert parse_yaml("x: ['ä🙂', y]").position(("x", 1)) == Position(1, 11)


def test_windows_line_ends_and_byte_order_mark(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    source = read_yaml(file)
    assert source.data == {"a": 1, "b": 2}
    assert source.position(("b",)) == Position(2, 4)


def test_a_duplicate_key_is_reported_and_the_first_counts():
    source = parse_yaml("a: {b: 1, c: 2, b: 3, b: 4}", "c.yaml")
    assert source.data == {"a": {"b": 1, "c": 2}}
    assert [str(duplicate) for duplicate in source.duplicates] == [
        "c.yaml:1:17: a.b: the key is given twice, first at 1:5; allowed: once",
        "c.yaml:1:23: a.b: the key is given twice, first at 1:5; allowed: once",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.yaml:1:1: is empty; allowed: keys with values"),
        ("---\n", "c.yaml:2:1: is not a mapping; allowed: `key: value` lines"),
        ("a: 'x", "c.yaml:1:6: while scanning a quoted scalar, found unexpected end of stream"),
        ("a:\n\tb: 1", "c.yaml:2:1: a tab is not allowed here; indent with spaces"),
        ("a: &x [*x]", "c.yaml:1:8: the alias *x is not allowed; write the value out"),
        ("a: *x", "c.yaml:1:4: the alias *x is not allowed; write the value out"),
        ("? {a: b}\n: c", "c.yaml:1:3: a list or mapping cannot be a key; allowed: text"),
        ("a: !!bool yes", "c.yaml:1:4: 'yes' cannot be read as bool"),
        ("a: !mine 5", "c.yaml:1:4: the tag !mine is not allowed; leave it out"),
        ('a: "\\ud800"', "c.yaml:1:4: a surrogate (\\uD800 to \\uDFFF) is not a character"),
        ("a: \x00", "c.yaml:1:4: the character U+0000 is not allowed in YAML"),
    ],
)
def test_a_text_that_is_no_config_is_one_line(text, message):
    assert problem(text) == message


def test_deep_nesting_is_one_line():
    assert problem("a: " + "[" * 100_000) == "c.yaml: is nested too deeply"


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"^.*c\.yaml: no such file$"):
        read_yaml(tmp_path / "c.yaml")


def test_a_folder_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"is a folder; allowed: a YAML file$"):
        read_yaml(tmp_path)


def test_a_file_below_a_file_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be read: Not a directory$"):
        read_yaml(tmp_path / "file" / "c.yaml")


def test_a_file_that_is_not_utf_8_is_one_line(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_bytes("a: 1\nb: ü".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read_yaml(file)
    assert str(caught.value) == f"{file}:2:4: the byte 0xfc is not UTF-8; save the file as UTF-8"


def problems(text):
    try:
        return parse_yaml(text).duplicates
    except ConfigError as error:
        return error.problems


@given(st.text() | st.text(":-[]{}&*!|>'\"%@`#, \n\tax1"))
def test_every_text_is_data_or_plain_problems(text):
    for found in problems(text):
        assert len(str(found).splitlines()) == 1
