"""Expressions in the YAML: what is wrong, at its line and column, and what a release reads."""

import subprocess
import sys

import polars as pl
import pytest

from pipelines.plan import plan_release
from pipelines.plan.json_values import plan_to_dict
from pipelines.plan.text import plan_text
from pipelines.sources.check import check_input, release_input
from pipelines.sources.prepared import prepared_schema
from pipelines.spec import ConfigError, load_release

CONFIG = """\
release: r
input:
  files: data.parquet
  where: version >= '7.0'
  columns:
    emoji: emoji(text)
    hour: "hour(time)"
    area: lookup(country, 'areas.csv', 'area')
privacy:
  unit: [user, date(time)]
  epsilon: 1.0
  delta: 1e-6
tables:
  t:
    keys: [emoji, area]
    metrics: {uses: count, hours: {sum: hour, clip: [0, 23]}}
output: {folder: out}
"""
TYPES = {
    "user": pl.String(),
    "text": pl.String(),
    "time": pl.Datetime("us"),
    "country": pl.String(),
    "version": pl.String(),
    "other": pl.Int64(),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "areas.csv").write_text("country,area\nDE,EU\nUS,NA\n")
    pl.DataFrame(schema=TYPES).write_parquet(tmp_path / "data.parquet")
    return tmp_path


def load(folder, *changes, config=CONFIG):
    for old, new in changes:
        assert config.count(old) == 1, old
        config = config.replace(old, new)
    (folder / "r.yaml").write_text(config)
    return load_release(folder / "r.yaml")


def lines(folder, error):
    return [line.replace(f"{folder}/", "") for line in str(error.value).splitlines()]


def refused(folder, *changes):
    """Problems that `validate` finds."""
    with pytest.raises(ConfigError) as caught:
        plan_release(load(folder, *changes))
    return lines(folder, caught)


def fit(release):
    plan = plan_release(release)
    _, schema = check_input(release, release_input(release))
    return prepared_schema(release, plan.preparation, schema)


def unfit(folder, *changes):
    """Problems that only the input shows."""
    release = load(folder, *changes)
    plan_release(release)
    with pytest.raises(ConfigError) as caught:
        fit(release)
    return lines(folder, caught)


def test_the_columns_that_are_read_are_those_that_something_names(folder):
    release = load(folder)
    assert set(release_input(release).columns) == {"user", "text", "time", "country", "version"}
    _, schema = check_input(release, release_input(release))
    assert set(schema) == set(release_input(release).columns)
    prepared = fit(release)
    assert {name: prepared[name] for _, name, _ in release.spec.named_columns()} == {
        "user": pl.String(),
        "date(time)": pl.Date(),
        "emoji": pl.String(),
        "area": pl.String(),
        "hour": pl.Int64(),
    }


def test_a_cast_is_a_unit_as_it_is_a_column(folder):
    prepared = fit(load(folder, ("date(time)]", '"time::date"]')))
    assert prepared["time::date"] == pl.Date()


def test_the_plan_says_what_rows_and_columns_there_are(folder):
    plan = plan_release(load(folder))
    assert plan_to_dict(plan)["where"] == "version >= '7.0'"
    assert plan_to_dict(plan)["columns"]["emoji"] == "emoji(text)"
    assert plan_to_dict(plan)["guarantee"]["privacy_unit"] == ["user", "date(time)"]
    text = plan_text(plan)
    assert "All rows of one combination of user and date(time)." in text
    assert "rows: those with version >= '7.0'" in text
    assert "column emoji: emoji(text)" in text


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (
            ("version >= '7.0'", "version >= '7.0' and sum(other) > 1"),
            "4:31",
            "looks at other rows",
        ),
        (("emoji(text)", "upper(emoj(text))"), "6:18", "did you mean 'emoji'?"),
        (('"hour(time)"', '"hour(time, 1)"'), "7:12", "2 arguments; allowed: hour(time)"),
        (("[user, date(time)]", "[user, date(now())]"), "10:21", "does not depend on the row"),
        (("[user, date(time)]", "date(now())"), "10:14", "does not depend on the row"),
        (("[user, date(time)]", "[user, words(text)]"), "10:16", "one such call in a release"),
        (("[user, date(time)]", "[user, (1)]"), "10:16", "names no column"),
        (
            ("unit: [user, date(time)]", "unit: [user, emoji]"),
            "10:16",
            "several values for one row",
        ),
        (("emoji(text)", "'it''s' || sum(text)"), "6:12", "at character 12 of the text: sum()"),
        (
            ("version >= '7.0'", "time >= DATE '2026-11-31'"),
            "4:23",
            "'2026-11-31' is not a date; allowed: such as DATE '2026-11-01'",
        ),
        (("emoji(text)", "hour + 1"), "6:12", "'hour' is derived later"),
        (
            ("'area')", "'aera')"),
            "8:27",
            "has no column 'aera'; it has: country, area; did",
        ),
        (("areas.csv", "area.csv"), "8:27", "no such file"),
        (("'area')", "'area') + 1"), "8:11", "has the type String; allowed: numbers"),
        (("version >= '7.0'", "''"), "4:10", "is empty text; allowed: at least one character"),
        (("version >= '7.0'", "7"), "4:10", "is the number 7; allowed: text"),
        (("emoji(text)", "[text]"), "6:12", "is a list; allowed: text"),
    ],
)
def test_validate_refuses_at_the_place_in_the_file(folder, change, place, message):
    if "''s'" in change[1]:
        change = (change[0], '"' + change[1].replace("||", "\\x7c|") + '"')
    (found,) = refused(folder, change)
    assert found.startswith(f"r.yaml:{place}: ")
    assert message in found


