"""The workflow, as far as it can be looked at without the service.

Its expressions are close enough to Python's to be computed here; calls are stood in for by a few
functions, which is enough to follow the steps through.
"""

from __future__ import annotations

import re
import urllib.parse
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import typer.main
import yaml
from deploy_files import ROOT

from pipelines.cli import app
from pipelines.run.periods import period_at, read_period

FILE = ROOT / "deploy" / "schedule" / "release.workflow.yaml"
WORKFLOW = yaml.safe_load(FILE.read_text(encoding="utf-8"))
STEPS = {name: body for step in WORKFLOW["main"]["steps"] for name, body in step.items()}
RUN, LIST = "googleapis.run.v2.projects.locations.jobs.run", "jobs.list"


class CallError(Exception):
    """A call of the workflow failed, or it raised."""


class Map(dict):
    """A map whose values are attributes too."""

    __getattr__ = dict.__getitem__


class Execution:
    """One execution.

    Attributes:
        calls: Every call: its name and arguments.
        answers: Called with each; returns its result or raises.
        values: Variables.
    """

    def __init__(self, args, answers, now):
        self.calls = []
        self.answers = answers
        self.values = {"args": Map(args)}
        self.functions = {
            "sys": SimpleNamespace(get_env=lambda name: name.lower(), now=lambda: now.timestamp()),
            "map": SimpleNamespace(get=lambda of, key: of.get(key)),
            "list": SimpleNamespace(concat=lambda of, one: [*of, one]),
            "time": SimpleNamespace(
                format=lambda at: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                parse=lambda text: datetime.fromisoformat(text).timestamp(),
            ),
            "text": SimpleNamespace(
                substring=lambda text, first, last: text[first:last],
                replace_all=lambda text, old, new: text.replace(old, new),
                replace_all_regex=lambda text, old, new: re.sub(old, new, text),
                to_lower=str.lower,
                url_encode=lambda text: urllib.parse.quote(text, safe=""),
            ),
            "default": lambda value, other: other if value is None else value,
            "if_": lambda condition, one, other: one if condition else other,
            **{"int": int, "string": str, "len": len, "null": None, "true": True, "false": False},
        }

    def evaluate(self, value):
        if isinstance(value, dict):
            return {key: self.evaluate(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.evaluate(part) for part in value]
        if not isinstance(value, str) or not value.startswith("${"):
            return value
        assert value.endswith("}"), value
        expression = re.sub(r"\bif\(", "if_(", value[2:-1])
        return eval(expression, {"__builtins__": {}, **self.functions}, self.values)

    def run(self):
        names = list(STEPS)
        position = 0
        while position < len(names):
            step = STEPS[names[position]]
            if "return" in step:
                return self.evaluate(step["return"])
            target = self.step(step)
            position = names.index(target) if target else position + 1
        raise AssertionError("the workflow ends without a result")

    def step(self, step):
        if "try" in step and "except" in step:
            try:
                return self.step(step["try"])
            except CallError as error:
                self.values[step["except"]["as"]] = error
                for inner in step["except"]["steps"]:
                    (body,) = inner.values()
                    self.step(body)
                return None
        if "try" in step:
            return self.step(step["try"])
        if "raise" in step:
            problem = self.evaluate(step["raise"])
            raise CallError(problem) if isinstance(problem, str) else problem
        for assignment in step.get("assign", []):
            ((name, value),) = assignment.items()
            self.values[name] = self.evaluate(value)
        if "call" in step:
            asked = self.evaluate(step.get("args", {}))
            self.calls.append((step["call"], asked))
            answer = self.answers(step["call"], asked)
            if "result" in step:
                self.values[step["result"]] = answer
        for case in step.get("switch", []):
            if self.evaluate(case["condition"]):
                return self.step(case) or case.get("next")
        return step.get("next")

    def jobs(self):
        """Names and arguments of the Cloud Run jobs that it ran."""
        return [
            (asked["name"].rpartition("/")[2], container["args"])
            for call, asked in self.calls
            if call == RUN
            for container in asked["body"]["overrides"]["containerOverrides"]
        ]


def execute(args, answers=lambda call, asked: {}, now=datetime(2026, 11, 23, 5, tzinfo=UTC)):
    execution = Execution(args, answers, now)
    try:
        result = execution.run()
    except CallError as error:
        result = error
    return result, execution


LAUNCH = ["run", "configs/live/emoji_weekly.yaml", "--detach", "--json"]
JOB = ["--", "--job_name=dp-emoji-weekly-2026-w47"]
WEEKLY = {"config": "configs/live/emoji_weekly.yaml", "every": "week", "dataflow": "dataflow.yaml"}


def test_it_reserves_and_draws_then_waits_then_publishes():
    waiting = iter([{"jobs": [{"id": "1"}]}, {"jobs": [{"id": "1"}]}, {}])
    result, done = execute(WEEKLY, lambda call, asked: next(waiting) if call.endswith(LIST) else {})
    assert result == "emoji_weekly 2026-W47"
    assert done.jobs() == [
        (
            "dp-release-draw",
            [*LAUNCH, *("--period", "2026-W47", "--dataflow", "dataflow.yaml"), *JOB],
        ),
        (
            "dp-release-publish",
            ["publish", "configs/live/emoji_weekly.yaml", "--json", "--period", "2026-W47"],
        ),
    ]
    assert [call.rpartition(".")[2] for call, _ in done.calls] == (
        ["run", *["sleep", "list"] * 3, "run"]
    )
    (listed, *_) = [asked for call, asked in done.calls if call.endswith(LIST)]
    assert (listed["filter"], listed["name"]) == ("ACTIVE", "dp-emoji-weekly-2026-w47")


def test_a_release_of_one_machine_needs_no_dataflow_and_one_of_all_rows_no_period():
    result, done = execute({"config": "configs/bike_stations.yaml"})
    assert result == "bike_stations all"
    assert done.jobs() == [
        ("dp-release-draw", ["run", "configs/bike_stations.yaml", "--detach", "--json"]),
        ("dp-release-publish", ["publish", "configs/bike_stations.yaml", "--json"]),
    ]


def test_a_second_execution_joins_the_first():
    """Its draw is refused, as the job is under way; it waits and publishes the same files."""
    waiting = iter([{"jobs": [{"id": "1"}]}, {}])

    def answers(call, asked):
        if call.endswith(LIST):
            return next(waiting)
        if call == RUN and asked["name"].endswith("draw"):
            raise CallError("exit 1")
        return {}

    result, done = execute(WEEKLY, answers)
    assert result == "emoji_weekly 2026-W47"
    assert [name for name, _ in done.jobs()] == ["dp-release-draw", "dp-release-publish"]


@pytest.mark.parametrize("failing", ["draw", "publish"])
def test_what_failed_first_is_what_the_execution_says(failing):
    def answers(call, asked):
        if call == RUN and not (failing == "publish" and asked["name"].endswith("draw")):
            raise CallError(asked["name"].rpartition("-")[2])
        return {}

    result, _ = execute(WEEKLY, answers)
    assert isinstance(result, CallError)
    assert str(result) == failing


def test_a_person_says_which_period_and_that_a_job_has_failed():
    _, done = execute({**WEEKLY, "period": "2026-W40", "replace_attempt": 1})
    (_, draw), (_, publish) = done.jobs()
    assert draw[3:8] == ["--json", "--period", "2026-W40", "--replace-attempt", "1"]
    assert publish[-1] == "2026-W40"


CORRECTION = {**WEEKLY, "period": "2026-W46", "correct": "clip was 10 s; not 60 s, as said"}


def test_a_correction_is_drawn_with_its_reason_and_then_published():
    result, done = execute(CORRECTION)
    assert result == "emoji_weekly 2026-W46"
    (_, draw), (_, publish) = done.jobs()
    assert draw[4:8] == ["--period", "2026-W46", "--correct", CORRECTION["correct"]]
    assert "--correct" not in publish


def test_a_correction_that_is_refused_does_not_publish_the_version_before():
    def answers(call, asked):
        if call == RUN and asked["name"].endswith("draw"):
            raise CallError("exit 2")
        return {}

    result, done = execute(CORRECTION, answers)
    assert str(result) == "exit 2"
    assert [name for name, _ in done.jobs()] == ["dp-release-draw"]


@pytest.mark.parametrize(("due_hours", "week"), [(1, "2026-W47"), (48, "2026-W46")])
def test_a_look_runs_nothing_and_looks_for_what_the_period_publishes(due_hours, week):
    result, done = execute({**WEEKLY, "due_hours": due_hours})
    assert result == f"emoji_weekly {week} is published"
    assert [asked for _, asked in done.calls] == [
        {
            "bucket": "google_cloud_project_id-dp-public",
            "object": f"emoji_weekly%2F{week}%2Fcurrent.json",
        }
    ]


def test_a_look_for_a_release_that_is_not_there_fails_and_says_which():
    def answers(call, asked):
        raise CallError("404")

    result, _ = execute({**WEEKLY, "due_hours": 48}, answers)
    assert isinstance(result, CallError)
    assert str(result) == "emoji_weekly 2026-W46 is due and is not published"


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_the_period_is_the_last_whole_one_on_every_day_of_twelve_years(every):
    day = date(2024, 1, 1)
    while day < date(2036, 1, 1):
        now = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
        execution = Execution({"config": "c.yaml", "every": every}, None, now)
        for name in ("place", "calendar"):
            execution.step(STEPS[name])
        before = period_at(every, day).days.first - timedelta(days=1)
        assert execution.values["period"] == period_at(every, before).name
        assert read_period(every, execution.values["period"]).days.last == before
        day += timedelta(days=3)


def test_commands_and_options_are_those_of_the_program():
    commands = typer.main.get_command(app).commands
    for name, arguments in (
        *execute({**WEEKLY, "replace_attempt": 1})[1].jobs(),
        *execute(CORRECTION)[1].jobs(),
        *execute({"config": "configs/bike_stations.yaml"})[1].jobs(),
    ):
        command = commands[arguments[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        given = arguments[: arguments.index("--")] if "--" in arguments else arguments
        assert {one for one in given if one.startswith("--")} <= known, name


def test_every_step_has_one_name_and_every_jump_a_target():
    names = [name for step in WORKFLOW["main"]["steps"] for name in step]
    assert len(names) == len(set(names))
    jumps = re.findall(r"^ *next: (\w+)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert jumps
    assert set(jumps) <= set(names)


def test_expressions_have_no_colon_that_yaml_reads():
    """An expression with ': ' in it would be read as a mapping."""
    text = FILE.read_text(encoding="utf-8")
    assert text.count("${") == len(re.findall(r"\$\{[^{}]*\}", text))
