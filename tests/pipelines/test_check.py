"""A config that does not fit its input: where in the config, and what the input has instead."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.plan import plan_release
from pipelines.sources.check import check_input, release_input
from pipelines.sources.public_types import fit_public_keys
from pipelines.spec import ConfigError, load_release

GOOD = """\
release: r
input:
  files: data/*.parquet
privacy:
  unit: user_id
  epsilon: 1.0
  delta: 1e-6
tables:
  t:
    keys: [country, day]
    metrics:
      uses: count
      seconds: {sum: dwell, clip: [0, 10]}
output:
  folder: out
"""
COLUMNS = {
    "user_id": pa.array(["a", "b"]),
    "country": pa.array(["DE", "FR"]),
    "day": pa.array([date(2024, 1, 1)] * 2),
    "dwell": pa.array([1.0, 2.0]),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path


def write(folder, name, **changes):
    """Writes a good file with some columns changed; a column that is None is left out."""
    columns = {**COLUMNS, **changes}
    kept = {column: values for column, values in columns.items() if values is not None}
    pq.write_table(pa.table(kept), folder / "data" / name)


def check(folder, config=GOOD):
    """Plans and checks a release, as `run` does before it reads rows."""
    path = folder / "release.yaml"
    path.write_text(config)
    release = load_release(path)
    files, schema = check_input(release, release_input(release))
    fit_public_keys(release, plan_release(release).tables, schema)
    return files, schema


def problems(folder, config=GOOD):
    """Returns the problems of a release, with the folder cut out of paths."""
    with pytest.raises(ConfigError) as caught:
        check(folder, config)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{folder}/release.yaml:") for line in lines)
    return [line.replace(f"{folder}/", "") for line in lines]


def place(text, config=GOOD):
    """Returns line:column of the only occurrence of a text in a config."""
    assert config.count(text) == 1
    before = config[: config.index(text)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_an_input_that_fits_gives_its_files_and_the_types_of_the_columns_that_are_read(folder):
    write(folder, "b.parquet", more=pa.array([[1], [2]]))
    write(folder, "a.parquet")
    files, schema = check(folder)
    assert [Path(file.path).name for file in files] == ["a.parquet", "b.parquet"]
    assert schema == {
        "user_id": pl.String(),
        "country": pl.String(),
        "day": pl.Date(),
        "dwell": pl.Float64(),
    }


def test_a_file_that_two_globs_match_is_read_once(folder):
    write(folder, "a.parquet")
    config = GOOD.replace("data/*.parquet", "[data/*.parquet, data/a.parquet, ./data/a*.parquet]")
    files, _ = check(folder, config)
    assert len(files) == 1


def test_each_glob_that_matches_nothing_is_a_problem_of_its_own(folder):
    write(folder, "a.parquet")
    config = GOOD.replace("data/*.parquet", "[data/*.parquet, dta/*.parquet, data/b.parquet]")
    assert problems(folder, config) == [
        f"release.yaml:{place('dta/', config)}: input.files[1]: no file matches dta/*.parquet",
        f"release.yaml:{place('data/b', config)}: input.files[2]: no file matches data/b.parquet",
    ]


def test_a_single_glob_that_matches_nothing_is_placed_at_its_text(folder):
    assert problems(folder) == [
        f"release.yaml:{place('data/*')}: input.files: no file matches data/*.parquet"
    ]


@pytest.mark.parametrize("kind", ["parquet", "avro", "csv"])
def test_files_of_0_bytes_alone_have_no_columns(folder, kind):
    config = GOOD.replace("data/*.parquet", f"[data/a.{kind}, data/b*.{kind}]")
    for name in ("a", "b1", "b2"):
        (folder / "data" / f"{name}.{kind}").touch()
    assert problems(folder, config) == [
        f"release.yaml:{place(f'data/{glob}', config)}: input.files[{index}]: every file that "
        f"matches data/{glob} has 0 bytes, so there are no columns; allowed: {kind} files, also "
        "without rows"
        for index, glob in enumerate((f"a.{kind}", f"b*.{kind}"))
    ]


@pytest.mark.parametrize("files", ["data/*.parquet", "[data/a.parquet, data/b.parquet]"])
def test_a_file_of_0_bytes_among_others_has_no_rows(folder, files):
    (folder / "data" / "a.parquet").touch()
    write(folder, "b.parquet")
    read, _ = check(folder, GOOD.replace("data/*.parquet", files))
    assert [Path(file.path).name for file in read] == ["b.parquet"]


def test_json_lines_of_0_bytes_have_no_rows(folder):
    """They have no header: whether a release runs must not tell whether there is a row."""
    (folder / "data" / "a.jsonl").touch()
    members = "optional: [user_id, country, day, dwell]"
    config = GOOD.replace("data/*.parquet", f"data/*.jsonl\n  {members}")
    read, _ = check(folder, config)
    assert [Path(file.path).name for file in read] == ["a.jsonl"]


def test_a_corrupt_file_is_named_and_the_others_are_checked_too(folder):
    (folder / "data" / "a.parquet").write_bytes(b"PAR1 not")
    write(folder, "b.parquet", dwell=pa.array(["x", "y"]))
    found = problems(folder)
    assert found[0] == (
        f"release.yaml:{place('data/*')}: input.files: "
        "data/a.parquet is not a readable Parquet file"
    )
    assert "data/b.parquet" in found[1]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("column", "there", "where", "path"),
    [
        ("user_id", "userid", "user_id", "privacy.unit"),
        ("country", "Country", "country", "tables.t.keys[0]"),
        ("day", "days", "day", "tables.t.keys[1]"),
        ("dwell", "dwel", "dwell", "tables.t.metrics.seconds.sum"),
    ],
)
def test_a_missing_column_is_placed_with_the_columns_there_and_the_closest_one(
    folder, column, there, where, path
):
    write(folder, "a.parquet", **{column: None, there: COLUMNS[column]})
    columns = [name for name in COLUMNS if name != column] + [there]
    assert problems(folder) == [
        f"release.yaml:{place(where)}: {path}: no column {column!r} in data/a.parquet; "
        f"it has: {', '.join(columns)}; did you mean {there!r}?"
    ]


def test_a_missing_column_without_a_close_one_has_no_suggestion(folder):
    write(folder, "a.parquet", user_id=None)
    assert problems(folder) == [
        f"release.yaml:{place('user_id')}: privacy.unit: no column 'user_id' in data/a.parquet; "
        "it has: country, day, dwell"
    ]


def test_all_problems_of_a_file_are_reported_at_once_in_the_order_of_the_config(folder):
    write(folder, "a.parquet", user_id=None, day=None, dwell=pa.array(["x", "y"]))
    found = problems(folder)
    assert [line.split(": ")[1] for line in found] == [
        "privacy.unit",
        "tables.t.keys[1]",
        "tables.t.metrics.seconds.sum",
    ]


def test_many_files_with_the_same_problem_make_one_report(folder):
    for name in "abc":
        write(folder, f"{name}.parquet", dwell=None)
    assert len(problems(folder)) == 1


NESTED = {
    "list": pa.array([["a"], ["b"]]),
    "struct": pa.array([{"x": 1}, {"x": 2}]),
    "map": pa.array([[("x", 1)], []], pa.map_(pa.string(), pa.int64())),
}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize(
    ("column", "path"), [("country", "tables.t.keys[0]"), ("user_id", "privacy.unit")]
)
def test_a_nested_column_is_no_key_and_no_unit(folder, column, path, kind):
    write(folder, "a.parquet", **{column: NESTED[kind]})
    (found,) = problems(folder)
    assert found.startswith(
        f"release.yaml:{place(column)}: {path}: column {column!r} has the type "
    )
    assert found.endswith("; allowed here: scalars, in data/a.parquet")


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["1", "2"]),
        pa.array([date(2024, 1, 1)] * 2),
        pa.array([datetime(2024, 1, 1)] * 2),
        pa.array([[1], [2]]),
        pa.array([b"1", b"2"]),
    ],
    ids=["string", "date", "timestamp", "list", "binary"],
)
def test_a_column_that_is_not_numeric_has_no_sum(folder, values):
    write(folder, "a.parquet", dwell=values)
    (found,) = problems(folder)
    assert found.startswith(
        f"release.yaml:{place('dwell')}: tables.t.metrics.seconds.sum: column 'dwell' has the type"
    )
    assert found.endswith("; allowed here: numbers, in data/a.parquet")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2], pa.int8()),
        pa.array([1, 2], pa.uint64()),
        pa.array([True, False]),
        pa.array([1, 2], pa.decimal128(9, 2)),
        pa.nulls(2),
    ],
    ids=["int8", "uint64", "bool", "decimal", "null"],
)
def test_every_kind_of_number_has_a_sum(folder, values):
    write(folder, "a.parquet", dwell=values)
    assert check(folder)[1]["dwell"] is not None


METRICS = GOOD.replace(
    "      seconds: {sum: dwell, clip: [0, 10]}\n",
    "      speed: {mean: dwell, clip: [0, 10]}\n"
    "      spread: {variance: dwell, clip: [0, 10]}\n"
    "      delay: {quantiles: dwell, ranks: [0.5], clip: [0, 10]}\n"
    "      words: {distinct_count: word}\n"
    "      move: {vector_sum: [dx, dwell], max_norm: 10}\n",
)
MORE = {"word": pa.array(["a", "b"]), "dx": pa.array([1, 2])}


def test_every_metric_reads_its_columns(folder):
    write(folder, "a.parquet", **MORE)
    assert list(check(folder, METRICS)[1]) == ["user_id", "country", "day", "dwell", "word", "dx"]


def test_every_metric_of_numbers_is_placed_when_its_column_has_none(folder):
    write(folder, "a.parquet", **MORE | {"dwell": pa.array(["1", "2"])})
    found = problems(folder, METRICS)
    paths = [line.split(": ")[1].removeprefix("tables.t.metrics.") for line in found]
    assert paths == ["speed.mean", "spread.variance", "delay.quantiles", "move.vector_sum[1]"]
    assert all("column 'dwell' has the type String; allowed here: numbers" in f for f in found)


@pytest.mark.parametrize("column", ["word", "dx"])
def test_a_missing_column_of_a_metric_is_placed(folder, column):
    write(folder, "a.parquet", **MORE | {column: None})
    (found,) = problems(folder, METRICS)
    path = {"word": "words.distinct_count", "dx": "move.vector_sum[0]"}[column]
    assert found.startswith(
        f"release.yaml:{place(column + '}' if column == 'word' else column, METRICS)}: "
    )
    assert f": tables.t.metrics.{path}: no column {column!r} in data/a.parquet" in found


@pytest.mark.parametrize(
    "values",
    [pa.array([1.5, None]), pa.array([b"1", b"2"]), pa.array([date(2024, 1, 1)] * 2)],
    ids=["float", "binary", "date"],
)
def test_values_of_any_scalar_type_are_counted_also_for_csv(folder, values):
    write(folder, "a.parquet", **MORE | {"word": values})
    check(folder, METRICS + "  formats: [csv]\n")


def test_lists_are_not_counted(folder):
    write(folder, "a.parquet", **MORE | {"word": pa.array([["a"], ["b"]])})
    (found,) = problems(folder, METRICS)
    assert "tables.t.metrics.words.distinct_count: column 'word' has the type List" in found
    assert found.endswith("; allowed here: scalars, in data/a.parquet")


def test_rows_without_a_unit_need_no_column_of_one(folder):
    write(folder, "a.parquet", user_id=None)
    config = GOOD.replace("  unit: user_id\n", "  bounding: row\n")
    assert "user_id" not in check(folder, config)[1]


def test_a_column_whose_type_differs_between_files_is_refused_by_the_later_file(folder):
    write(folder, "a.parquet")
    write(folder, "b.parquet", country=pa.array([1, 2]))
    assert problems(folder) == [
        f"release.yaml:{place('country')}: tables.t.keys[0]: column 'country' has the type Int64 "
        "in data/b.parquet; allowed: String, as in the other files"
    ]


def test_every_file_with_another_type_is_reported(folder):
    write(folder, "a.parquet")
    write(folder, "b.parquet", country=pa.array([1, 2]))
    write(folder, "c.parquet", user_id=pa.array([1, 2]))
    found = problems(folder)
    assert ["data/b.parquet" in found[1], "data/c.parquet" in found[0]] == [True, True]
    assert len(found) == 2


def test_types_that_become_the_same_may_differ_between_files(folder):
    write(folder, "a.parquet")
    write(folder, "b.parquet", country=COLUMNS["country"].dictionary_encode())
    write(folder, "c.parquet", country=pa.array(["DE", "FR"], pa.large_string()))
    write(folder, "d.parquet", dwell=pa.array([1, 2], pa.int16()))
    assert len(check(folder)[0]) == 4


def public(listed):
    return GOOD.replace("keys: [country, day]", f"public: {{country: {listed}}}")


def test_public_values_of_another_type_than_the_column_are_refused(folder):
    write(folder, "a.parquet", country=pa.array([1, 2]))
    config = public("[DE, FR]")
    assert problems(folder, config) == [
        f"release.yaml:{place('{country', config)}: tables.t.public: the value 'DE' is listed for "
        "'country'; allowed: values of the type Int64, as in the input"
    ]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array(["001", "1"]), "001"),
        (pa.array([1, 2]), "2"),
        (pa.array([2**64 - 1, 2], pa.uint64()), str(2**64 - 1)),
        (pa.array([Decimal("1.25"), Decimal("-0.50")]), " -.5000 "),
        (pa.array([Decimal("1" * 36 + ".25"), None], pa.decimal128(38, 2)), "1" * 36 + ".25"),
        (pa.array([1.0, 2.5]), "2.5"),
        (pa.array([True, False]), "true"),
        (pa.array([0, 1], pa.date32()), "1970-01-02"),
        (pa.array([0, 60_000_000], pa.timestamp("us")), "1970-01-01T00:01"),
        (pa.array([0, 60_000], pa.timestamp("ms", "Europe/Berlin")), "1970-01-01T01:01+01:00"),
    ],
)
def test_public_values_in_a_csv_file_are_read_as_the_type_of_the_column(folder, column, text):
    write(folder, "a.parquet", country=column)
    (folder / "keys.csv").write_text(f"country\n{text}\n")
    (folder / "release.yaml").write_text(public("keys.csv"))
    release = load_release(folder / "release.yaml")
    _, schema = check_input(release, release_input(release))
    (plan,) = fit_public_keys(release, plan_release(release).tables, schema)
    listed = plan.public_keys.frame["country"]
    assert listed.to_list() == [value for value in pl.Series(column).to_list() if value in listed]
    assert plan.public_keys.height == 1


UINT64 = pa.array([1, 2], pa.uint64())
DECIMAL = pa.array([Decimal("1.25")], pa.decimal128(4, 2))


@pytest.mark.parametrize(
    ("column", "text", "kind"),
    [
        (UINT64, "-1", "UInt64"),
        (UINT64, str(2**64), "UInt64"),
        (UINT64, "1.5", "UInt64"),
        (UINT64, "DE", "UInt64"),
        (DECIMAL, "1.255", "Decimal(precision=4, scale=2)"),
        (DECIMAL, "1.2500001", "Decimal(precision=4, scale=2)"),
        (DECIMAL, "100", "Decimal(precision=4, scale=2)"),
        (DECIMAL, ".", "Decimal(precision=4, scale=2)"),
        (DECIMAL, "nan", "Decimal(precision=4, scale=2)"),
        (pa.array([b"DE"]), "DE", "Binary"),
    ],
)
def test_a_value_in_a_csv_file_that_does_not_fit_the_column_is_refused(folder, column, text, kind):
    rows = {name: values.slice(0, len(column)) for name, values in COLUMNS.items()}
    write(folder, "a.parquet", **{**rows, "country": column})
    (folder / "keys.csv").write_text(f"country\n{text}\n")
    config = public("keys.csv")
    assert problems(folder, config) == [
        f"release.yaml:{place('{country', config)}: tables.t.public: the value {text!r} is listed "
        f"for 'country'; allowed: values of the type {kind}, as in the input"
    ]


@pytest.mark.parametrize(
    ("column", "listed", "fits"),
    [
        (UINT64, "[1, 2]", True),
        (UINT64, "[1.0]", True),
        (UINT64, "[2, -1]", False),
        (DECIMAL, "[1, 99]", True),
        (DECIMAL, "[1.25, 99.99]", True),
        (DECIMAL, "[1, 100]", False),
        (DECIMAL, "[1.255]", False),
        (pa.array([1.0, 2.0]), f"[{2**53}]", True),
        (pa.array([1.0, 2.0]), f"[{2**53 + 1}]", False),
        (pa.array([1, 2]), "[1.0]", True),
        (pa.array([1, 2]), "[1.5]", False),
        (pa.array([True, False]), "[1]", False),
    ],
)
def test_listed_numbers_fit_where_the_column_holds_the_same_number(folder, column, listed, fits):
    rows = {name: values.slice(0, len(column)) for name, values in COLUMNS.items()}
    write(folder, "a.parquet", **{**rows, "country": column})
    if fits:
        check(folder, public(listed))
    else:
        (found,) = problems(folder, public(listed))
        assert "is listed for 'country'; allowed: values of the type " in found


def test_public_values_of_the_type_of_the_column_are_fine_whatever_its_width(folder):
    write(folder, "a.parquet", country=pa.array([1, 2], pa.int16()))
    assert check(folder, public("[1, 2]"))[1]["country"] == pl.Int16()


def test_a_nested_column_with_public_values_is_one_problem_and_no_traceback(folder):
    write(folder, "a.parquet", country=pa.array([["DE"], ["FR"]]))
    (found,) = problems(folder, public("[DE, FR]"))
    assert found.endswith("; allowed here: scalars, in data/a.parquet")


@pytest.mark.parametrize(
    "values",
    [pa.array([b"x", b"y"]), pa.array([1, 2], pa.duration("s"))],
    ids=["binary", "duration"],
)
def test_a_key_that_csv_cannot_hold_is_refused_before_anything_is_drawn(folder, values):
    write(folder, "a.parquet", country=values)
    config = f"{GOOD}  formats: [parquet, csv]\n"
    (found,) = problems(folder, config)
    assert found.startswith(f"release.yaml:{place('country')}: tables.t.keys[0]: column 'country'")
    assert "which csv cannot hold; allowed: " in found
    assert len(check(folder)[0]) == 1


def test_a_unit_that_csv_cannot_hold_is_fine(folder):
    write(folder, "a.parquet", user_id=pa.array([b"x", b"y"]))
    assert len(check(folder, f"{GOOD}  formats: [parquet, csv]\n")[0]) == 1


# Text files


CSV = GOOD.replace("data/*.parquet", "data/*.csv")


def test_a_csv_file_with_the_columns_is_fine_and_has_the_declared_types(folder):
    (folder / "data" / "a.csv").write_text("more,user_id,country,day,dwell\n")
    _, schema = check(folder, CSV.replace("privacy:", "  types: {day: date}\nprivacy:"))
    assert schema == {
        "user_id": pl.String(),
        "country": pl.String(),
        "day": pl.Date(),
        "dwell": pl.Float64(),
    }


def test_a_csv_file_without_a_column_is_refused(folder):
    (folder / "data" / "a.csv").write_text('user_id,"coun,try",day,dwell_s\n1,2,3,4\n')
    found = problems(folder, CSV)
    assert len(found) == 2
    assert found[0] == (
        f"release.yaml:{place('country')}: tables.t.keys[0]: no column 'country' in data/a.csv, "
        "whose first line has 4 fields; did you mean 'coun,try'?"
    )


def test_every_csv_file_needs_the_columns(folder):
    (folder / "data" / "a.csv").write_text("user_id,country,day,dwell\n")
    (folder / "data" / "b.csv").write_text("user_id,country,day\n")
    (found,) = problems(folder, CSV)
    assert "no column 'dwell' in data/b.csv" in found


def test_a_compressed_file_that_is_not_one_is_refused(folder):
    (folder / "data" / "a.csv.gz").write_text("user_id,country,day,dwell\n")
    config = CSV.replace("data/*.csv", "data/*.csv.gz\n  format: csv")
    assert problems(folder, config) == [
        f"release.yaml:{place('data/*', config)}: input.files: data/a.csv.gz cannot be read"
    ]
