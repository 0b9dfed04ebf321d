"""What a config asks the ledger for: unit, time scope, days, columns, losses."""

import json
from dataclasses import replace

import pytest
from once_release import TODAY, command, run, write_release, write_weekly

from pipelines.ledger import PrivacyUnit
from pipelines.plan import plan_release
from pipelines.plan.file import plan_file
from pipelines.run.failures import RunError
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.ledger_unit import ledger_unit
from pipelines.run.periods import EVERY_DAY, read_period
from pipelines.spec import load_release


def unit_of(folder, unit, *, columns="{}", time="at", bounding="unit"):
    config = folder / "release.yaml"
    units = "" if unit is None else f"unit: {unit}, "
    source = f"files: in.parquet, columns: {columns}" + (f", time: {time}" if time else "")
    config.write_text(
        f"release: r\ninput: {{{source}}}\n"
        f"privacy: {{{units}bounding: {bounding}, epsilon: 1}}\n"
        "tables: {t: {public: {country: [DE]}, metrics: {n: count}}}\noutput: {folder: out}\n"
    )
    return ledger_unit(load_release(config).spec)


@pytest.mark.parametrize(
    ("unit", "columns", "every"),
    [
        ("user", ["user"], None),
        ("[user, device]", ["device", "user"], None),
        ("[user, date(at)]", ["user"], "day"),
        ("[date(at), user]", ["user"], "day"),
        ("[user, \"time_bucket(at, '1 day')\"]", ["user"], "day"),
        ("[user, \"time_bucket(at, '1 week')\"]", ["user"], "week"),
        ("[user, \"time_bucket(at, '1 month')\"]", ["user"], "month"),
    ],
)
def test_days_weeks_and_months_of_the_time_column_are_a_time_scope(tmp_path, unit, columns, every):
    assert unit_of(tmp_path, unit) == PrivacyUnit(tuple(columns), every)


@pytest.mark.parametrize(
    "part",
    [
        "date(other)",
        "date(at, 'Europe/Berlin')",
        "time_bucket(at, '2 weeks')",
        "time_bucket(at, '6 hours')",
        "time_bucket(at, '1 day', 'Asia/Tokyo')",
        "date(at + INTERVAL '1 day')",
        "strftime(at, '%Y-%m-%d')",
        "lower(device)",
    ],
)
def test_everything_else_is_a_column_for_which_nothing_is_assumed(tmp_path, part):
    assert unit_of(tmp_path, f'[user, "{part}"]') == PrivacyUnit(tuple(sorted([part, "user"])))


def test_without_a_time_column_no_day_is_known(tmp_path):
    assert unit_of(tmp_path, "[user, date(at)]", time=None).every is None


def test_a_bare_time_column_may_be_finer_than_a_day(tmp_path):
    assert unit_of(tmp_path, "[user, at]") == PrivacyUnit(("at", "user"))


def test_a_named_derived_column_is_what_it_is_made_of(tmp_path):
    columns = '{day: date(at), user: "concat(id, device)"}'
    assert unit_of(tmp_path, "[user, day]", columns=columns) == PrivacyUnit(
        ("concat(id, device)",), "day"
    )


def test_two_configs_give_one_name_to_different_things(tmp_path):
    """Else what is lost about `user` in one release would count as that in another."""
    units = {
        unit_of(tmp_path, "b", columns=f'{{a: "{a}", b: lower(a)}}')
        for a in ("upper(x)", "concat(x, y)")
    }
    assert len(units) == 2
    assert {unit.columns for unit in units} == {
        ("lower(a) where a = upper(x)",),
        ("lower(a) where a = concat(x, y)",),
    }


def test_time_alone_and_rows(tmp_path):
    assert unit_of(tmp_path, "date(at)") == PrivacyUnit(("date(at)",))
    assert unit_of(tmp_path, None, bounding="row") == PrivacyUnit((), bounding="row")


# Requests


def request_of(config, period=None):
    release = load_release(config)
    plan = plan_release(release)
    ledger = ReleaseLedger.of(release)
    return ledger.request(
        plan, plan_file(release, plan), read_period(release.spec.period, period), 1, ""
    )


def test_a_request_has_every_mechanism_and_every_column_that_is_read(tmp_path):
    config = write_weekly(tmp_path, metrics="n: count, users: privacy_unit_count")
    text = config.read_text().replace(
        "time: at", "time: at, columns: {who: lower(user)}, where: x > 1"
    )
    config.write_text(text.replace("unit: user", "unit: who"))
    request = request_of(config, "2026-W46")
    assert request.columns == ("at", "country", "user", "x")
    assert len(request.charge.mechanisms) == 2
    assert sum(loss.epsilon for loss in request.charge.losses) == pytest.approx(1, abs=1e-6)
    assert request.charge.unit == PrivacyUnit(("lower(user)",))
    assert request.charge.dataset == "r"
    assert request.pre_thresholds == ()


