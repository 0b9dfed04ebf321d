"""Releases of periods: which rows count, what is charged, where it goes; and backfills."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from once_release import command, files, run, write_weekly
from small_series import USERS, book, kinds

from pipelines.plan import plan_release
from pipelines.plan.json_values import plan_to_dict
from pipelines.run.failures import RunError
from pipelines.run.periods import read_period
from pipelines.run.window import input_window
from pipelines.spec import ConfigError, load_release

NOISELESS = 300.0
"""An epsilon at which counts are exact."""


@pytest.fixture
def config(tmp_path):
    return write_weekly(tmp_path, epsilon=NOISELESS)


def counts(folder):
    return dict(pl.read_parquet(folder / "t.parquet").select("country", "n").iter_rows())


def filtered(times, every="week", text="2026-W46"):
    """The rows of a period, found by the window."""
    from types import SimpleNamespace

    spec = SimpleNamespace(input=SimpleNamespace(time='a "t"'), derived_columns={})
    window = input_window(SimpleNamespace(spec=spec), read_period(every, text))
    frame = pl.DataFrame({'a "t"': times, "row": range(len(times))})
    return window.preparation.apply_to_frame(frame)["row"].to_list()


def test_a_period_has_the_rows_of_its_days(config, tmp_path):
    for period, expected in [
        ("2026-W45", {"DE": 60, "FR": 0}),
        ("2026-W46", {"DE": 0, "FR": 60}),
        ("2026-W47", {"DE": 60, "FR": 0}),
        ("2026-W48", {"DE": 0, "FR": 0}),
    ]:
        done = run(config, period=period)
        assert done.folder == tmp_path / "out" / period
        assert counts(done.folder) == expected


def test_the_window_keeps_what_a_slow_look_at_each_row_keeps():
    start = datetime(2026, 11, 8, 20)
    times = [*(start + timedelta(hours=3 * n) for n in range(80)), None]
    kept = [
        n for n, t in enumerate(times) if t and date(2026, 11, 9) <= t.date() <= date(2026, 11, 15)
    ]
    assert filtered(times) == kept
    assert 0 < len(kept) < 80


def test_dates_and_timestamps_with_a_zone_are_on_the_day_that_they_show():
    assert filtered(
        [date(2026, 11, 8), date(2026, 11, 9), date(2026, 11, 15), date(2026, 11, 16)]
    ) == [1, 2]
    late = pl.Series([datetime(2026, 11, 8, 23, 30, tzinfo=UTC)]).dt.convert_time_zone(
        "Europe/Berlin"
    )
    assert filtered(late) == [0]
    assert filtered(late.dt.convert_time_zone("UTC")) == []


def test_a_derived_column_can_be_the_time(tmp_path):
    config = write_weekly(tmp_path, epsilon=NOISELESS)
    text = config.read_text().replace(
        "time: at", "time: shifted, columns: {shifted: at + INTERVAL '7 days'}"
    )
    config.write_text(text)
    assert counts(run(config, period="2026-W47").folder) == {"DE": 0, "FR": 60}


@pytest.mark.parametrize("where", ["country = 'DE' OR country = 'FR'", "country IS NULL OR TRUE"])
def test_the_window_holds_whatever_the_filter_says(config, where):
    config.write_text(config.read_text().replace("time: at", f'time: at, where: "{where}"'))
    assert counts(run(config, period="2026-W46").folder) == {"DE": 0, "FR": 60}


def test_the_ledger_is_charged_for_the_days_of_the_period(config):
    run(config, period="2026-W46")
    ((key, release),) = book(config).releases.items()
    assert str(key) == "r@2026-W46"
    assert str(release.charge.window) == "2026-11-09 to 2026-11-15"


def test_releases_of_a_series_have_one_plan(config):
    """So a plan file holds for all periods, and changes of a series can be told."""
    releases = [run(config, period=period).release for period in ("2026-W45", "2026-W46")]
    assert releases[0].plan == releases[1].plan
    config.write_text(config.read_text().replace("time: at", "time: at, where: country = 'DE'"))
    assert run(config, period="2026-W47").release.plan != releases[0].plan


def test_the_time_column_is_part_of_the_plan(config):
    plan = plan_to_dict(plan_release(load_release(config)))
    assert (plan["period"], plan["time"]) == ("week", "at")


def test_a_period_is_corrected_by_itself(config, tmp_path):
    for period in ("2026-W45", "2026-W46"):
        run(config, period=period)
    before = files(tmp_path / "out" / "2026-W45")
    run(config, period="2026-W46", correct="late rows")
    assert files(tmp_path / "out" / "2026-W45") == before
    states = {str(key): release.state for key, release in book(config).releases.items()}
    assert states == {
        "r@2026-W45": "published",
        "r@2026-W46": "withdrawn",
        "r@2026-W46 version 2": "published",
    }


# The input


def test_placeholders_choose_the_files(tmp_path):
    for period, country in [("2026-W45", "DE"), ("2026-W46", "FR")]:
        (tmp_path / period).mkdir()
        at = datetime(2026, 11, 9, 7)
        frame = pl.DataFrame({"user": USERS, "country": [country] * 60, "at": [at] * 60})
        frame.write_parquet(tmp_path / period / "in.parquet")
    config = write_weekly(tmp_path, epsilon=NOISELESS)
    config.write_text(
        config.read_text()
        .replace("files: in", 'files: "{period}/in')
        .replace(".parquet,", '.parquet",')
    )
    assert counts(run(config, period="2026-W46").folder) == {"DE": 0, "FR": 60}
    assert counts(run(config, period="2026-W45").folder) == {"DE": 0, "FR": 0}
    with pytest.raises(ConfigError, match=r"input.files: no file matches .*2026-W44/in.parquet"):
        run(config, period="2026-W44")
    assert kinds(config)["reserved"] == 2


def test_a_text_column_of_csv_is_a_time_once_its_type_is_declared(tmp_path):
    (tmp_path / "in.csv").write_text("user,country,at\nu,DE,2026-11-09\n")
    config = write_weekly(tmp_path)
    text = config.read_text().replace("in.parquet", "in.csv")
    config.write_text(text)
    with pytest.raises(ConfigError) as refused:
        run(config, period="2026-W46")
    assert "input.time: " in str(refused.value)
    hint = "; add input.types: {at: date} (or timestamp), if that is what it has"
    assert str(refused.value).endswith(hint)
    config.write_text(text.replace("time: at", "time: at, types: {at: date}"))
    assert run(config, period="2026-W46").is_new
    derived = text.replace("time: at", "columns: {seen: lower(at)}, time: seen")
    config.write_text(derived.replace("release: r", "release: s").replace("out", "other"))
    with pytest.raises(ConfigError) as refused:
        run(config, period="2026-W46")
    assert "add input.types" not in str(refused.value)


def test_a_text_column_is_no_time(config, tmp_path):
    config.write_text(config.read_text().replace("time: at", "time: country"))
    with pytest.raises(ConfigError, match=r"2:\d+: input.time: .*allowed: timestamps, dates"):
        run(config, period="2026-W46")


def test_the_time_column_must_be_there(config):
    config.write_text(config.read_text().replace("time: at", "time: att"))
    with pytest.raises(ConfigError, match=r"input.time: no column 'att' in .*did you mean 'at'"):
        run(config, period="2026-W46")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", time: at", "", "period: is week, so that it must be known when rows happened"),
        ("period: week\n", "", None),
        ("period: week", "period: weekly", "period: is the text 'weekly'; allowed: day, week, mon"),
    ],
)
def test_periods_need_to_know_when_rows_happened(config, old, new, message):
    config.write_text(config.read_text().replace(old, new))
    if message is None:
        load_release(config)
        return
    with pytest.raises(ConfigError, match=message):
        load_release(config)


def test_placeholders_need_a_period(config):
    text = (
        config.read_text()
        .replace("files: in", 'files: "{first}/in')
        .replace(".parquet,", '.parquet",')
    )
    config.write_text(text.replace("period: week\n", ""))
    with pytest.raises(
        ConfigError, match=r"input.files: has a placeholder for the period; allowed"
    ):
        load_release(config)


def test_a_period_must_be_given_and_be_one_of_the_series(config):
    with pytest.raises(RunError, match="no period is given"):
        run(config)
    with pytest.raises(RunError, match="the period is '2026-11'; allowed: a week such as 2026-W46"):
        run(config, period="2026-11")


# Backfill


def test_a_backfill_runs_what_is_missing_in_order(config, tmp_path):
    run(config, period="2026-W46")
    shown = files(tmp_path / "out" / "2026-W46")
    done = command("backfill", config, "--from", "2026-W45", "--to", "2026-W47")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(", in ")[0] for line in done.stdout.splitlines()] == [
        "r@2026-W45: published",
        "r@2026-W46: published before",
        "r@2026-W47: published",
    ]
    assert files(tmp_path / "out" / "2026-W46") == shown
    assert kinds(config)["reserved"] == 3


def test_a_backfill_stops_where_the_budget_ends(tmp_path):
    config = write_weekly(tmp_path, epsilon=1.0, more="policy: policy.yaml\n")
    caps = "{unit: user, epsilon: 2.5}"
    columns = "[user, country, at]"
    (tmp_path / "policy.yaml").write_text(
        f"datasets: {{r: {{columns: {columns}, caps: [{caps}]}}}}"
    )
    done = command("backfill", config, "--from", "2026-W45", "--to", "2026-W48", "--json")
    assert done.returncode == 2
    assert "r@2026-W47 is refused" in done.stderr
    decoder = json.JSONDecoder()
    first, _ = decoder.raw_decode(done.stdout)
    assert (first["period"], first["state"], first["is_new"]) == ("2026-W45", "published", True)
    assert sorted(path.name for path in (tmp_path / "out").glob("2*")) == ["2026-W45", "2026-W46"]


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2026-W46", "2026-W45", "the last period is 2026-W45, before 2026-W46"),
        ("2026-W46", "soon", "the period is 'soon'; allowed: a week such as 2026-W46"),
    ],
)
def test_a_range_that_is_none_is_refused(config, first, last, message):
    done = command("backfill", config, "--from", first, "--to", last)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
