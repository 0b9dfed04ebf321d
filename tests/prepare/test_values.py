"""What expressions give: by example, by Polars' own SQL, and null where there is no answer."""

import math
from datetime import date, datetime
from itertools import product
from operator import floordiv, mod
from random import Random

import polars as pl
import pytest
from expressions import evaluate

from transforms.prepare.preparation import Preparation, PreparationError

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("x + 1", [1, LARGEST, None], [2, None, None]),
        ("x - 1", [1, -LARGEST - 1], [0, None]),
        ("x * x", [3, 2**32, -(2**31)], [9, None, 2**62]),
        ("-x", [3, -LARGEST - 1], [-3, None]),
        ("abs(x)", [-3, -LARGEST - 1], [3, None]),
        ("x // -1", [7, -LARGEST - 1], [-7, None]),
        ("7 / x", [2, 0, None], [3.5, None, None]),
        ("7 // x", [2, -2, 0], [3, -4, None]),
        ("7 % x", [2, -2, 0], [1, -1, None]),
        ("7.5 // x", [2, 0], [3.0, None]),
        ("7.5 % x", [2, -2, 0], [1.5, -0.5, None]),
        ("sqrt(x)", [4, -1], [2.0, None]),
        ("ln(x)", [1, 0, -1], [0.0, -math.inf, None]),
        ("x > 0 or x is null", [1, None, -1], [True, True, False]),
        ("not x > 0", [1, None, -1], [False, None, True]),
        ("x in (1, null)", [1, 2, None], [True, None, None]),
        ("x not in (1, 3)", [1, 2, None], [False, True, None]),
        ("x not between 1 and 2", [1, 3, None], [False, True, None]),
        ("x is not distinct from 1", [1, 2, None], [True, False, False]),
        ("case x when 1 then 'a' when 2 then 'b' end", [1, 2, 3], ["a", "b", None]),
        ("case when x > 1 then x else 0.5 end", [1, 2, None], [0.5, 2.0, 0.5]),
        ("if(x > 1, 'many', 'one')", [1, 2, None], ["one", "many", "one"]),
        ("coalesce(x, 0)", [1, None], [1, 0]),
        ("greatest(x, 2)", [1, 3, None], [2, 3, 2]),
        ("concat(x, '-', x)", [1, None], ["1-1", None]),
        ("x::text", [1, None], ["1", None]),
        ("cast(x as boolean)", [0, 2, None], [False, True, None]),
        ("bin(x, 10)", [-1, 0, 9, 10, None], [-10, 0, 0, 10, None]),
        ("from_epoch(x)", [0, LARGEST], [datetime.fromisoformat("1970-01-01T00:00Z"), None]),
    ],
)
def test_whole_numbers(expression, values, expected):
    assert evaluate(expression, x=pl.Series(values, dtype=pl.Int64)) == expected


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("cast(x as text)", [7.0, 0.5, -0.0, math.inf, math.nan], ["7", "0.5", "0", "inf", None]),
        ("cast(x as bigint)", [1.9, -1.9, 1e300, math.inf, math.nan], [1, -1, None, None, None]),
        ("x > 1", [2.0, math.nan, math.inf], [True, None, True]),
        ("x - x", [2.0, math.inf], [0.0, None]),
        ("round(x, 1)", [0.25, 0.35], [0.2, 0.4]),
        ("pow(x, 0.5)", [4.0, -4.0], [2.0, None]),
        ("sign(x)", [-2.5, 0.0, math.inf, math.nan], [-1, 0, 1, None]),
    ],
)
def test_numbers(expression, values, expected):
    found = evaluate(expression, x=pl.Series(values, dtype=pl.Float64))
    assert found == pytest.approx(expected, nan_ok=False)


def test_a_quotient_is_that_of_its_row_to_the_last_bit():
    """Polars multiplies a long column by the reciprocal of a constant, and divides a short one."""
    random = Random(3)
    values = [random.uniform(-1e18, 1e18) for _ in range(1000)]
    assert evaluate("x / 0.1", x=values) == [value / 0.1 for value in values]
    assert evaluate("x % 0.7", x=values) == [value % 0.7 for value in values]


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("cast(x as bigint)", ["12", " 9 ", "1.0", "x", "", str(2**63)], [12, 9, *[None] * 4]),
        ("cast(x as double)", ["1.5", "nan", "1e999", "x"], [1.5, None, math.inf, None]),
        ("cast(x as boolean)", ["true", "FALSE", "1"], [True, False, None]),
        ("date(x::date)", ["2024-02-29", "2023-02-29"], [date(2024, 2, 29), None]),
        (
            "hour(x::timestamp)",
            ["2024-01-01 07:30", "2024-01-01T07:30:00+02:00", "?"],
            [7, 5, None],
        ),
        ("x like 'a_%'", ["abc", "a", "a\nb", "Abc", None], [True, False, True, False, None]),
        ("x ilike 'A%.'", ["abc.", "abcd"], [True, False]),
        ("x not like 'a%'", ["abc", "b", None], [False, True, None]),
        ("substr(x, 2, 3)", ["héllo", "h", ""], ["éll", "", ""]),
        ("substr(x, -1, 3)", ["hello"], ["h"]),
        ("substr(x, 2, -3)", ["hello"], [""]),
        ("left(x, 2)", ["日本語", "a"], ["日本", "a"]),
        ("right(x, 2)", ["日本語", "a"], ["本語", "a"]),
        ("split_part(x, '.', 2)", ["7.1.2", "7", None], ["1", None, None]),
        ("regexp_extract(x, '(\\d+)\\.(\\d+)', 2)", ["v7.12", "v7"], ["12", None]),
        ("regexp_extract(x, '\\d+')", ["v7.12", "v"], ["7", None]),
        ("regexp_replace(x, '[aeiou]', '')", ["hello"], ["hll"]),
        ("replace(x, '.', '')", ["1.2.3"], ["123"]),
        ("lpad(x, 3, '0')", ["7", "1234"], ["007", "1234"]),
        ("length(x)", ["日本", "", None], [2, 0, None]),
        ("trim(x) || '!'", [" a ", None], ["a!", None]),
        ("initcap(x)", ["new york"], ["New York"]),
        ("nullif(x, '')", ["", "a"], [None, "a"]),
    ],
)
def test_texts(expression, values, expected):
    assert evaluate(expression, x=pl.Series(values, dtype=pl.String)) == expected