def test_the_least_units_of_selected_tables_are_told(tmp_path):
    config = tmp_path / "release.yaml"
    config.write_text(
        "release: r\ndataset: events\ninput: {files: in.parquet}\n"
        "privacy: {unit: user, epsilon: 1, delta: 1e-6}\n"
        "tables:\n"
        "  a: {keys: [k], metrics: {n: count}, selection: {pre_threshold: 12}}\n"
        "  b: {keys: [l], metrics: {n: count}}\n"
        "output: {folder: out}\n"
    )
    request = request_of(config)
    assert request.pre_thresholds == (12, 0)
    assert (request.charge.dataset, request.charge.delta) == ("events", 1e-6)
    assert request.charge.window == EVERY_DAY


def write_policy(folder, caps, more=""):
    (folder / "policy.yaml").write_text(
        f"datasets: {{r: {{columns: [user, country, at, sent], {more}caps: [{caps}]}}}}"
    )


@pytest.mark.parametrize(
    ("time", "window"), [("at", "2026-11-09 to 2026-11-15"), ("sent", str(EVERY_DAY))]
)
def test_days_of_another_column_than_that_of_the_policy_are_charged_as_all_days(
    tmp_path, time, window
):
    config = write_weekly(tmp_path, more="policy: policy.yaml\n")
    config.write_text(
        config.read_text()
        .replace("time: at", f"time: {time}")
        .replace("unit: user", f"unit: [user, date({time})]")
    )
    write_policy(tmp_path, "{unit: user, epsilon: 9}", "time: at, ")
    charge = request_of(config, "2026-W46").charge
    assert str(charge.window) == window
    assert (charge.unit.every == "day") == (time == "at")


# plan and budget