HINT = "; in brackets and braces, a text with a comma is put in quotes: "


@pytest.mark.parametrize(
    ("change", "place", "expression"),
    [
        (("[user, date(time)]", "[user, substr(text, 1)]"), "10:", '"substr(text, 1)"'),
        (("[user, date(time)]", "[if(text in (text, user), user, text)]"), "10:22", '"if(text in'),
        (("  columns:\n", "  columns: {a: concat(text, user)}\n"), "5:", '"concat(text, user)"'),
        (("[user, date(time)]", "[user, date(time, 'UTC')]"), "10:32", '"f(x, y)"'),
        (("  columns:\n", "  columns: {b: bin(other, [1, 2])}\n"), "5:", '"f(x, y)"'),
    ],
)
def test_an_expression_that_is_cut_at_a_comma_is_to_be_quoted(folder, change, place, expression):
    if "columns" in change[0]:
        rest = CONFIG[CONFIG.index("    emoji: ") : CONFIG.index("privacy:")]
        config = CONFIG.replace(rest, "")
    else:
        config = CONFIG
    with pytest.raises(ConfigError) as caught:
        load(folder, change, config=config)
    first = lines(folder, caught)[0]
    assert first.startswith(f"r.yaml:{place}")
    assert f"{HINT}{expression}" in first


def test_an_expression_in_quotes_and_balanced_entries_have_no_hint(folder):
    for unit in ("[user, 'substr(text, 1']", "[user, dat(time)]", "['f(x', now()]"):
        (folder / "r.yaml").write_text(CONFIG.replace("[user, date(time)]", unit))
        with pytest.raises(ConfigError) as caught:
            load_release(folder / "r.yaml")
        assert HINT not in str(caught.value)


def test_problems_of_several_expressions_are_told_at_once(folder):
    found = refused(folder, ("emoji(text)", "emoj(text)"), ("version >= '7.0'", "count(*) > 1"))
    assert [line.split(": ")[0] for line in found] == ["r.yaml:4:16", "r.yaml:6:12"]


def test_a_lookup_table_with_repeated_keys_is_refused_by_validate(folder):
    (folder / "areas.csv").write_text("country,area\nDE,EU\nDE,NA\n")
    (found,) = refused(folder)
    assert found.startswith("r.yaml:8:27: input.columns.area: areas.csv has 'DE' more than once")


def test_a_folded_text_tells_the_place_in_the_text(folder):
    change = ("where: version >= '7.0'", "where: >\n    version >= '7.0'\n    and sum(other) > 1")
    (found,) = refused(folder, change)
    assert found.startswith("r.yaml:4:10: input.where: at character 22 of the text: sum() looks")


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (("emoji(text)", "emoji(txt)"), "6:18", "no column 'txt' in data.parquet"),
        (("emoji(text)", "emoji(other)"), "6:18", "has the type Int64; allowed: text"),
        (("version >= '7.0'", "other >= '7.0'"), "4:10", "mixes text and whole numbers"),
        (("date(time)]", "date(user)]"), "10:21", "has the type String; allowed: timestamps"),
        (('"hour(time)"', "upper(text)"), "16:41", "column 'hour' has the type String"),
    ],
)
def test_what_does_not_fit_the_input_is_told_with_its_columns_and_types(
    folder, change, place, message
):
    (found,) = unfit(folder, change)
    assert found.startswith(f"r.yaml:{place}: ")
    assert message in found
    if "txt" in message:
        assert "; it has: user (String), text (String), time (Datetime" in found
    elif place != "16:41":
        assert "; the columns that are read: user (String), " in found


