"""Input files: which ones, what is in them, and every row of them once."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import apache_beam as beam
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.testing.util import assert_that
from google.api_core.exceptions import Forbidden, RetryError

from pipelines.run.progress import bytes_read
from pipelines.sources import inputs
from pipelines.sources import read_rows as sources
from pipelines.sources.inputs import (
    Input,
    InputError,
    InputFile,
    input_schema,
    match_files,
    open_file,
    open_parquet,
)
from transforms import Bounds, Budget, Count, PrivacyUnitCount, PrivateSelection, Sum, Table
from transforms.hashing import HashKey
from transforms.local import exact_partials
from transforms.planning import plan_tables
from transforms.rows import canonical_type
from transforms.text_types import POLARS_TYPES

TYPES = {"user": "string", "day": "date", "n": "int", "x": "float"}


def parquet_input(*files, columns=("user", "n")):
    return Input([str(file) for file in files], "parquet", columns, {})


def write_parquet(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return InputFile(str(path), path.stat().st_size)


def read(file, source):
    """Reads a file the way the pipeline does: split it, then read each task."""
    if source.format == "parquet":
        opened = open_parquet(file.path)
        tasks = sources.split_parquet(opened, file.path, source.columns, file.size)
    else:
        tasks = [sources.ReadTask(file.path, (0, 0), (0, 0), file.size)]
    return [table for task in tasks for table in sources.read_task(task, source)]


def frame(tables):
    return pl.concat([pl.DataFrame(table) for table in tables])


# Which files


def test_a_glob_finds_its_files_in_order(tmp_path):
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("u\n1\n")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.csv").write_text("u\n22\n")
    found = match_files(str(tmp_path / "*.csv"))
    assert found == [InputFile(str(tmp_path / name), 4) for name in ("a.csv", "b.csv")]
    deeper = match_files(str(tmp_path / "*" / "*.csv"))
    assert deeper == [InputFile(str(tmp_path / "deeper" / "d.csv"), 5)]


def test_a_path_without_a_wildcard_is_one_file(tmp_path):
    (tmp_path / "a b.csv").write_text("u\n")
    assert match_files(str(tmp_path / "a b.csv")) == [InputFile(str(tmp_path / "a b.csv"), 2)]


@pytest.mark.parametrize("glob", ["nothing.csv", "*.csv", "no/such/folder/*.csv"])
def test_a_glob_that_finds_nothing_is_refused(tmp_path, glob):
    with pytest.raises(InputError, match="no file matches"):
        match_files(str(tmp_path / glob))


def test_a_glob_on_an_unknown_file_system_is_refused():
    with pytest.raises(InputError, match="cannot look for nowhere://x/"):
        match_files("nowhere://x/*.csv")


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (RetryError("Timeout of 60.0s exceeded", None), "the service is busy or cannot be reached"),
        (Forbidden("GET https://..."), "no permission; allowed: an account that may get, list"),
        (BeamIOError("Match operation failed", {"gs://b": TimeoutError()}), "TimeoutError"),
    ],
    ids=["away", "forbidden", "without a text"],
)
def test_what_is_behind_an_error_of_a_bucket_is_said_in_one_line(monkeypatch, cause, said):
    def match(_):
        raise BeamIOError("Match operation failed", {"gs://b/*": cause})

    monkeypatch.setattr(FileSystems, "match", match)
    with pytest.raises(InputError) as caught:
        match_files("gs://b/*")
    assert str(caught.value).startswith(f"cannot look for gs://b/*: {said}")
    assert "\n" not in str(caught.value)


# What is in them


def test_the_schema_of_a_parquet_file_has_all_its_columns(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", {"user": ["a"], "n": [1], "more": [[1]]})
    schema = input_schema(file, parquet_input(tmp_path / "a.parquet"))
    assert schema == {"user": pl.String(), "n": pl.Int64(), "more": pl.List(pl.Int64)}


def test_the_schema_of_a_csv_file_has_its_header_with_the_declared_types(tmp_path):
    (tmp_path / "a.csv").write_text("more,n,user\n1,2,3\n")
    source = Input(["a.csv"], "csv", ["user", "n"], {"user": "string", "n": "int"})
    schema = input_schema(match_files(str(tmp_path / "a.csv"))[0], source)
    assert schema == {"more": pl.String(), "n": pl.Int64(), "user": pl.String()}
    assert list(schema) == ["more", "n", "user"]


def test_the_schema_of_a_jsonl_file_has_what_the_release_asks_for(tmp_path):
    (tmp_path / "a.jsonl").write_text("anything\n")
    source = Input(["a.jsonl"], "jsonl", list(POLARS_TYPES), {kind: kind for kind in POLARS_TYPES})
    assert input_schema(match_files(str(tmp_path / "a.jsonl"))[0], source) == POLARS_TYPES


@pytest.mark.parametrize("content", [b"x", b"PAR1", b"PAR1xxxxPAR1", b"user,n\n1,2\n" * 100])
def test_what_is_no_parquet_file_is_refused_by_its_name(tmp_path, content):
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet is not a readable Parquet file"):
        open_parquet(str(path))


def test_a_parquet_file_that_is_cut_off_is_refused(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", {"user": ["a"] * 1000})
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-5])
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        open_parquet(file.path)


def test_a_parquet_file_with_a_type_that_arrow_lacks_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1]}, schema={"n": pl.Int128}).write_parquet(path)
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        open_parquet(str(path))


def test_a_file_that_went_away_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        open_file(str(tmp_path / "gone.csv"))
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        open_parquet(str(tmp_path / "gone.parquet"))


@pytest.mark.parametrize("suffix", ["gz", "bz2"])
def test_a_csv_file_that_is_not_compressed_as_its_name_says_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.csv.{suffix}"
    path.write_text("user,n\n")
    source = Input([str(path)], "csv", ["user"], {"user": "string"})
    with pytest.raises(InputError, match=r"a\.csv\.\w+ cannot be read"):
        input_schema(InputFile(str(path), 7), source)


# Their rows


@pytest.mark.parametrize("task_bytes", [1, 500, 5_000, 64 << 20])
def test_splitting_covers_every_row_once_whatever_the_size_of_a_task(
    tmp_path, monkeypatch, task_bytes
):
    monkeypatch.setattr(sources, "TASK_BYTES", task_bytes)
    rows = list(range(1003))
    file = write_parquet(
        tmp_path / "a.parquet", {"n": rows, "user": list(map(str, rows))}, row_group_size=100
    )
    source = parquet_input(file.path)
    opened = open_parquet(file.path)
    tasks = sources.split_parquet(opened, file.path, source.columns, file.size)
    assert [number for task in tasks for number in range(*task.rows)] == rows
    groups = [number for task in tasks for number in range(*task.row_groups)]
    assert groups == list(range(opened.num_row_groups))
    assert 0.99 * file.size <= sum(task.size for task in tasks) <= file.size
    assert len(tasks) == {1: 11, 64 << 20: 1}.get(task_bytes, len(tasks))
    found = frame(read(file, source))
    assert found["n"].to_list() == rows
    assert found["user"].to_list() == list(map(str, rows))


def test_tasks_are_sized_by_the_columns_that_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "TASK_BYTES", 10_000)
    rows = range(1000)
    columns = {"n": [number % 2 for number in rows], "long": [f"{number:0900}" for number in rows]}
    file = write_parquet(tmp_path / "a.parquet", columns, row_group_size=100)
    opened = open_parquet(file.path)
    assert len(sources.split_parquet(opened, file.path, ["n"], file.size)) == 1
    assert len(sources.split_parquet(opened, file.path, ["long"], file.size)) == 10


def test_a_parquet_file_without_rows_makes_no_rows(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", {"user": pa.array([], pa.string()), "n": []})
    assert sum(table.num_rows for table in read(file, parquet_input(file.path))) == 0


def test_a_file_on_another_file_system_is_read_by_its_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "is_local", lambda path: False)
    monkeypatch.setattr(sources, "TASK_BYTES", 1)
    rows = list(range(250))
    file = write_parquet(tmp_path / "a.parquet", {"n": rows, "user": rows}, row_group_size=100)
    tables = read(file, parquet_input(file.path))
    assert [table.column_names for table in tables] == [["user", "n"]] * 3
    assert frame(tables)["n"].to_list() == rows


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_only_the_columns_that_are_needed_are_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    rows = pl.DataFrame({"secret": ["s"], "n": [1], "user": ["u"]})
    write_in_format(rows, path)
    types = {} if suffix == "parquet" else {"user": "string", "n": "int"}
    source = Input([str(path)], suffix, ["user", "n"], types)
    (table,) = read(InputFile(str(path), 1), source)
    assert table.column_names == ["user", "n"]
    assert frame([table]).rows() == [("u", 1)]


PARQUET_COLUMNS = {
    "string": pa.array(["a"]),
    "large_string": pa.array(["a"], pa.large_string()),
    "string_view": pa.array(["a"], pa.string_view()),
    "dictionary": pa.array(["a"]).dictionary_encode(),
    "int8": pa.array([1], pa.int8()),
    "uint16": pa.array([1], pa.uint16()),
    "uint64": pa.array([2**64 - 1], pa.uint64()),
    "float16": pa.array([1.5], pa.float16()),
    "float32": pa.array([1.5], pa.float32()),
    "bool": pa.array([True]),
    "date32": pa.array([date(2024, 1, 1)]),
    "date64": pa.array([date(2024, 1, 1)], pa.date64()),
    "time": pa.array([1], pa.time32("ms")),
    "seconds": pa.array([datetime(2024, 1, 1)], pa.timestamp("s")),
    "milliseconds": pa.array([datetime(2024, 1, 1)], pa.timestamp("ms", "UTC")),
    "nanoseconds": pa.array([datetime(2024, 1, 1)], pa.timestamp("ns", "Europe/Berlin")),
    "decimal": pa.array([Decimal("1.50")], pa.decimal128(9, 2)),
    "binary": pa.array([b"\xff"]),
    "fixed": pa.array([b"\xff"], pa.binary(1)),
    "null": pa.nulls(1),
}


@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
@pytest.mark.parametrize("name", PARQUET_COLUMNS)
def test_a_parquet_column_is_read_as_the_type_that_was_checked(tmp_path, monkeypatch, name, local):
    for module in (inputs, sources):
        monkeypatch.setattr(module, "is_local", lambda path: local)
    file = write_parquet(tmp_path / "a.parquet", {"c": PARQUET_COLUMNS[name]})
    source = parquet_input(file.path, columns=["c"])
    checked = input_schema(file, source)["c"]
    (table,) = read(file, source)
    assert canonical_type("c", pl.DataFrame(table).schema["c"]) == canonical_type("c", checked)
    assert frame([table]).rows() == pl.DataFrame(table).rows()
    assert table.num_rows == 1


def test_old_spark_timestamps_are_read_as_timestamps(tmp_path):
    columns = {"c": pa.array([datetime(2024, 1, 1)], pa.timestamp("ns"))}
    file = write_parquet(tmp_path / "a.parquet", columns, use_deprecated_int96_timestamps=True)
    source = parquet_input(file.path, columns=["c"])
    assert canonical_type("c", input_schema(file, source)["c"]) == pl.Datetime("us")
    assert frame(read(file, source))["c"].to_list() == [datetime(2024, 1, 1)]


def test_a_column_of_the_folder_name_is_not_mixed_in(tmp_path):
    folder = tmp_path / "n=7"
    folder.mkdir()
    file = write_parquet(folder / "a.parquet", {"user": ["a"], "n": [1]})
    assert frame(read(file, parquet_input(file.path))).rows() == [("a", 1)]


def test_a_path_with_glob_signs_is_read_as_it_is(tmp_path):
    (tmp_path / "a*.parquet").touch()
    write_parquet(tmp_path / "ab.parquet", {"user": ["wrong"], "n": [0]})
    file = write_parquet(tmp_path / "a*.parquet", {"user": ["right"], "n": [1]})
    assert frame(read(file, parquet_input(file.path))).rows() == [("right", 1)]


@pytest.mark.parametrize("suffix", ["gz", "bz2"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_compressed_text_is_read_whole(tmp_path, kind, suffix):
    count = 30_000
    rows = pl.DataFrame({"user": [f"u{n}" for n in range(count)], "n": list(range(count))})
    plain = tmp_path / f"a.{kind}"
    write_in_format(rows, plain)
    path = tmp_path / f"a.{kind}.{suffix}"
    compress = __import__({"gz": "gzip", "bz2": "bz2"}[suffix]).compress
    path.write_bytes(compress(plain.read_bytes()))
    source = Input([str(path)], kind, ["user", "n"], {"user": "string", "n": "int"})
    (file,) = match_files(str(tmp_path / f"*.{suffix}"))
    assert set(input_schema(file, source)) == {"user", "n"}
    assert frame(read(file, source)).sort("n").equals(rows)


# The same release from any format and any files

ROWS = pl.DataFrame(
    {
        "user": ["a", "a", "a", "b", "b", "c", None, 'ü,"q"', "d"],
        "day": [date(2024, 1, day) for day in (1, 1, 2, 1, 2, 1, 1, 2)] + [None],
        "n": [1, 1, 2, 1, -5, None, 1, 2, 2],
        "x": [0.5, 20.0, -3.25, None, 1.0, 2.0, 4.0, 0.0, 1.0],
    }
)
(PLAN,) = plan_tables(
    {
        "t": Table(
            keys=["day", "n"],
            metrics={"rows": Count(), "users": PrivacyUnitCount(), "x": Sum("x", clip=(-1, 5))},
            bounds=Bounds(2, 2),
            partitions=PrivateSelection(),
        )
    },
    Budget(1.0, 1e-6),
)
KEY = HashKey.draw()


def write_in_format(rows, path):
    match path.suffix:
        case ".parquet":
            rows.write_parquet(path)
        case ".csv":
            rows.write_csv(path)
        case ".jsonl":
            lines = (json.dumps(row, default=str, ensure_ascii=False) for row in rows.to_dicts())
            path.write_text("".join(f"{line}\n" for line in lines))


def partials(tables):
    return exact_partials(pa.concat_tables(tables), ("user",), PLAN, KEY).sort(PLAN.keys)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_every_format_gives_the_same_partials(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_in_format(ROWS, path)
    types = {} if suffix == "parquet" else TYPES
    source = Input([str(path)], suffix, list(TYPES), types)
    (file,) = match_files(str(path))
    found = partials(read(file, source))
    expected = partials([ROWS.to_arrow()])
    assert found.height == 3
    assert found.equals(expected)


def test_files_with_other_widths_orders_and_encodings_of_the_same_columns_add_up(tmp_path):
    variants = [
        {"user": pa.array(["a", "b"]), "n": pa.array([1, 2], pa.int8())},
        {"n": pa.array([1, 2], pa.int64()), "user": pa.array(["a", "b"], pa.large_string())},
        {"more": [0, 0], "user": pa.array(["a", "b"]).dictionary_encode(), "n": pa.array([1, 2])},
        {"user": pa.array(["a", "b"], pa.string_view()), "n": pa.array([1, 2], pa.uint32())},
    ]
    files = [
        write_parquet(tmp_path / f"{number}.parquet", columns)
        for number, columns in enumerate(variants)
    ]
    source = parquet_input(tmp_path / "*.parquet")
    (plan,) = plan_tables({"t": Table(["n"], {"rows": Count()}, Bounds(2, 9))}, Budget(1.0, 1e-6))
    frames = [canonical(pl.DataFrame(table)) for file in files for table in read(file, source)]
    found = exact_partials(pl.concat(frames).to_arrow(), ("user",), plan, KEY).sort("n")
    assert found["rows"].to_list() == [4, 4]
    assert found["privacy_units:"].to_list() == [1, 1]


def canonical(frame):
    return frame.cast({name: canonical_type(name, dtype) for name, dtype in frame.schema.items()})


def test_the_transform_reads_all_rows_of_all_files_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "TASK_BYTES", 1)
    for number in range(3):
        columns = {"n": list(range(number * 100, number * 100 + 100)), "user": ["u"] * 100}
        write_parquet(tmp_path / f"{number}.parquet", columns, row_group_size=30)
    source = parquet_input(tmp_path / "*.parquet")

    def check(tables):
        assert sorted(n for table in tables for n in table["n"].to_pylist()) == list(range(300))
        assert all(table.column_names == ["user", "n"] for table in tables)

    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        rows = pipeline | sources.ReadRows(source, match_files(source.files[0]))
        assert_that(rows, check)


def test_progress_counts_the_bytes_of_the_files_that_were_read(tmp_path):
    before = bytes_read()
    (tmp_path / "a.csv").write_text("user,n\na,1\n")
    (file,) = match_files(str(tmp_path / "a.csv"))
    read(file, Input([file.path], "csv", ["user"], {"user": "string"}))
    assert bytes_read() - before == file.size


def test_timestamps_of_text_and_parquet_are_the_same_keys(tmp_path):
    when = datetime(2024, 1, 1, 12, tzinfo=UTC)
    file = write_parquet(tmp_path / "a.parquet", {"t": pa.array([when], pa.timestamp("ms", "UTC"))})
    (tmp_path / "a.csv").write_text("t\n2024-01-01T13:00:00+01:00\n")
    text = Input(["a.csv"], "csv", ["t"], {"t": "timestamp"})
    (csv_file,) = match_files(str(tmp_path / "a.csv"))
    (parquet,) = read(file, parquet_input(file.path, columns=["t"]))
    (csv,) = read(csv_file, text)
    assert parquet["t"].to_pylist() == csv["t"].to_pylist() == [when]
    checked = [input_schema(file, parquet_input(file.path)), input_schema(csv_file, text)]
    assert [canonical_type("t", schema["t"]) for schema in checked] == [
        pl.Datetime("us", "UTC")
    ] * 2