def shown(name, config, *arguments):
    done = command(name, config, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_plan_shows_the_ledger_before_and_after(tmp_path):
    config = write_weekly(tmp_path, more="policy: policy.yaml\n")
    assert shown("plan", write_release(tmp_path))["ledger"] is None
    config = write_weekly(tmp_path, more="policy: policy.yaml\n")
    caps = "{unit: user, per: week, epsilon: 1}, {unit: user, epsilon: 1.5}"
    write_policy(tmp_path, caps, "time: at, ")
    run(config, period="2026-W45")
    found = shown("plan", config, "--period", "2026-W46")["ledger"]
    assert (found["period"], found["state"]) == ("2026-W46", None)
    week, lifetime = found["caps"]
    assert (week["used_before"], lifetime["used_before"]) == (0, pytest.approx(1))
    assert (week["used_after"], lifetime["used_after"]) == pytest.approx((1, 2))
    assert found["refusal"]["largest"] == pytest.approx(0.5, abs=0.01)
    text = command("plan", config, "--period", "2026-W46").stdout
    assert "cap of epsilon 1.5 at delta 0 per lifetime for one user: 1 used before, 2 after" in text
    again = command("plan", config, "--period", "2026-W45").stdout
    assert "it is published already, so a run charges nothing more" in again


def test_plan_says_what_a_run_does_in_each_state_of_a_release(tmp_path):
    """In a run's own words where it refuses."""
    config = write_release(tmp_path, more="policy: policy.yaml\n")
    write_policy(tmp_path, "{unit: user, epsilon: 9}")
    text = config.read_text()
    assert shown("plan", config)["ledger"]["run"] == "charges and draws it"

    def planned_and_run():
        return shown("plan", config)["ledger"], command("run", config)

    run(config)
    found, done = planned_and_run()
    assert (found["state"], found["stopped"], done.returncode) == ("published", None, 0)
    assert found["run"] == "charges nothing more, and draws nothing"
    config.write_text(text.replace("epsilon: 1.0", "epsilon: 2.0"))
    found, done = planned_and_run()
    assert (found["state"], found["run"]) == ("published", "would be refused")
    assert (done.returncode, done.stderr) == (1, f"{found['stopped']}\n")
    config.write_text(text)
    command("withdraw", config, "--reason", "wrong")
    found, done = planned_and_run()
    assert (found["state"], found["run"]) == ("withdrawn", "would be refused")
    assert (done.returncode, done.stderr) == (1, f"{found['stopped']}\n")
    said = command("plan", config).stdout
    assert "a run would be refused: r@all is withdrawn (wrong), and its charge is spent" in said
    assert "charges nothing more" not in said


@pytest.mark.parametrize(
    ("dies_in", "state", "does"),
    [
        ("draw", "reserved", "and draws it"),
        ("publish", "drawn", "and publishes what is drawn"),
    ],
)
def test_plan_says_that_a_run_goes_on(tmp_path, monkeypatch, dies_in, state, does):
    config = write_release(tmp_path)
    monkeypatch.setattr(f"pipelines.run.steps.RunSteps.{dies_in}", lambda *_: 1 / 0)
    with pytest.raises(RunError):
        run(config)
    said = command("plan", config).stdout
    assert f"it is {state} already, so a run charges nothing more, {does}" in said


def test_plan_says_that_no_policy_caps_a_release(tmp_path):
    config = write_weekly(tmp_path)
    run(config, period="2026-W45")
    said = command("plan", config, "--period", "2026-W46").stdout
    assert "\n  no policy caps what releases lose together; a run charges and draws it" in said


def test_plan_without_a_period_is_about_the_last_one_that_is_over(tmp_path):
    config = write_weekly(tmp_path, more="policy: policy.yaml\n")
    write_policy(tmp_path, "{unit: user, epsilon: 2}")
    found = shown("plan", config)["ledger"]["period"]
    assert found == "2026-W53"
    assert read_period("week", found).following().days.first == TODAY


def test_plan_goes_on_without_a_ledger_that_cannot_be_read(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"no database" * 100)
    config = write_release(tmp_path, more="ledger: ledger.db\n")
    done = command("plan", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not looked at: ledger" in done.stdout
    done = command("run", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ledger ")


def test_budget_shows_what_is_left_lost_and_spent(tmp_path):
    config = write_weekly(tmp_path, more="policy: policy.yaml\n")
    config.write_text(config.read_text().replace("unit: user", "unit: [user, date(at)]"))
    caps = "{unit: user, every: day, epsilon: 1.5}, {unit: user, epsilon: 40}"
    write_policy(tmp_path, caps, "time: at, ")
    for period in ("2026-W45", "2026-W46"):
        run(config, period=period)
    found = shown("budget", config, "--day", "2026-11-09", "--delta", "0")
    by_day, by_user = found["remaining"]
    assert (by_day["used"], by_day["remaining"]) == pytest.approx((1, 0.5), abs=1e-6)
    assert by_user["used"] == pytest.approx(14)
    assert [(loss["unit"], round(loss["epsilon"])) for loss in found["cumulative"]] == [
        ("user of one day", 1),
        ("user", 14),
    ]
    assert [line["period"] for line in found["history"]] == ["2026-W45", "2026-W46"]
    assert found["history"][1]["cumulative_epsilon"] == pytest.approx(14)
    done = command("budget", config, "--day", "2026-11-09")
    assert (done.returncode, done.stderr) == (0, "")
    assert "left for input of 2026-11-09" in done.stdout
    assert "r@2026-W46" in done.stdout


def test_budget_of_nothing(tmp_path):
    config = write_release(tmp_path)
    done = command("budget", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no policy: nothing limits what releases lose together" in done.stdout
    assert "nothing was spent" in done.stdout
    assert not (tmp_path / ".dp-release").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--day", "today"], "--day is 'today'; allowed: a day such as 2026-11-09"),
        (["--delta", "1"], "--delta is 1; allowed: from 0, below 1"),
    ],
)
def test_budget_says_what_it_cannot_read(tmp_path, arguments, message):
    done = command("budget", write_release(tmp_path), *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{message}\n")


def test_a_release_of_all_rows_touches_every_day(tmp_path):
    """A cap on user-days has 36,525 cells then; it must not take long."""
    config = write_release(tmp_path, more="policy: policy.yaml\n")
    caps = "{unit: user, every: day, epsilon: 2.5}, {unit: user, epsilon: 1.5}"
    write_policy(tmp_path, caps, "time: at, ")
    run(config)
    weekly = config.with_name("weekly.yaml")
    text = config.read_text().replace("release: r", "release: w\ndataset: r\nperiod: week")
    weekly.write_text(text.replace(".parquet}", ".parquet, time: at}").replace(": out", ": w"))
    done = command("run", weekly, "--period", "2026-W46")
    assert done.returncode == 2
    assert "entry 1: r@all, published, input of 1970-01-01 to 2069-12-31" in done.stderr
    assert replace(read_period(None, None)).days == EVERY_DAY


# validate


@pytest.mark.parametrize(
    ("caps", "more", "message"),
    [
        ("{unit: user, epsilon: 1}", "", ""),
        (None, "", "release.yaml:6:9: policy: {folder}/policy.yaml: no such file\n"),
        ("{unit: user, epsilon: -1}", "", "caps[0].epsilon: is -1.0; allowed: a finite number"),
        (
            "{unit: user, epsilon: 1}",
            "dataset: rr\n",
            "dataset: the dataset 'rr' is not in the policy; allowed: r",
        ),
    ],
)
def test_validate_looks_at_the_policy_too(tmp_path, caps, more, message):
    config = write_release(tmp_path, more=f"policy: policy.yaml\n{more}")
    if caps is not None:
        write_policy(tmp_path, caps)
    done = command("validate", config)
    assert done.returncode == (1 if message else 0)
    assert message.format(folder=tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["run", "plan", "budget"])
def test_a_policy_that_cannot_be_read_is_a_problem_of_the_config(tmp_path, name):
    config = write_release(tmp_path, more="policy: polcy.yaml\n")
    done = command(name, config)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{config}:6:9: policy: {tmp_path}/polcy.yaml: no such file\n"
    (tmp_path / "polcy.yaml").write_text("datasets: 3\n")
    done = command(name, config)
    assert done.stderr.startswith(f"{tmp_path}/polcy.yaml:1:11: datasets: ")