def test_whole_numbers_of_different_types_are_compared_exactly():
    ids = pl.Series([2**64 - 1, 2**53 + 1, 1], dtype=pl.UInt64)
    other = pl.Series([-1, 2**53, 1], dtype=pl.Int64)
    assert evaluate("id = other", id=ids, other=other) == [False, False, True]
    assert evaluate("id > other", id=ids, other=other) == [True, True, False]
    assert evaluate("id::text", id=ids) == [str(2**64 - 1), str(2**53 + 1), "1"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pl.Series(["a", "b", None]).cast(pl.Categorical), ["A", "B", None]),
        (pl.Series(["a"], dtype=pl.Enum(["a"])), ["A"]),
    ],
)
def test_categories_are_texts(values, text):
    assert evaluate("upper(x)", x=values) == text


@pytest.mark.parametrize("kind", [pl.Binary, pl.Duration, pl.Time, pl.List(pl.Int64)])
def test_columns_of_other_types_are_refused_in_expressions_and_left_alone_elsewhere(kind):
    frame = pl.DataFrame({"x": pl.Series([None], dtype=kind), "y": [1]})
    with pytest.raises(PreparationError, match="column 'x' has the type"):
        Preparation({"z": "x is null"}).apply_to_frame(frame)
    assert Preparation({"z": "y + 1"}).apply_to_frame(frame).columns == ["x", "y", "z"]


@pytest.mark.parametrize(
    "expression",
    [
        *("x = 'a'", "x || 'a' > 5", "upper(x)", "date(x)", "text + 1", "x like 'a'", "flag + 1"),
        *(
            "coalesce(x, 'a')",
            "x in ('a')",
            "flag > 1",
            "x and flag",
            "cast(x as date)",
            "not text",
        ),
        *(
            "day + 1",
            "day < 'a'",
            "if(x, 1, 2)",
            "greatest(x, text)",
            "nullif(text, x)",
            "length(x)",
        ),
        *(
            "date(day, 'UTC')",
            "words(x)",
            "h3(text, x, 1)",
            "bin(text, 1)",
            "case when x then 1 end",
        ),
        *("local_time(day, 'UTC')", "x + interval '1 day'", "sqrt(text)", "hour(text)", "-text"),
    ],
)
def test_wrong_types_are_refused_by_the_schema(expression):
    schema = {"x": pl.Int64(), "text": pl.String(), "flag": pl.Boolean(), "day": pl.Date()}
    with pytest.raises(PreparationError, match=r"allowed|mixes"):
        Preparation({"result": expression}).schema(schema)


NUMBERS = [None, *range(-9, 10)]
TEXTS = [None, *("".join(text) for size in range(5) for text in product("aAb ", repeat=size))]
DAYS = [
    None,
    *(date(1900 + number % 200, 1 + number % 12, 1 + number % 28) for number in range(600)),
]
PAIRS = list(product(NUMBERS, NUMBERS))
CLEAN = pl.DataFrame(
    [(*PAIRS[n % len(PAIRS)], TEXTS[n % len(TEXTS)], DAYS[n % len(DAYS)]) for n in range(4000)],
    schema={"a": pl.Int64, "b": pl.Int64, "s": pl.String, "d": pl.Date},
    orient="row",
)


@pytest.mark.parametrize(
    "expression",
    [
        *("a + b * 2", "a - b", "a > b", "a <> b", "a between b and 3"),
        *("upper(s)", "lower(s) || 'x'", "left(s, 2)", "s like 'a%'", "replace(s, 'a', 'b')"),
        *("coalesce(a, b)", "nullif(a, b)", "if(a > b, a, b)", "s in ('a', 'b')", "abs(a)"),
        *("case when a > 1 then s else 'n' end", "greatest(a, b)", "least(a, b)", "a is null"),
        *("substr(s, 2, 1)", "starts_with(s, 'a')", "reverse(s)", "a / 8", "length(s)"),
        *("not a > b", "a = 1 or b = 1", "a = 1 and b = 1", "initcap(s)", "trim(s)"),
        *("strftime(d, '%Y-%m')", "extract(month from d)", "date_part('doy', d)", "year(d)"),
    ],
)
def test_clean_values_give_what_the_sql_of_polars_gives(expression):
    expected = CLEAN.select(pl.sql_expr(expression).alias("result"))["result"].to_list()
    prepared = Preparation({"result": expression}).apply_to_frame(CLEAN)
    assert prepared["result"].to_list() == expected


@pytest.mark.parametrize(("sign", "rounded"), [("//", floordiv), ("%", mod)])
def test_division_of_whole_numbers_rounds_down(sign, rounded):
    pairs = [(a, b) for a, b in PAIRS if None not in (a, b)]
    frame = pl.DataFrame(pairs, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    prepared = Preparation({"result": f"a {sign} b"}).apply_to_frame(frame)
    assert prepared["result"].to_list() == [rounded(a, b) if b else None for a, b in pairs]
