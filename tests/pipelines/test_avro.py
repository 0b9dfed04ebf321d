"""Avro files: their types, their dirt, and what is done when they are broken."""

import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import fastavro
import polars as pl
import pyarrow as pa
import pytest
from small_release import checked, problems, read_rows, run, write_config

from pipelines.sources import avro
from pipelines.sources.avro import avro_schema, read_avro
from pipelines.sources.files import InputError

NOW = datetime(2026, 11, 1, 12, 30, 0, 123456, tzinfo=UTC)
ID = UUID("0b8b8c6e-3c1f-4d7b-9f0a-0123456789ab")
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}


def logical(base, name):
    return {"type": base, "logicalType": name}


def write_avro(path, fields, rows, codec="null", sync_interval=16000):
    """Writes a file with fields given as name to type."""
    schema = {
        "type": "record",
        "name": "Event",
        "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
    }
    with path.open("wb") as file:
        fastavro.writer(
            file, fastavro.parse_schema(schema), rows, codec=codec, sync_interval=sync_interval
        )
    return str(path)


def rows_of(path, *columns):
    return [row for table in read_avro(path, columns) for row in table.to_pylist()]


KINDS = {
    "string": ("string", "ü", pa.string()),
    "bytes": ("bytes", b"\xff", pa.binary()),
    "int": ("int", -1, pa.int32()),
    "long": ("long", 2**40, pa.int64()),
    "float": ("float", 1.5, pa.float32()),
    "double": ("double", 1.1, pa.float64()),
    "boolean": ("boolean", True, pa.bool_()),
    "enum": (ENUM, "B", pa.string()),
    "uuid": (logical("string", "uuid"), str(ID), pa.string()),
    "date": (logical("int", "date"), date(1969, 11, 1), pa.date32()),
    "time": (logical("long", "time-micros"), time(1, 2, 3, 4), pa.time64("us")),
    "micros": (logical("long", "timestamp-micros"), NOW, pa.timestamp("us", "+00:00")),
    "local": (
        logical("long", "local-timestamp-micros"),
        NOW.replace(tzinfo=None),
        pa.timestamp("us"),
    ),
    "decimal": (DECIMAL, Decimal("-1.50"), pa.decimal128(9, 2)),
}


@pytest.mark.parametrize("nullable", ["no", "first", "last"])
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("slowly", [False, True], ids=["fast", "slow"])
def test_types_are_kept(tmp_path, name, nullable, slowly, monkeypatch):
    kind, value, expected = KINDS[name]
    union = {"no": kind, "first": ["null", kind], "last": [kind, "null"]}[nullable]
    rows = [{"k": "x", "c": value}] + ([] if nullable == "no" else [{"k": "y", "c": None}])
    path = write_avro(tmp_path / "a.avro", {"k": "string", "c": union}, rows)
    schema = avro_schema(path)
    assert schema.field("c").type == expected
    tables = [*avro._read_slowly(path, schema, 0)] if slowly else [*read_avro(path, ["c", "k"])]
    assert [table.schema.field("c").type for table in tables] == [expected]
    assert [row["c"] for table in tables for row in table.to_pylist()] == [row["c"] for row in rows]


def test_timestamps_are_in_the_zone_that_text_files_have(tmp_path):
    fields = {"user": "string", "at": logical("long", "timestamp-millis")}
    write_avro(tmp_path / "a.avro", fields, [{"user": "a", "at": NOW}])
    config = write_config(tmp_path, "files: a.avro", keys="at")
    assert checked(config)[2]["at"] == pl.Datetime("ms", "UTC")
    assert read_rows(config)["at"].to_list() == [NOW.replace(microsecond=123000)]


NOT_SCALAR = {
    "map": ({"type": "map", "values": "long"}, {"a": 1}),
    "array": ({"type": "array", "items": "long"}, [1]),
    "record": (
        {"type": "record", "name": "R", "fields": [{"name": "z", "type": "long"}]},
        {"z": 1},
    ),
    "union": (["null", "string", "long"], 5),
    "array of unions": ({"type": "array", "items": ["string", "long"]}, [1, "a"]),
}


@pytest.mark.parametrize("name", NOT_SCALAR)
def test_a_column_that_is_not_scalar_is_refused_where_it_is_read_and_fine_elsewhere(
    tmp_path, name, capfd
):
    kind, value = NOT_SCALAR[name]
    fields = {"user": "string", "c": kind, "country": "string"}
    write_avro(tmp_path / "a.avro", fields, [{"user": "u", "c": value, "country": "DE"}])
    assert read_rows(write_config(tmp_path, "files: a.avro")).rows() == [("u", "DE")]
    (problem,) = problems(write_config(tmp_path, "files: a.avro", keys="c"))
    assert problem.startswith("release.yaml:6:12: tables.t.keys[0]: column 'c' has the type ")
    assert problem.endswith("; allowed here: scalars, in a.avro")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"])
