"""Files that were written at different times: what becomes one type, and what is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal

import fastavro
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_release import checked, files_of, problems, read_rows, run, write_config

from pipelines.run.failures import RunError
from pipelines.sources import inputs
from pipelines.sources import read_rows as sources
from pipelines.sources.files import InputError
from pipelines.sources.inputs import InputFile, match_files
from pipelines.sources.read_rows import ReadTask, read_task

WHEN = datetime(2024, 1, 1, 12, tzinfo=UTC)


def write(folder, name, **columns):
    columns = {"user": pa.array(["u", "v"]), "country": pa.array(["DE", "FR"]), **columns}
    kept = {column: values for column, values in columns.items() if values is not None}
    path = folder / name
    pq.write_table(pa.table(kept), path)
    return path


def pair(values, dtype=None):
    return pa.array([values, values], dtype)


TOGETHER = {
    "widths of whole numbers": (pair(1, pa.int8()), pair(1, pa.int64()), pl.Int64, 1),
    "signs of whole numbers": (pair(1, pa.uint32()), pair(1, pa.int16()), pl.Int64, 1),
    "widths of floats": (pair(1.5, pa.float32()), pair(1.5), pl.Float64, 1.5),
    "text and large text": (pair("a"), pair("a", pa.large_string()), pl.String, "a"),
    "text and categories": (pair("a"), pair("a").dictionary_encode(), pl.String, "a"),
    "text and views": (pair("a"), pair("a", pa.string_view()), pl.String, "a"),
    "days and days": (pair(date(2024, 1, 1)), pair(date(2024, 1, 1), pa.date32()), pl.Date, None),
    "units of time": (
        pair(WHEN, pa.timestamp("ms", "UTC")),
        pair(WHEN, pa.timestamp("ns", "UTC")),
        pl.Datetime("us", "UTC"),
        WHEN,
    ),
    "nothing and text": (pa.nulls(2), pair("a"), pl.String, "a"),
    "nothing and numbers": (pair(1, pa.int16()), pa.nulls(2), pl.Int16, 1),
}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
@pytest.mark.parametrize("name", TOGETHER)
def test_columns_that_go_together_are_read_as_one_type(tmp_path, monkeypatch, name, local, swapped):
    for module in (inputs, sources):
        monkeypatch.setattr(module, "is_local", lambda path: local)
    one, other, dtype, value = TOGETHER[name]
    first, second = (other, one) if swapped else (one, other)
    write(tmp_path, "a.parquet", country=first)
    write(tmp_path, "b.parquet", country=second)
    config = write_config(tmp_path, "files: '*.parquet'")
    assert checked(config)[2]["country"] == dtype
    rows = read_rows(config)
    assert rows.schema["country"] == dtype
    if value is not None:
        assert set(rows["country"].drop_nulls()) == {value}


def test_numbers_of_any_kind_are_summed_as_floats(tmp_path):
    for number, values in enumerate(
        [pair(2, pa.int8()), pair(2.0), pair(True), pair(Decimal("2.00")), pair(2, pa.uint64())]
    ):
        write(tmp_path, f"{number}.parquet", dwell=values)
    config = write_config(tmp_path, "files: '*.parquet'", metrics="s: {sum: dwell, clip: [0, 5]}")
    rows = read_rows(config)
    assert rows.schema["dwell"] == pl.Float64
    assert rows["dwell"].to_list() == [2.0] * 4 + [1.0] * 2 + [2.0] * 4


def test_one_type_in_all_files_is_left_as_it_is(tmp_path):
    for name in "ab":
        write(tmp_path, f"{name}.parquet", country=pair(1, pa.int16()))
    assert read_rows(write_config(tmp_path, "files: '*.parquet'")).schema["country"] == pl.Int16


APART = {
    "text and numbers": (pair("1"), pair(1), "Int64", "String"),
    "whole numbers and floats": (pair(1), pair(1.0), "Float64", "Int64"),
    "zones": (
        pair(WHEN, pa.timestamp("us", "UTC")),
        pair(WHEN, pa.timestamp("us", "Europe/Berlin")),
        "Datetime(time_unit='us', time_zone='Europe/Berlin')",
        "Datetime(time_unit='us', time_zone='UTC')",
    ),
    "zone and none": (
        pair(WHEN, pa.timestamp("us", "UTC")),
        pair(WHEN.replace(tzinfo=None), pa.timestamp("us")),
        "Datetime(time_unit='us', time_zone=None)",
        "Datetime(time_unit='us', time_zone='UTC')",
    ),
    "largest whole numbers": (pair(1), pair(1, pa.uint64()), "UInt64", "Int64"),
}


@pytest.mark.parametrize("column", ["user", "country"])
@pytest.mark.parametrize("name", APART)
def test_columns_that_do_not_go_together_are_refused_by_file_column_and_both_types(
    tmp_path, name, column
):
    one, other, found, expected = APART[name]
    write(tmp_path, "a.parquet", **{column: one})
    write(tmp_path, "b.parquet", **{column: other})
    (problem,) = problems(write_config(tmp_path, "files: '*.parquet'"))
    assert problem.partition(": ")[2].partition(": ")[2] == (
        f"column {column!r} has the type {found} in b.parquet; "
        f"allowed: {expected}, as in the other files"
    )


# Columns that a file lacks


def test_a_column_that_one_file_lacks_is_refused_with_its_name(tmp_path):
    write(tmp_path, "a.parquet")
    write(tmp_path, "b.parquet", country=None)
    (problem,) = problems(write_config(tmp_path, "files: '*.parquet'"))
    assert problem == (
        "release.yaml:6:12: tables.t.keys[0]: no column 'country' in b.parquet; it has: user"
    )


def write_two(folder, kind):
    """Writes one file with a country and one without."""
    with_it = pl.DataFrame({"country": ["DE", "FR"], "user": ["u", "v"]})
    for name, frame in {"a": with_it, "b": with_it.select("user")}.items():
        path = folder / f"{name}.{kind}"
        match kind:
            case "parquet":
                frame.write_parquet(path)
            case "avro":
                frame.write_avro(path)
            case "csv":
                frame.write_csv(path)
            case "jsonl":
                frame.write_ndjson(path)


@pytest.mark.parametrize("kind", ["parquet", "csv", "avro", "jsonl"])
def test_an_optional_column_is_null_where_a_file_lacks_it(tmp_path, kind):
    write_two(tmp_path, kind)
    source = files_of(kind, f"*.{kind}", lines="user: string")
    rows = read_rows(write_config(tmp_path, f"{source}, optional: [country]"))
    assert rows.rows() == [("u", "DE"), ("v", "FR"), ("u", None), ("v", None)]


@pytest.mark.parametrize("kind", ["parquet", "csv", "avro"])
def test_without_that_word_it_is_refused(tmp_path, kind):
    write_two(tmp_path, kind)
    (problem,) = problems(write_config(tmp_path, f"files: '*.{kind}'"))
    assert "no column 'country' in b." in problem


@pytest.mark.parametrize("kind", ["parquet", "csv", "avro"])
def test_an_optional_column_that_no_file_has_is_refused(tmp_path, kind):
    write_two(tmp_path, kind)
    config = write_config(tmp_path, f"files: '*.{kind}', optional: [region]", keys="region")
    assert problems(config) == [
        "release.yaml:6:12: tables.t.keys[0]: no column 'region' in any file"
    ]


def test_an_optional_unit_drops_the_rows_of_the_file_that_lacks_it(tmp_path):
    for name in ("a", "b"):
        users = pa.array([f"u{n}" for n in range(40)]) if name == "a" else None
        write(tmp_path, f"{name}.parquet", user=users, country=pa.array(["DE"] * 40))
    table = run(write_config(tmp_path, "files: '*.parquet', optional: [user]"))
    assert [round(value, -1) for value in table["users"]] == [40]


# Many files


def test_the_schemas_of_many_files_are_read_at_once_and_reported_in_order(tmp_path):
    for number in range(60):
        write(tmp_path, f"{number:02}.parquet")
    for number in (7, 33):
        (tmp_path / f"{number:02}.parquet").write_bytes(b"PAR1 not one")
    assert [
        problem.split(": ")[2] for problem in problems(write_config(tmp_path, "files: '*.parquet'"))
    ] == [
        "07.parquet is not a readable Parquet file",
        "33.parquet is not a readable Parquet file",
    ]


# Files that change between the check and the reading


def read_again(path, source, schema, task=None):
    task = task or ReadTask(str(path), (0, 1), (0, 2), 1)
    return [table.to_pydict() for table in read_task(task, source, schema)]


@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"country": None}, "the column 'country' of {} went away while the release ran"),
        (
            {"country": pair(7)},
            "the column 'country' of {} changed its type while the release ran: "
            "it is Int64, and was String",
        ),
        (
            {"user": pair("secret").slice(1), "country": pair("secret").slice(1)},
            "the number of rows of {} changed while the release ran",
        ),
    ],
)
def test_a_parquet_file_that_changed_is_an_error_without_its_values(
    tmp_path, monkeypatch, change, message, local
):
    monkeypatch.setattr(sources, "is_local", lambda path: local)
    path = write(tmp_path, "a.parquet")
    source, _, schema = checked(write_config(tmp_path, "files: a.parquet"))
    assert read_again(path, source, schema) == [{"user": ["u", "v"], "country": ["DE", "FR"]}]
    write(tmp_path, "a.parquet", **change)
    with pytest.raises(InputError) as caught:
        read_again(path, source, schema)
    assert str(caught.value) == message.format(path)


def test_a_text_file_that_changed_its_columns_is_read_by_its_new_header(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("user,country\nu,DE\n")
    source, (file,), schema = checked(write_config(tmp_path, "files: a.csv"))
    task = ReadTask(file.path, (0, 0), (0, 0), 1)
    path.write_text("country,more,user\nFR,x,v\n")
    assert read_again(path, source, schema, task) == [{"user": ["v"], "country": ["FR"]}]
    path.write_text("country,more\nFR,x\n")
    with pytest.raises(InputError, match=r"the column 'user' of .*a\.csv went away"):
        read_again(path, source, schema, task)


def test_an_avro_file_that_changed_its_types_is_an_error(tmp_path):
    path = tmp_path / "a.avro"

    def write_one(kind, value):
        fields = [{"name": "user", "type": "string"}, {"name": "country", "type": kind}]
        with path.open("wb") as file:
            schema = {"type": "record", "name": "E", "fields": fields}
            fastavro.writer(file, schema, [{"user": "u", "country": value}])

    write_one("string", "DE")
    source, (file,), schema = checked(write_config(tmp_path, "files: a.avro"))
    write_one("bytes", b"DE")
    with pytest.raises(InputError, match="it is Binary, and was String"):
        read_again(path, source, schema, ReadTask(file.path, (0, 0), (0, 0), 1))


@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
def test_a_file_that_went_away_is_an_error(tmp_path, monkeypatch, local):
    monkeypatch.setattr(sources, "is_local", lambda path: local)
    path = write(tmp_path, "a.parquet")
    source, _, schema = checked(write_config(tmp_path, "files: a.parquet"))
    path.unlink()
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        read_again(path, source, schema)


def test_a_run_whose_files_change_publishes_nothing(tmp_path, monkeypatch):
    write(tmp_path, "a.parquet")
    config = write_config(tmp_path, "files: a.parquet")
    original = inputs.input_schemas

    def then_change(files, source):
        found = list(original(files, source))
        write(tmp_path, "a.parquet", country=pair("secret", pa.binary()))
        return iter(found)

    monkeypatch.setattr("pipelines.sources.check.input_schemas", then_change)
    with pytest.raises(RunError) as caught:
        run(config)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_matched_file_says_what_it_always_said(tmp_path):
    path = write(tmp_path, "a.parquet")
    assert match_files(str(path)) == [InputFile(str(path), path.stat().st_size)]
