"""Folders named `dt=2026-11-01` give a column `dt`: which ones, of what type, in which rows."""

from datetime import date
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_release import checked, files_of, problems, read_rows, run, write_config

from pipelines.plan import plan_release
from pipelines.sources.inputs import match_files
from pipelines.spec import load_release
from pipelines.spec.partition_folders import folder_columns, folder_values


@pytest.mark.parametrize(
    ("glob", "columns"),
    [
        ("events/dt=*/*.parquet", ("dt",)),
        ("events/dt=2026-11-*/country=DE/a.csv", ("dt", "country")),
        ("gs://bucket/a=1/b=*/*.avro", ("a", "b")),
        ("events/*/*.parquet", ()),
        ("events/*=*/*.parquet", ()),
        ("events/d?=*/*.parquet", ()),
        ("events/dt=1.parquet", ()),
        ("a=*/**/b=*/*.csv", ("a", "b")),
        ("a=*/**/b=*/**/c=*/*.csv", ("a", "c")),
        ("a=**/b=*/*.csv", ("b",)),
        ("my%20day=*/*.csv", ("my day",)),
        ("=*/*.csv", ()),
    ],
)
def test_a_glob_names_its_columns(glob, columns):
    assert folder_columns(glob) == columns


@pytest.mark.parametrize(
    ("glob", "path", "values"),
    [
        ("/x/dt=*/*.csv", "/x/dt=2026-11-01/a.csv", {"dt": "2026-11-01"}),
        ("/x/dt=2026*/*.csv", "/x/dt=2026-11-01/a.csv", {"dt": "2026-11-01"}),
        ("/x/dt=*/*.csv", "/x/dt=a%20b%2Fc/a.csv", {"dt": "a b/c"}),
        ("/x/dt=*/*.csv", "/x/dt=a=b/a.csv", {"dt": "a=b"}),
        ("/x/dt=*/*.csv", "/x/dt=/a.csv", {"dt": None}),
        ("/x/dt=*/*.csv", "/x/dt=__HIVE_DEFAULT_PARTITION__/a.csv", {"dt": None}),
        ("/x/dt=*/*.csv", "/x/dt=%ff/a.csv", {"dt": "\ufffd"}),
        ("gs://b/a=*/**/c=*/*", "gs://b/a=1/x/y/b=2/c=3/f", {"a": "1", "c": "3"}),
        ("/[*]/dt=*/*.csv", "/*/dt=7/a.csv", {"dt": "7"}),
    ],
)
def test_a_path_gives_the_values(glob, path, values):
    assert dict(folder_values(glob, path)) == values


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_comes_back_from_a_folder_name(text):
    path = f"/x/k={quote(text, safe='')}/a.csv"
    assert dict(folder_values("/x/k=*/*.csv", path)) == {"k": text}


def write_days(folder, kind="parquet", days=("2026-11-01", "2026-11-02"), rows=20):
    """Writes one file a day, of other people each, with as many rows as the number of the day."""
    for number, day in enumerate(days, 1):
        frame = pl.DataFrame({"user": [f"{number}-{row}" for row in range(rows * number)]})
        path = folder / f"events/dt={day}/a.{kind}"
        path.parent.mkdir(parents=True)
        write(frame.with_columns(country=pl.lit("DE")), path)


def write(frame, path):
    match path.suffix:
        case ".parquet":
            frame.write_parquet(path)
        case ".csv":
            frame.write_csv(path)
        case ".jsonl":
            frame.write_ndjson(path)
        case ".avro":
            frame.write_avro(path)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "avro"])
def test_each_row_has_the_value_of_its_own_folder(tmp_path, kind):
    write_days(tmp_path, kind)
    config = write_config(
        tmp_path, files_of(kind, f"events/dt=*/*.{kind}", "dt: date"), keys="dt, country"
    )
    rows = read_rows(config)
    assert rows.schema["dt"] == pl.Date
    assert rows.height == 60
    assert rows["user"].n_unique() == 60
    of_the_second = rows["user"].str.starts_with("2-")
    days = pl.Series(
        [date(2026, 11, 2) if second else date(2026, 11, 1) for second in of_the_second]
    )
    assert rows["dt"].to_list() == days.to_list()


def test_a_release_by_folder_counts_the_rows_of_each(tmp_path):
    write_days(tmp_path)
    config = write_config(
        tmp_path, "files: events/dt=*/*.parquet, types: {dt: date}", keys="dt, country"
    )
    table = run(config)
    assert table["dt"].to_list() == [date(2026, 11, 1), date(2026, 11, 2)]
    assert [round(value, -1) for value in table["users"]] == [20, 40]


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "avro"])
def test_a_release_may_read_folder_names_only(tmp_path, kind):
    for user in range(3):
        folder = tmp_path / f"user={user}" / "country=DE"
        folder.mkdir(parents=True)
        write(pl.DataFrame({"more": ["x"] * (user + 1)}), folder / f"a.{kind}")
    rows = read_rows(write_config(tmp_path, f"files: user=*/country=*/*.{kind}"))
    assert sorted(rows.rows()) == sorted([(str(u), "DE") for u in range(3) for _ in range(u + 1)])


