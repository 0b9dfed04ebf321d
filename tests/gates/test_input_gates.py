"""Gates on the files of the input: days that have none, and how many and how large they are."""

import json
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from gated import (
    AFTER,
    DAYS,
    MONDAY,
    USERS,
    WEEK,
    completeness,
    entries,
    point,
    publish,
    rows,
    run,
    states,
    write_config,
    write_day,
    write_week,
)

from pipelines.gates.input_gates import file_days
from pipelines.gates.outcome import GateError
from pipelines.sources.inputs import InputFile
from pipelines.spec import ConfigError, load_release

TWO = (DAYS[2], DAYS[5])


# Days


def test_a_missing_day_stops_before_anything_is_charged(tmp_path):
    config = write_week(tmp_path, missing=TWO)
    with pytest.raises(GateError) as caught:
        run(config)
    assert caught.value.gates == ("days",)
    assert (
        "stopped: 2 of 7 days of the input are missing: 2026-11-11; 2026-11-14; "
        "allowed: to run once they are there, or gates.on_missing: publish or --incomplete"
    ) in str(caught.value)
    assert states(config) == {}
    assert not (tmp_path / "out").exists()


def test_a_missing_day_stops_before_a_file_is_opened(tmp_path):
    config = write_week(tmp_path, missing=TWO)
    for path in tmp_path.glob("events/*/*"):
        path.write_bytes(b"not to be opened")
    with pytest.raises(GateError):
        run(config)


@pytest.mark.parametrize("by", ["config", "option"])
def test_a_missing_day_is_published_with_a_status_where_that_is_said(tmp_path, by):
    gates = "{on_missing: publish}" if by == "config" else "{}"
    config = write_week(tmp_path, gates, missing=TWO)
    done = run(config, incomplete=by == "option")
    assert completeness(done) == {
        "status": "incomplete",
        "gates": ["unfinished", "days"],
        "missing": [
            {
                "kind": "days",
                "names": ["2026-11-11", "2026-11-14"],
                "number": 2,
                "expected": 7,
                "table": "",
            }
        ],
    }
    said = "incomplete: 2 of 7 days of the input are missing: 2026-11-11; 2026-11-14"
    assert said in point(done, 24)
    assert "(gates: days), which may depend on rows" in point(done, 21)
    assert rows(done) == {"DE": 40 * 5, "FR": 0}


def test_the_status_is_that_of_the_draw_also_when_it_is_published_later(tmp_path, monkeypatch):
    """The day that was missing has come in between: the values are still without it."""
    config = write_week(tmp_path, "{on_missing: publish}", missing=TWO)
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.run.publishing.render_release", _killed)
        with pytest.raises(KeyboardInterrupt):
            run(config)
    assert states(config) == {f"r@{WEEK}": "drawn"}
    for day in TWO:
        write_day(tmp_path, day)
    assert completeness(publish(config))["missing"][0]["names"] == ["2026-11-11", "2026-11-14"]


def _killed(*arguments):
    raise KeyboardInterrupt


def test_a_day_whose_file_has_no_rows_is_there(tmp_path):
    """Which rows there are decides nothing."""
    config = write_week(tmp_path, missing=TWO)
    for day in TWO:
        write_day(tmp_path, day, users=[])
        path = tmp_path / f"events/dt={day}/a.parquet"
        pl.DataFrame(schema={"user": pl.String, "country": pl.String}).write_parquet(path)
    assert completeness(run(config))["missing"] == []


def test_an_empty_folder_and_a_file_of_0_bytes_are_no_day(tmp_path):
    config = write_week(tmp_path, missing=TWO)
    for day in TWO:
        (tmp_path / f"events/dt={day}").mkdir()
    (tmp_path / f"events/dt={TWO[0]}/a.parquet").touch()
    with pytest.raises(GateError, match="2 of 7 days"):
        run(config)


