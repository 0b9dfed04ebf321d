"""Gates on the period: it is over, not too old, and those before it are published."""

from datetime import date, timedelta

import pytest
from gated import (
    AFTER,
    MONDAY,
    WEEK,
    completeness,
    entries,
    point,
    run,
    states,
    write_config,
    write_day,
    write_week,
)

from pipelines.gates.outcome import GateError
from pipelines.spec import ConfigError, load_release


@pytest.fixture
def config(tmp_path):
    return write_week(tmp_path)


# A period that is not over


@pytest.mark.parametrize("today", [AFTER - timedelta(days=1), MONDAY, MONDAY - timedelta(days=30)])
def test_a_period_that_is_not_over_stops_and_charges_nothing(config, tmp_path, today):
    with pytest.raises(GateError) as caught:
        run(config, today=today)
    assert caught.value.gates == ("unfinished",)
    assert "stopped: the period is not over, its last day is 2026-11-15; " in str(caught.value)
    assert states(config) == {}
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".dp-release").exists()


def test_it_stops_before_the_input_is_looked_at(tmp_path):
    config = write_config(tmp_path)  # without any file
    with pytest.raises(GateError, match="the period is not over"):
        run(config, today=MONDAY)


def test_a_period_that_is_over_passes_from_the_day_after_on(config):
    done = run(config, today=AFTER)
    assert completeness(done) == {"status": "complete", "gates": ["unfinished", "days"]} | {
        "missing": []
    }
    assert "Completeness: nothing is missing." in point(done, 24)


@pytest.mark.parametrize("by", ["config", "option"])
def test_it_is_published_with_a_status_where_that_is_said(tmp_path, by):
    config = write_week(tmp_path, "{unfinished: publish}" if by == "config" else "{}")
    done = run(config, today=MONDAY, incomplete=by == "option")
    assert completeness(done)["status"] == "incomplete"
    assert done.completeness.missing[0].names == ("2026-11-15",)
    assert "incomplete: the period is not over, its last day is 2026-11-15" in point(done, 24)


def test_on_missing_is_not_about_the_end_of_the_period(tmp_path):
    config = write_week(tmp_path, "{on_missing: publish}")
    with pytest.raises(GateError, match="the period is not over"):
        run(config, today=MONDAY)


def test_a_published_release_is_not_asked_again(config):
    run(config)
    before = entries(config)
    assert not run(config, today=MONDAY).is_new
    assert entries(config) == before


def test_a_series_without_periods_has_no_such_gate(tmp_path):
    config = write_week(tmp_path, period=None)
    done = run(config, today=date(2020, 1, 1), period=None)
    assert completeness(done)["gates"] == []
    assert "Completeness: not looked at." in point(done, 24)


# Retention


@pytest.mark.parametrize(("today", "passes"), [(6, True), (7, False), (400, False)])
def test_days_older_than_retention_stop_before_they_are_read(tmp_path, today, passes):
    config = write_week(tmp_path, "{retention: 13 days}")
    today = AFTER + timedelta(days=today)
    if passes:
        assert "retention" in completeness(run(config, today=today))["gates"]
        return
    (tmp_path / f"events/dt={MONDAY}/a.parquet").write_bytes(b"not to be opened")
    with pytest.raises(GateError) as caught:
        run(config, today=today, incomplete=True)
    assert caught.value.gates == ("retention",)
    assert "gates.retention: stopped: is 13 days, and the period begins on 2026-11-09" in str(
        caught.value
    )
    assert states(config) == {}


def test_files_older_than_retention_stop_before_they_are_opened(tmp_path):
    """Of a series without periods, where only folders tell how old a file is."""
    config = write_week(tmp_path, "{retention: 13 days, days: dt}", period=None)
    (tmp_path / f"events/dt={MONDAY}/a.parquet").write_bytes(b"not to be opened")
    with pytest.raises(GateError, match="there are files of 2026-11-09; allowed: files of 2026-11"):
        run(config, today=AFTER + timedelta(days=7), period=None)
    assert states(config) == {}


def test_old_files_outside_the_period_are_not_read_and_do_not_stop_it(tmp_path):
    config = write_week(tmp_path, "{retention: 13 days}")
    write_day(tmp_path, date(2020, 1, 1))
    assert run(config).is_new


# Earlier periods


def test_periods_that_were_not_published_stop_the_next_ones(tmp_path):
    config = write_week(tmp_path, "{since: 2026-W44}")
    with pytest.raises(GateError) as caught:
        run(config)
    assert caught.value.gates == ("since",)
    assert "2 of 2 earlier periods are missing: 2026-W44; 2026-W45; allowed: to run these" in str(
        caught.value
    )
    assert states(config) == {}


def test_the_first_period_and_those_before_it_expect_none(tmp_path):
    for since in (WEEK, "2027-W01"):
        config = write_week(tmp_path, f"{{since: {since}}}")
        assert run(config).completeness.missing == ()


def test_a_published_period_is_there(tmp_path):
    config = write_week(tmp_path, "{since: 2026-W46}")
    run(config)
    for day in range(7):
        (tmp_path / f"events/dt={AFTER + timedelta(days=day)}").mkdir()
    with pytest.raises(GateError) as caught:
        run(config, period="2026-W48", today=date(2027, 1, 1))
    assert "1 of 2 earlier periods are missing: 2026-W47;" in str(caught.value)


def test_a_period_that_is_only_drawn_is_missing(tmp_path):
    """Its publication was stopped by another gate."""
    listed = "partitions: {t: {listed: {country: [DE, US]}}}"
    config = write_week(tmp_path, f"{{since: {WEEK}, {listed}}}")
    with pytest.raises(GateError, match="partitions of t"):
        run(config)
    for day in range(7):
        write_day(tmp_path, AFTER + timedelta(days=day))
    with pytest.raises(GateError, match="1 of 1 earlier periods are missing: 2026-W46"):
        run(config, period="2026-W47", today=date(2027, 1, 1))


def test_earlier_periods_can_be_published_as_missing(tmp_path):
    config = write_week(tmp_path, "{since: 2026-W44, on_missing: publish}")
    done = run(config)
    assert completeness(done)["missing"] == [
        {
            "kind": "periods",
            "names": ["2026-W44", "2026-W45"],
            "number": 2,
            "expected": 2,
            "table": "",
        }
    ]


def test_a_first_period_that_is_none_is_refused_by_validate(tmp_path):
    from pipelines.plan import plan_release

    config = write_week(tmp_path, "{since: 2026-11}")
    with pytest.raises(ConfigError, match=r"gates.since: is '2026-11'; allowed: a week such as"):
        plan_release(load_release(config))
