"""Files outside the window are not read, and what is released is the same as if they were."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest
from gated import AFTER, DAYS, MONDAY, USERS, WEEK, rows, run, write_config, write_day, write_week
from hypothesis import given
from hypothesis import strategies as st

from pipelines.run.periods import read_period
from pipelines.run.window import input_window
from pipelines.run.window_files import files_in_window
from pipelines.sources import read_rows as sources
from pipelines.sources.inputs import Input, InputFile
from pipelines.spec import ConfigError
from transforms.text_types import parse

TEXTS = st.one_of(
    st.none(),
    st.dates(date(2026, 11, 5), date(2026, 11, 20)).map(str),
    st.datetimes(datetime(2026, 11, 7), datetime(2026, 11, 17)).map(str),
    st.sampled_from(["", "x", "20261109", "2026-11-09T03:30:00+05:00", " 2026-11-10 "]),
)


def window(derived=()):
    """The window of a week over the column `text`, the name that a helper might take too."""
    spec = SimpleNamespace(input=SimpleNamespace(time="text"), derived_columns=derived)
    return input_window(SimpleNamespace(spec=spec), read_period("week", WEEK))


def of_kind(kind, columns=("text",)):
    return Input(["/x"], "parquet", ["user"], {}, dict.fromkeys(columns, kind))


@given(st.lists(TEXTS), st.sampled_from(["date", "timestamp"]))
def test_a_file_is_left_out_where_the_window_would_drop_each_of_its_rows(texts, kind):
    """The oracle makes the rows of each file and filters them, as the pipeline would."""
    files = [InputFile(f"/{n}", 1, (("text", text),)) for n, text in enumerate(texts)]
    kept = []
    for file, text in zip(files, texts, strict=True):
        value = pl.select(parse(pl.lit(text, pl.String), kind)).to_series().alias("text")
        if window().preparation.apply_to_frame(value.to_frame()).height:
            kept.append(file)
    assert files_in_window(files, of_kind(kind), window(), "text") == kept


FILES = [InputFile("/a", 1, (("text", "1999-01-01"),)), InputFile("/b", 1)]


@pytest.mark.parametrize(
    ("of", "made", "time"),
    [
        (of_kind("date"), None, "text"),
        (of_kind("date"), window(derived=("text",)), "text"),
        (of_kind("string"), window(), "text"),
        (of_kind("date", columns=("other",)), window(), "text"),
        (of_kind("date"), window(), None),
    ],
)
def test_nothing_is_left_out_where_the_folder_does_not_say_it(of, made, time):
    assert files_in_window(FILES, of, made, time) == FILES


def test_a_file_whose_glob_does_not_give_the_column_is_read():
    assert files_in_window(FILES, of_kind("date"), window(), "text") == FILES[1:]


def test_a_release_is_the_same_with_and_without_other_days(tmp_path):
    config = write_week(tmp_path)
    for number in (1, 2, 30):
        write_day(tmp_path, MONDAY - timedelta(days=number), country="FR")
        write_day(tmp_path, AFTER + timedelta(days=number), country="FR")
    assert rows(run(config)) == {"DE": 40 * 7, "FR": 0}


def test_rows_of_other_days_are_not_read(tmp_path, monkeypatch):
    read = []

    original = sources.read_task
    monkeypatch.setattr(
        sources,
        "read_task",
        lambda task, *more: [read.append(task.path), *original(task, *more)][1:],
    )
    config = write_week(tmp_path)
    write_day(tmp_path, AFTER)
    run(config)
    assert sorted(read) == [str(tmp_path / f"events/dt={day}/a.parquet") for day in DAYS]


def test_columns_of_other_days_are_checked_all_the_same(tmp_path):
    """So that leaving files out refuses nothing less, and no type depends on the period."""
    config = write_week(tmp_path)
    path = write_day(tmp_path, AFTER)
    pl.DataFrame({"user": USERS, "country": [1] * 40}).write_parquet(path)
    with pytest.raises(ConfigError, match="column 'country' has the type Int64"):
        run(config)


def test_late_rows_are_found_where_the_time_is_no_folder(tmp_path):
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("time: dt, types: {dt: date}", "time: at"))
    path = write_day(tmp_path, AFTER)
    frame = pl.read_parquet(path).with_columns(at=pl.lit(datetime(2026, 11, 9)))
    frame.write_parquet(path)
    assert rows(run(config)) == {"DE": 40, "FR": 0}
