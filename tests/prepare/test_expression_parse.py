"""What is no expression of one row is refused, at its place."""

import re

import pytest

from transforms.prepare.dialects import HINTS
from transforms.prepare.functions import _OTHER_ROWS, _VOLATILE, NAMES, unknown_function
from transforms.prepare.parse import MAX_DEPTH, parse
from transforms.prepare.preparation import Preparation, PreparationError
from transforms.prepare.tree import Call, Column, ExpressionError, Literal, calls, columns

OTHER_ROWS = [
    *("sum(x)", "avg(x)", "min(x)", "max(x)", "count(x)", "count(*)", "median(x)", "any_value(x)"),
    *("array_agg(x)", "string_agg(x, ',')", "stddev(x)", "first(x)", "last(x)", "quantile(x, 1)"),
    *("row_number() over ()", "sum(x) over (partition by y)", "lag(x)", "rank()", "f(x) over w"),
    *("sum(x) filter (where y)", "mode() within group (order by x)", "count(distinct x)"),
    *("x - avg(x)", "upper(max(x))", "coalesce(x, sum(x))", "case when x then sum(y) end"),
    *("(select max(x) from y)", "exists (select 1)", "x in (select y from z)", "x = any(select 1)"),
    *("x > all (select 1)", "(select 1)", "unnest(x)", "explode(x)", "generate_series(1, 2)"),
    *('"sum"(x)', '"SUM"(x)', "SuM(x)", "sum /* a */ (x)", "sum -- a\n(x)", "{fn sum(x)}"),
]

VOLATILE = [
    *(
        "random()",
        "rand()",
        "uuid()",
        "now()",
        "today()",
        "current_timestamp()",
        "gen_random_uuid()",
    ),
    *("x + random()", "Random ( )", '"random"()', "/**/random/**/()", "user()", "version()"),
    *("nextval('s')", "getenv('HOME')", "case when now() > x then 1 end", "{fn now()}"),
]

NASTY = [
    *("", " ", "-- x", "/* x */", ";", "x; y", "x;;y", "select x", "select x from y", "with a as"),
    *("drop table x", "x as y", "*", "x.*", "t.x", "a.b.c", "f(*)", "(x, y)", "[1, 2]", "{'a': 1}"),
    *("x[1]", "x -> 'a'", "x ->> 'a'", "x #> 'a'", "x ? 'a'", ":x", "@x", "?", "%s", "x := 1"),
    *("f(a => 1)", "upper(x => 'a')", "x::decimal(3, 2)", "x::foo", "x::text[]", "cast(x as json)"),
    *("cast(x as blob)", "x::interval", "cast(x as int format 'y')", "x::struct(a int)", "x::uuid"),
    *(
        "'abc",
        '"abc',
        "x /* y",
        "(((x",
        "x)",
        "x +",
        "+ x +",
        "x y",
        "x ! y",
        "x ~ 'a'",
        "x glob 'a'",
    ),
    *(
        "x between symmetric 1 and 2",
        "x like 'a' escape '!'",
        "x like any ('a')",
        "x similar to 'a'",
    ),
    *("x collate y", "x at time zone 'UTC'", "interval '1 day'", "x + interval y day", "x in y"),
    *("read_csv('a')", "eval('x')", "getattr(x, 'y')", "pl.col('x')", "__import__('os')", "f()(x)"),
    *(
        "lambda x: 1",
        "x -> x + 1",
        "N'abc'",
        "x'ff'",
        "0x1f",
        "1_000",
        "1e999",
        "9223372036854775808",
    ),
    *("values (1)", "grouping(x)", "json_extract(x, 'a')", "x is json", "{{ x }}", "\\x"),
    *('"CASE"(x, y)', '"IN"(x)', "\"CAST\"(x, 'text')", "\"+ INTERVAL\"(x, '1 day')", "if(x)"),
    *("upper(upper)(x)", "x.upper()", "map(x)", "list(x)", "cast(x)", "extract(x)", "case end"),
]


@pytest.mark.parametrize("text", [*OTHER_ROWS, *VOLATILE, *NASTY])
def test_what_is_not_of_one_row_is_refused_before_there_are_columns(text):
    with pytest.raises(PreparationError) as caught:
        Preparation({"derived": text})
    for place, message in caught.value.problems:
        assert place.column == "derived"
        assert 0 <= place.at <= len(text)
        assert message
        assert "Traceback" not in message
    with pytest.raises(PreparationError):
        Preparation({}, where=text)


@pytest.mark.parametrize("text", OTHER_ROWS)
def test_looking_at_other_rows_is_named_as_the_reason(text):
    with pytest.raises(
        PreparationError, match=r"looks at other rows|is not one column|no function"
    ):
        Preparation({"derived": text})