@pytest.mark.parametrize("text", [b"c", b"c\xff"], ids=["clean", "dirty"])
def test_every_codec_is_read(tmp_path, codec, text):
    path = tmp_path / "a.avro"
    write_avro(path, {"k": "bytes"}, [{"k": b"a"}, {"k": text}], codec)
    content = path.read_bytes()
    assert content.count(b'"type": "bytes"') == 1
    path.write_bytes(content.replace(b'"type": "bytes"', b'"type":"string"'))
    assert rows_of(str(path), "k") == [{"k": "a"}, {"k": text.decode(errors="replace")}]


def with_bad_text(path, number, count):
    """Makes the text of one of many rows no UTF-8, and a number beside it that tells the row."""
    rows = [{"k": "XYZ" if row == number else "abc", "n": row} for row in range(count)]
    write_avro(path, {"k": "string", "n": "long"}, rows, sync_interval=100)
    content = path.read_bytes()
    assert content.count(b"XYZ") == 1
    path.write_bytes(content.replace(b"XYZ", b"\xffY\xfe"))
    return str(path)


@pytest.mark.parametrize("number", [0, 9, 10, 57, 99])
def test_text_that_is_not_utf_8_is_replaced_and_no_row_is_lost_or_twice(
    tmp_path, monkeypatch, number
):
    monkeypatch.setattr(avro, "BATCH_ROWS", 10)
    path = with_bad_text(tmp_path / "a.avro", number, 100)
    rows = rows_of(path, "n", "k")
    assert [row["n"] for row in rows] == list(range(100))
    assert {row["k"] for row in rows if row["n"] != number} == {"abc"}
    assert rows[number]["k"] == "\ufffdY\ufffd"


def test_columns_that_are_not_read_may_hold_anything(tmp_path):
    path = with_bad_text(tmp_path / "a.avro", 3, 10)
    assert [row["n"] for row in rows_of(path, "n")] == list(range(10))


@pytest.mark.parametrize(
    "content", [b"x", b"Obj\x01", b"Obj\x01\x00" + b"s" * 16 + b"x", b"k,n\n1,2\n" * 50]
)
def test_what_is_no_avro_file_is_refused_by_its_name(tmp_path, content):
    (tmp_path / "a.avro").write_bytes(content)
    (problem,) = problems(write_config(tmp_path, "files: a.avro"))
    assert problem == "release.yaml:2:16: input.files: a.avro is not a readable Avro file"


@pytest.mark.parametrize("lost", [1, 16, 17, 500, 5000])
def test_a_file_that_is_cut_off_is_refused_and_not_read_in_part(tmp_path, lost):
    rows = [{"k": f"{row:05}"} for row in range(5000)]
    path = tmp_path / "a.avro"
    write_avro(path, {"k": "string"}, rows, sync_interval=1000)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(InputError, match=r"a\.avro is not a readable Avro file"):
        avro_schema(str(path))
    with pytest.raises(InputError, match=r"a\.avro is not a readable Avro file"):
        rows_of(str(path), "k")


def test_a_damaged_block_fails_without_data_in_the_message(tmp_path):
    rows = [{"k": f"secret{row:05}"} for row in range(5000)]
    path = tmp_path / "a.avro"
    write_avro(path, {"k": "string"}, rows, "deflate")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        rows_of(str(path), "k")
    assert str(caught.value) == f"{path} is not a readable Avro file"
    assert caught.value.__cause__ is None


def test_a_file_without_rows_has_a_schema(tmp_path):
    path = write_avro(tmp_path / "a.avro", {"k": "string"}, [])
    assert avro_schema(path).names == ["k"]
    assert rows_of(path, "k") == []


def test_large_files_come_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(avro, "BATCH_ROWS", 1000)
    rows = [{"k": str(row)} for row in range(2500)]
    path = write_avro(tmp_path / "a.avro", {"k": "string"}, rows)
    tables = list(read_avro(path, ["k"]))
    assert max(table.num_rows for table in tables) == 1000
    assert [row["k"] for table in tables for row in table.to_pylist()] == [r["k"] for r in rows]


def test_a_release_of_avro_files(tmp_path):
    fields = {
        "user": "string",
        "country": ["null", ENUM],
        "dwell": DECIMAL,
        "more": NOT_SCALAR["map"][0],
    }
    for file in range(2):
        rows = [
            {"user": f"{file}{row}", "country": "AB"[row % 2], "dwell": Decimal("2.50"), "more": {}}
            for row in range(40)
        ]
        write_avro(tmp_path / f"{file}.avro", fields, rows)
    config = write_config(
        tmp_path, "files: '*.avro'", metrics="users: count, s: {sum: dwell, clip: [0, 5]}"
    )
    table = run(config)
    assert table["country"].to_list() == ["A", "B"]
    assert [round(value, -1) for value in table["users"]] == [40, 40]
    assert ((table["s"] - 100).abs() < 14 * table["s_std"]).all()


def test_a_memory_file_is_what_fastavro_reads_too(tmp_path):
    rows = [{"k": str(row), "u": str(ID)} for row in range(300)]
    fields = {"k": "string", "u": logical("string", "uuid")}
    path = write_avro(tmp_path / "a.avro", fields, rows, "deflate")
    content = (tmp_path / "a.avro").read_bytes()
    expected = [{"k": row["k"], "u": str(row["u"])} for row in fastavro.reader(io.BytesIO(content))]
    assert rows_of(path, "k", "u") == expected