def test_a_value_is_summed_as_a_number_and_is_text_by_default(tmp_path):
    write_days(tmp_path, days=("1.5", "x"))
    config = write_config(
        tmp_path, "files: events/dt=*/*.parquet", metrics="s: {sum: dt, clip: [0, 9]}"
    )
    assert read_rows(config)["dt"].drop_nulls().unique().to_list() == [1.5]
    config = write_config(tmp_path, "files: events/dt=*/*.parquet", keys="dt")
    assert set(read_rows(config)["dt"]) == {"1.5", "x"}


def test_the_default_partition_and_what_does_not_parse_are_null(tmp_path):
    write_days(tmp_path, days=("__HIVE_DEFAULT_PARTITION__", "2026-11-02", "soon"))
    config = write_config(tmp_path, "files: events/dt=*/*.parquet, types: {dt: date}", keys="dt")
    counts = read_rows(config)["dt"].value_counts().rows()
    assert set(counts) == {(None, 80), (date(2026, 11, 2), 40)}


def test_a_type_that_no_folder_name_has_is_refused_without_their_names(tmp_path):
    write_days(tmp_path, days=("20261101", "20261102"))
    config = write_config(tmp_path, "files: events/dt=*/*.parquet, types: {dt: date}", keys="dt")
    assert problems(config) == [
        "release.yaml:2:51: input.types.dt: no folder dt=... has a name that reads as date; "
        "allowed: another type, or folders with other names"
    ]


def test_the_folder_wins_over_a_column_of_the_same_name(tmp_path):
    folder = tmp_path / "country=FR"
    folder.mkdir()
    pl.DataFrame({"user": ["a"], "country": [7]}).write_parquet(folder / "a.parquet")
    config = write_config(tmp_path, "files: country=*/*.parquet")
    assert read_rows(config).rows() == [("a", "FR")]
    config = write_config(tmp_path, "files: '*/*.parquet'")
    assert read_rows(config).rows() == [("a", 7)]


def test_folders_above_the_config_are_no_columns_and_the_deeper_of_two_counts(tmp_path):
    folder = tmp_path / "country=above"
    (folder / "country=FR").mkdir(parents=True)
    frame = pl.DataFrame({"user": ["a"], "country": ["file"]})
    frame.write_parquet(folder / "country=FR" / "a.parquet")
    frame.write_parquet(folder / "a.parquet")
    assert read_rows(write_config(folder, "files: a.parquet")).rows() == [("a", "file")]
    assert read_rows(write_config(folder, "files: country=*/*.parquet")).rows() == [("a", "FR")]


def test_a_glob_without_the_folder_beside_one_with_it_needs_the_column_in_its_files(tmp_path):
    write_days(tmp_path, days=("2026-11-01",))
    pl.DataFrame({"user": ["z"], "country": ["DE"]}).write_parquet(tmp_path / "old.parquet")
    source = "files: [events/dt=*/*.parquet, old.parquet]"
    (problem,) = problems(write_config(tmp_path, source, keys="dt"))
    assert "no column 'dt' in old.parquet" in problem
    rows = read_rows(write_config(tmp_path, f"{source}, optional: [dt]", keys="dt"))
    assert rows.filter(user="z")["dt"].to_list() == [None]


def test_a_file_of_two_globs_is_read_once_with_the_folders_of_both(tmp_path):
    write_days(tmp_path, days=("2026-11-01",))
    source = "files: [events/*/*.parquet, events/dt=*/*.parquet]"
    rows = read_rows(write_config(tmp_path, source, keys="dt"))
    assert rows.height == 20
    assert rows["dt"].unique().to_list() == ["2026-11-01"]


def test_the_types_of_folder_columns_are_known_from_the_config(tmp_path):
    config = write_config(tmp_path, "files: dt=*/*.parquet, types: {dt: int}", keys="dt")
    assert load_release(config).spec.column_types() == {"dt": "int"}


def test_public_keys_have_the_type_of_the_folder(tmp_path):
    write_days(tmp_path)
    config = write_config(tmp_path, "files: events/dt=*/*.parquet, types: {dt: date}", keys="dt")
    text = config.read_text().replace(
        "    keys: [dt]\n", "    public: {dt: [2026-11-01, 2026-12-01]}\n"
    )
    config.write_text(text)
    table = run(config)
    assert table["dt"].to_list() == [date(2026, 11, 1), date(2026, 12, 1)]


def test_matching_gives_the_folders_of_each_file(tmp_path):
    write_days(tmp_path)
    files = match_files(str(tmp_path / "events/dt=*/*.parquet"))
    assert [file.folders for file in files] == [(("dt", "2026-11-01"),), (("dt", "2026-11-02"),)]
    assert checked(write_config(tmp_path, "files: events/dt=*/*.parquet"))[1] == files


def test_the_example_with_folders_is_planned_without_its_files():
    release = load_release(Path(__file__).parents[2] / "configs" / "emoji_daily.yaml")
    (table,) = plan_release(release).tables
    assert table.keys == ("dt", "country")
    assert release.spec.column_types() == {"dt": "date"}