@pytest.mark.parametrize(
    ("text", "at", "reason"),
    [
        ("x + sum(y)", 4, "looks at other rows"),
        ("upper(x) || now()", 12, "does not depend on the row alone"),
        ("case when x then count(y) end", 17, "looks at other rows"),
        ("x > 1 and\n  lenght(y) > 2", 12, "did you mean 'length'"),
        ("upper(x, y)", 0, "2 arguments"),
        ("substr(x)", 0, "1 argument;"),
        ("regexp_like(x, y)", 15, "needs a constant"),
        ("regexp_like(x, '(')", 15, "unclosed group"),
        ("time_bucket(x, '6 ours')", 15, "'6 hours'"),
        ("time_bucket(x, '6 hours', 'Mars/Base')", 26, "'Europe/Berlin'"),
        ("bin(x, [3, 2])", 8, "smallest first"),
        ("bin(x, 0)", 7, "width"),
        ("bin(x, y)", 7, "needs a constant"),
        ("ngrams(x, 0)", 10, "from 1 to 10"),
        ("h3(x, y, 16)", 9, "from 0 to 15"),
        ("round(x, 99)", 9, "from 0 to 15"),
        ("strftime(x, '%Q')", 12, "%Y"),
        ("length(upper(x) = 'a')", 7, "allowed: text"),
        ("not upper(x)", 4, "booleans"),
        ("x and\n y +", 9, "not a SQL expression"),
    ],
)
def test_the_place_of_the_offender_is_told(text, at, reason):
    with pytest.raises(PreparationError, match=reason) as caught:
        Preparation({"derived": text})
    assert caught.value.problems[0][0].at == at


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("ifnull(x, y)", "coalesce(x, y)"),
        ("NVL(x, y)", "coalesce(x, y)"),
        ("iff(x, 1, 2)", "if(condition, x, y)"),
        ("len(x)", "length(text)"),
        ("date_trunc('day', x)", "time_bucket(time, '1 day')"),
        ("to_timestamp(x)", "CAST(x AS timestamp)"),
        ("datetime(x)", "CAST(x AS timestamp)"),
        ("dateadd('day', 1, x)", "time + INTERVAL '3 hours'"),
        ("date_format(x, '%Y')", "strftime(time, '%Y-%m')"),
        ("x at time zone 'UTC'", "local_time(time, 'Europe/Berlin')"),
        ("x rlike 'a'", "regexp_like(text, 'pattern')"),
        ("x ^ 2", "pow(x, y)"),
    ],
)
def test_functions_of_other_dialects_are_told_what_says_the_same(text, instead):
    with pytest.raises(PreparationError) as caught:
        Preparation({"derived": text})
    (message,) = [message for _, message in caught.value.problems]
    assert message.endswith(f"; allowed: {instead}")


@pytest.mark.parametrize("name", HINTS)
def test_hints_are_for_functions_that_are_not_there_and_name_those_that_are(name):
    assert name not in {*NAMES, *_VOLATILE, *_OTHER_ROWS}
    assert name == name.lower()
    assert unknown_function(name) == f"no function {name!r}; allowed: {HINTS[name]}"
    assert set(re.findall(r"([a-z_0-9]+)\(", HINTS[name])) <= {*NAMES}


@pytest.mark.parametrize("text", ["getdate()", "now()", "sysdate()", "curdate()", "utc_date()"])
def test_the_clock_is_refused_with_a_reason(text):
    with pytest.raises(PreparationError, match="does not depend on the row alone"):
        Preparation({"derived": text})


@pytest.mark.parametrize("name", ["current_date", "CURRENT_TIMESTAMP", "localtime", "sysdate"])
def test_the_clock_without_parentheses_is_a_column_only_in_quotes(name):
    with pytest.raises(PreparationError, match="does not depend on the row alone"):
        Preparation({"derived": f"year({name})"})
    derived = Preparation({"derived": f'year("{name}")'})
    assert [column for _, column in derived.named_columns] == [name]


def test_a_tree_has_columns_constants_and_calls():
    tree = parse("CASE WHEN a THEN 'x' ELSE upper(\"b c\") END")
    assert [column.name for column in columns(tree)] == ["a", "b c"]
    assert [call.function for call in calls(tree)] == ["CASE", "upper"]
    assert parse("-5") == Literal(-5, 1)
    assert parse("f(x, [1, -2.5])") == Call("f", (Column("x", 2), Literal((1, -2.5), 6)), 0)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "x" + ")" * 4999,
        "(" * 300 + "x" + ")" * 300,
        "upper(" * 200 + "x" + ")" * 200,
        "not " * 2000 + "x",
        "-" * 1 + " -" * 3000 + "x",
        "x" + " + x" * 2400,
        "case when x then " * 300 + "1" + " end" * 300,
        "x" * 10_001,
        "[" * 3000,
        "{" * 3000,
    ],
    ids=lambda text: text[:8],
)
def test_what_is_too_long_or_too_deep_is_refused_in_plain_words(text):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert len(str(caught.value)) < 200


def test_what_is_allowed_to_be_deep_can_be_computed():
    import polars as pl

    text = "x" + " + 1" * (MAX_DEPTH - 2)
    frame = Preparation({"sum": text}).apply_to_frame(pl.DataFrame({"x": [1]}))
    assert frame["sum"].to_list() == [MAX_DEPTH - 1]


@pytest.mark.parametrize(
    "text", ["x /* comment */ + 1", "x -- comment\n + 1", "x + 1;", "/*+ hint */ x + 1"]
)
def test_comments_change_nothing(text):
    assert [call.function for call in calls(parse(text))] == ["+"]


@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_called_by_its_name_only(name):
    with pytest.raises(PreparationError, match="allowed"):
        Preparation({"derived": f"{name}(x, y, x, y, x, y, x) over ()"})