def test_a_column_that_is_not_there_is_told_with_those_that_the_config_adds(folder):
    """Derived ones above the place, and those of folders; a derived column that hides one once."""
    (folder / "events/dt=2026-11-01").mkdir(parents=True)
    pl.DataFrame(schema=TYPES).write_parquet(folder / "events/dt=2026-11-01/a.parquet")
    hive = ("files: data.parquet", "files: events/dt=*/*.parquet")
    (found,) = unfit(folder, hive, ("keys: [emoji, area]", "keys: [emojis, area]"))
    assert found.startswith("r.yaml:15:12: tables.t.keys[0]: no column 'emojis' in events/")
    assert found.endswith(
        "; it has: user, text, time, country, version, other; the config adds: dt, emoji, hour, "
        "area; did you mean 'emoji'?"
    )
    (found,) = unfit(folder, hive, ('"hour(time)"', '"hour(tme)"'))
    assert "; the config adds: dt, emoji; did you mean 'time'?" in found
    (found,) = unfit(folder, ("version >= '7.0'", "emojy = 'x'"))
    assert "other (Int64); the config adds: emoji, hour, area; did you mean 'emoji'?" in found
    (found,) = unfit(folder, ("[user, date(time)]", "[user, upper(emjoi)]"))
    assert "; the config adds: emoji, hour, area; did you mean 'emoji'?" in found


def test_text_files_are_told_with_the_columns_that_the_config_adds(folder):
    data = pl.DataFrame({"user": ["a"], "text": ["b"], "country": ["DE"], "version": ["8"]})
    data = data.with_columns(time=pl.lit("2026-11-01"))
    data.write_csv(folder / "data.csv")
    (found,) = unfit(folder, *CSV, ("keys: [emoji, area]", "keys: [emojis, area]"))
    assert "; the config adds: emoji, hour, area; did you mean 'emoji'?" in found


def test_files_whose_columns_in_expressions_differ_in_type_are_refused(folder):
    pl.DataFrame(schema=TYPES | {"country": pl.Int64()}).write_parquet(folder / "data2.parquet")
    (found,) = unfit(folder, ("data.parquet", "data*.parquet"))
    assert "8:11: input.columns.area: column 'country' has the type Int64 in data2.parquet" in found


def test_an_optional_column_is_null_in_files_that_lack_it(folder):
    """The file without it comes first: its type is that of the other."""
    without = pl.DataFrame(schema=TYPES).drop("text")
    without.write_parquet(folder / "data0.parquet")
    release = load(folder, ("data.parquet", "data*.parquet\n  optional: [text]"))
    assert fit(release)["emoji"] == pl.String


CSV = (("files: data.parquet", "files: data.csv\n  types: {time: timestamp}"),)


def test_text_files_are_read_as_text_where_nothing_else_is_said(folder):
    release = load(folder, *CSV)
    assert release.spec.column_types() == {
        **dict.fromkeys(("user", "text", "country", "version"), "string"),
        "time": "timestamp",
    }


def test_types_of_text_files_are_checked_without_the_input(folder):
    found = refused(folder, ("files: data.parquet", "files: data.csv"))
    assert [line.partition(" has the type String; allowed: timestamps")[0] for line in found] == [
        "r.yaml:7:17: input.columns.hour: column 'time' of hour()",
        "r.yaml:10:21: privacy.unit[1]: column 'time' of date()",
    ]
    (found,) = refused(folder, *CSV, ("version >= '7.0'", "versoin + 1 > 2"))
    assert "5:10: input.where: column 'versoin' of + has the type String" in found


def test_a_text_column_that_should_be_another_is_told_with_the_types_that_would_do(folder):
    change = ("files: data.parquet", "files: data.csv")
    hour, day = refused(folder, change)
    hint = "add input.types: {time: date} (or timestamp), if that is what it has"
    for found in (hour, day):
        assert found.endswith(f"allowed: timestamps, dates; {hint}")
    (found,) = refused(folder, *CSV, ("version >= '7.0'", "version + 1 > 2"))
    assert "; add input.types: {version: int} (or float), if" in found
    (found,) = refused(folder, *CSV, ("emoji(text)", "emoji(hour(time))"))
    assert "input.types" not in found


def test_a_column_with_a_type_of_its_own_is_not_to_be_declared(folder):
    (found,) = unfit(folder, ("date(time)]", "date(user)]"))
    assert "input.types" not in found


def test_a_column_that_is_summed_and_in_an_expression_needs_a_type(folder):
    (found,) = refused(folder, *CSV, ("sum: hour", "sum: text"))
    assert "in an expression too; allowed: with its type in input.types" in found


def test_without_expressions_their_libraries_are_not_loaded():
    program = (
        "import sys, pipelines.plan\n"
        "print([name for name in ('sqlglot', 'emoji', 'polars_h3') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50
    )
    assert done.stdout == "[]\n", done.stderr