def test_a_gate_that_stops_a_resumed_run_charges_nothing_more(tmp_path, monkeypatch):
    config = write_week(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.run.steps.draw", _killed)
        with pytest.raises(KeyboardInterrupt):
            run(config)
    before = entries(config)
    assert states(config) == {f"r@{WEEK}": "drawing"}
    gone = tmp_path / f"events/dt={MONDAY}"
    gone.rename(tmp_path / "gone")
    with pytest.raises(GateError, match="1 of 7 days of the input are missing: 2026-11-09"):
        run(config)
    assert entries(config) == before
    (tmp_path / "gone").rename(gone)
    assert run(config).is_new
    assert states(config) == {f"r@{WEEK}": "published"}


def test_values_that_are_frozen_are_published_without_their_input(tmp_path, monkeypatch):
    """A run that died after its draw needs no file, so no gate on files asks for one."""
    config = write_week(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.run.staging.ReleaseStaging.drop_shards", _killed)
        with pytest.raises(KeyboardInterrupt):
            run(config)
    assert states(config) == {f"r@{WEEK}": "drawing"}
    (tmp_path / "events").rename(tmp_path / "gone")
    done = run(config, today=MONDAY)
    assert completeness(done)["gates"] == ["unfinished", "days"]
    assert rows(done) == {"DE": 40 * 7, "FR": 0}


def test_a_period_of_which_there_is_no_file_stops_whatever_is_said(tmp_path):
    config = write_week(tmp_path, "{on_missing: publish}")
    with pytest.raises(GateError) as caught:
        run(config, period="2026-W47", today=date(2027, 1, 1), incomplete=True)
    assert "input.files: stopped: no file is of 2026-11-16 to 2026-11-22; allowed: at" in str(
        caught.value
    )
    assert states(config) == {}


def test_folders_that_are_not_the_time_are_a_gate_where_they_are_named(tmp_path):
    """Files by the day of their arrival: none is left out, since late rows may be in any."""
    config = write_config(tmp_path, "{days: day}")
    text = (
        config.read_text()
        .replace("dt=*", "day=*")
        .replace("time: dt, types: {dt: date}", "time: at")
    )
    config.write_text(text)
    for day in [*DAYS[1:], AFTER]:
        path = tmp_path / f"events/day={day}/a.parquet"
        path.parent.mkdir(parents=True)
        late = [datetime.combine(day - timedelta(days=1), datetime.min.time())] * 40
        pl.DataFrame({"user": USERS, "country": ["DE"] * 40, "at": late}).write_parquet(path)
    with pytest.raises(GateError, match="1 of 7 days of the input are missing: 2026-11-09;"):
        run(config)
    done = run(config, incomplete=True)
    assert rows(done) == {"DE": 40 * 7, "FR": 0}


def test_a_layout_that_tells_no_days_is_no_gate(tmp_path):
    write_week(tmp_path)
    (tmp_path / "all").mkdir()
    for number, day in enumerate(DAYS[:3]):
        frame = pl.DataFrame({"user": USERS, "country": ["DE"] * 40, "dt": [day] * 40})
        frame.write_parquet(tmp_path / f"all/{number}.parquet")
    config = write_config(tmp_path)
    config.write_text(
        config.read_text().replace("events/dt=*/*", "all/*").replace(", types: {dt: date}", "")
    )
    assert completeness(run(config))["gates"] == ["unfinished"]


@pytest.mark.parametrize(
    ("types", "text", "day"),
    [
        ("{}", "2026-11-09", MONDAY),
        ("{day: date}", "2026-11-09", MONDAY),
        ("{day: timestamp}", "2026-11-09T23:30:00Z", MONDAY),
        ("{day: timestamp}", "2026-11-09 00:30", MONDAY),
        ("{}", "20261109", None),
        ("{}", None, None),
    ],
)
def test_the_day_of_a_file_is_that_of_its_folder(tmp_path, types, text, day):
    config = write_config(tmp_path, "{days: day}")
    source = config.read_text().replace("dt=*", "day=*")
    config.write_text(source.replace("time: dt, types: {dt: date}", f"time: at, types: {types}"))
    file = InputFile("/x", 1, (("day", text),))
    assert file_days(load_release(config), "day", [file, InputFile("/y", 1)]) == [day, None]


# Files and bytes


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ("{files: [8, 20]}", "gates.files: stopped: the input has fewer files than expected; "),
        ("{files: [0, 6]}", "gates.files: stopped: the input has more files than expected; "),
        ("{bytes: [100000000, 200000000]}", "the input has fewer bytes than expected; allowed: 10"),
        ("{bytes: [0, 10]}", "gates.bytes: stopped: the input has more bytes than expected; "),
    ],
)
def test_too_little_and_too_much_input_stops_without_its_size(tmp_path, gates, message):
    config = write_week(tmp_path, gates)
    size = sum(path.stat().st_size for path in tmp_path.glob("events/*/*"))
    with pytest.raises(GateError) as caught:
        run(config, incomplete=True)
    assert message in str(caught.value)
    assert str(size) not in str(caught.value)
    assert states(config) == {}


def test_input_of_the_expected_size_passes_and_the_size_is_not_published(tmp_path):
    config = write_week(tmp_path, "{files: [7, 7], bytes: [1000, 1000000]}")
    size = sum(path.stat().st_size for path in tmp_path.glob("events/*/*"))
    done = run(config)
    assert completeness(done)["gates"] == ["unfinished", "days", "files", "bytes"]
    published = "".join(
        path.read_text() for path in done.folder.iterdir() if path.suffix in (".json", ".yaml")
    )
    assert str(size) not in published
    assert "1000000" not in published


def test_files_outside_the_period_do_not_count(tmp_path):
    config = write_week(tmp_path, "{files: [7, 7]}")
    write_day(tmp_path, AFTER)
    assert run(config).is_new


def test_all_gates_that_stop_are_named(tmp_path):
    config = write_week(tmp_path, "{files: [8, 9], bytes: [0, 1]}", missing=TWO)
    with pytest.raises(GateError) as caught:
        run(config)
    assert sorted(caught.value.gates) == ["bytes", "days", "files"]
    assert sorted(one["gate"] for one in caught.value.to_json()) == ["bytes", "days", "files"]
    json.dumps(caught.value.to_json())


def test_a_missing_file_of_a_glob_stops_as_ever(tmp_path):
    with pytest.raises(ConfigError, match="no file matches"):
        run(write_config(tmp_path))
