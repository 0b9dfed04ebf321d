"""Inputs on another file system of Beam: globs, folders, all formats, no bytes too many."""

import gzip
import io
import random

import memory_files
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_release import checked, files_of, problems, read_rows, run, write_config

from pipelines.sources import avro
from pipelines.sources.inputs import match_files


@pytest.fixture(autouse=True)
def no_files():
    memory_files.FILES.clear()
    memory_files.READ.clear()


def content(frame, kind):
    file = io.BytesIO()
    match kind:
        case "parquet":
            frame.write_parquet(file)
        case "avro":
            frame.write_avro(file)
        case "csv":
            frame.write_csv(file)
        case "jsonl":
            frame.write_ndjson(file)
    return file.getvalue()


def put(path, frame, kind):
    memory_files.FILES[path] = content(frame, kind)


KINDS = ["parquet", "avro", "csv", "jsonl"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_reads_globs_and_folders_of_a_bucket(tmp_path, kind):
    for day, count in {"2026-11-01": 20, "2026-11-02": 40}.items():
        for part in range(2):
            users = pl.DataFrame({"user": [f"{part}-{row}" for row in range(count)]})
            frame = users.with_columns(country=pl.lit("DE"))
            put(f"mem://bucket/events/dt={day}/{part}.{kind}", frame, kind)
    put(f"mem://bucket/other/dt=2026-11-03/0.{kind}", users, kind)
    source = files_of(kind, f"mem://bucket/events/dt=*/*.{kind}", "dt: date")
    config = write_config(tmp_path, source, keys="dt, country")
    assert read_rows(config).height == 120
    table = run(config)
    assert [str(day) for day in table["dt"]] == ["2026-11-01", "2026-11-02"]
    assert [round(value, -1) for value in table["users"]] == [40, 80]


@pytest.mark.parametrize("kind", KINDS)
def test_remote_rows_are_what_local_ones_are(tmp_path, kind):
    frame = pl.DataFrame({"n": [1, None, 3], "user": ["a", None, "ü"], "country": ["x", "y", ""]})
    put(f"mem://b/a.{kind}", frame, kind)
    (tmp_path / f"a.{kind}").write_bytes(content(frame, kind))
    remote = read_rows(write_config(tmp_path, files_of(kind, f"mem://b/a.{kind}")))
    assert remote.equals(read_rows(write_config(tmp_path, files_of(kind, f"a.{kind}"))))
    assert remote.height == 3


def test_compressed_text_is_read(tmp_path):
    text = content(pl.DataFrame({"user": ["a"], "country": ["DE"]}), "csv")
    memory_files.FILES["mem://b/a.csv.gz"] = gzip.compress(text)
    config = write_config(tmp_path, "files: 'mem://b/*.csv.gz', format: csv")
    assert read_rows(config).rows() == [("a", "DE")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_or_damaged_is_refused_by_its_url(tmp_path, kind):
    config = write_config(tmp_path, files_of(kind, f"mem://b/*.{kind}"))
    (problem,) = problems(config)
    assert problem.endswith(f"input.files: no file matches mem://b/*.{kind}")
    memory_files.FILES[f"mem://b/a.{kind}"] = b"\0"
    if kind == "jsonl":
        assert checked(config)
    else:
        assert f"mem://b/a.{kind}" in problems(config)[0]


def big(kind):
    noise = random.Random(1)
    rows = 50_000
    frame = pl.DataFrame(
        {
            "user": [str(row) for row in range(rows)],
            "country": ["DE"] * rows,
            "long": [noise.randbytes(30).hex() for _ in range(rows)],
        }
    )
    if kind == "parquet":
        file = io.BytesIO()
        pq.write_table(frame.to_arrow(), file, row_group_size=5000)
        return file.getvalue()
    return content(frame, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_reads_little_of_a_file(tmp_path, kind):
    memory_files.FILES[f"mem://b/a.{kind}"] = big(kind)
    size = len(memory_files.FILES[f"mem://b/a.{kind}"])
    assert size > 3_000_000
    checked(write_config(tmp_path, files_of(kind, f"mem://b/a.{kind}")))
    read = memory_files.READ.get(f"mem://b/a.{kind}", 0)
    assert (read > 0) == (kind != "jsonl")
    assert read < 200_000


def test_columns_of_a_parquet_file_that_are_not_needed_are_not_read(tmp_path):
    memory_files.FILES["mem://b/a.parquet"] = big("parquet")
    rows = read_rows(write_config(tmp_path, "files: 'mem://b/a.parquet'"))
    assert rows.height == 50_000
    assert memory_files.READ["mem://b/a.parquet"] < len(memory_files.FILES["mem://b/a.parquet"]) / 3


def test_dirty_avro_text_is_replaced_there_too(tmp_path, monkeypatch):
    monkeypatch.setattr(avro, "BATCH_ROWS", 10)
    frame = pl.DataFrame(
        {"user": [f"{row:02}" for row in range(50)], "country": ["XYZ"] + ["DE"] * 49}
    )
    put("mem://b/a.avro", frame, "avro")
    dirty = memory_files.FILES["mem://b/a.avro"].replace(b"XYZ", b"\xffYZ")
    memory_files.FILES["mem://b/a.avro"] = dirty
    rows = read_rows(write_config(tmp_path, "files: 'mem://b/a.avro'"))
    assert rows["user"].to_list() == frame["user"].to_list()
    assert rows["country"][0] == "\ufffdYZ"


def test_parquet_text_that_is_not_utf_8_is_read_as_it_is(tmp_path):
    file = io.BytesIO()
    bad = pa.array([b"a\xff", b"b"]).view(pa.string())
    pq.write_table(pa.table({"user": ["u", "v"], "country": bad}), file)
    memory_files.FILES["mem://b/a.parquet"] = file.getvalue()
    _, files, schema = checked(write_config(tmp_path, "files: 'mem://b/a.parquet'"))
    assert schema["country"] == pl.String
    assert files == match_files("mem://b/a.parquet")
