"""`run`, `backfill` and `publish`: what makes releases."""

from __future__ import annotations

import gc
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.runner_options import (
    Environment,
    JobServer,
    Master,
    Parallelism,
    Runner,
    TimeLimit,
)
from pipelines.commands.shared import (
    BeamOptions,
    Config,
    Json,
    Period,
    echo_json,
    refuse,
    several,
    short,
    user_errors,
)
from pipelines.log import tell_problem
from pipelines.run.runners import RunnerChoice, RunnerError

if TYPE_CHECKING:
    from pipelines.plan import ReleasePlan
    from pipelines.run.drawing import KeepMetrics
    from pipelines.run.exactly_once import Run
    from pipelines.run.output import Published
    from pipelines.spec import LoadedRelease
    from transforms.private_metrics import Numbers

Incomplete = Annotated[
    bool,
    typer.Option(
        "--incomplete",
        help="Publish what a gate would stop because something is missing, and say so in it.",
    ),
]

Plan = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="Run only if this file of plan --out is still the plan of the config.",
    ),
]


Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Publish report.html with the tables.")
]


@user_errors
def run(
    config: Config,
    beam_options: BeamOptions = None,
    period: Period = None,
    correct: Annotated[
        str | None,
        typer.Option(
            "--correct",
            metavar="REASON",
            help="Draw a new version of a published release, with a charge of its own, and "
            "withdraw the old one.",
        ),
    ] = None,
    plan: Plan = None,
    report: Report = True,
    dataflow: Annotated[
        Path | None,
        typer.Option(
            "--dataflow",
            metavar="FILE",
            help="Draw on Dataflow, as this YAML file says; options after -- come on top.",
        ),
    ] = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Start the workers and leave; `publish` goes on when they are done."
        ),
    ] = False,
    incomplete: Incomplete = False,
    replace_attempt: Annotated[
        int | None,
        typer.Option(
            "--replace-attempt",
            metavar="NUMBER",
            help="Take over from this attempt to draw: its job failed, or its run was killed and "
            "staging is in a bucket, which cannot tell. Nothing of it is used.",
        ),
    ] = None,
    runner: Runner = None,
    master: Master = None,
    job_server: JobServer = None,
    parallelism: Parallelism = None,
    environment: Environment = None,
    time_limit: TimeLimit = None,
    private_metrics: Annotated[
        Path | None,
        typer.Option(
            "--private-metrics",
            metavar="FILE",
            help="Write how many rows were read and counted to this file, as JSON: exact numbers "
            "about people, for those who may see the rows.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Reads the input, draws the release and publishes it, once."""
    chosen = RunnerChoice(runner, master, job_server, parallelism, environment, time_limit)
    if dataflow is None:
        options = _options(chosen, beam_options)
    else:
        options = _dataflow_options(dataflow, chosen, beam_options)
    if private_metrics is not None and detach:
        refuse("--private-metrics needs a run that waits for its workers; allowed: no --detach")
    release, planned = _planned(config, plan)
    with _running():
        from pipelines.run.exactly_once import run_release

        done = run_release(
            release,
            planned,
            options,
            period=period,
            correct=correct,
            detach=detach,
            incomplete=incomplete,
            report=report,
            replace_attempt=replace_attempt,
            keep_metrics=None if private_metrics is None else _writing(private_metrics),
        )
    _report(done, as_json=as_json)


@user_errors
def backfill(
    config: Config,
    first: Annotated[str, typer.Option("--from", metavar="PERIOD", help="First period.")],
    last: Annotated[str, typer.Option("--to", metavar="PERIOD", help="Last period.")],
    beam_options: BeamOptions = None,
    plan: Plan = None,
    report: Report = True,
    incomplete: Incomplete = False,
    runner: Runner = None,
    master: Master = None,
    job_server: JobServer = None,
    parallelism: Parallelism = None,
    environment: Environment = None,
    time_limit: TimeLimit = None,
    as_json: Json = False,
) -> None:
    """Runs a release for all periods of a range, in order; those that are published stay."""
    chosen = RunnerChoice(runner, master, job_server, parallelism, environment, time_limit)
    options = _options(chosen, beam_options)
    release, planned = _planned(config, plan)
    from pipelines.run.periods import PeriodError, periods_between, read_period

    every = release.spec.period
    try:
        periods = list(periods_between(read_period(every, first), read_period(every, last)))
    except PeriodError as error:
        refuse(str(error))
    with _running():
        from pipelines.run.exactly_once import run_release

        for period in periods:
            done = run_release(
                release,
                planned,
                options,
                period=period.name,
                incomplete=incomplete,
                report=report,
            )
            _report(done, as_json=as_json, brief=True)


@user_errors
def publish(
    config: Config,
    period: Period = None,
    report: Report = True,
    incomplete: Incomplete = False,
    as_json: Json = False,
) -> None:
    """Publishes a release whose values are drawn already; reads no input."""
    release, planned = _planned(config, None)
    with _running():
        from pipelines.run.exactly_once import publish_release

        done = publish_release(
            release, planned, period=period, incomplete=incomplete, report=report
        )
    _report(done, as_json=as_json)


def _options(chosen: RunnerChoice, beam_options: list[str] | None) -> list[str]:
    """Returns all options for Beam: the runner's, and those after `--`."""
    strays = [option for option in (beam_options or [])[:1] if not option.startswith("--")]
    if strays:
        refuse(f"{strays[0]!r} is not a Beam option; allowed: options after --")
    try:
        options = chosen.beam_options(beam_options or [])
    except RunnerError as error:
        refuse(str(error))
    if chosen.runner is not None:
        from pipelines.doctor.reach import hopeless

        if (problem := hopeless(chosen)) is not None:
            refuse(problem)
    return options


def _dataflow_options(
    file: Path, chosen: RunnerChoice, beam_options: list[str] | None
) -> list[str]:
    """Returns all options for Beam: those of a file of an environment, and those after `--`."""
    from pipelines.run.dataflow import dataflow_arguments, load_dataflow

    if chosen.runner not in (None, "dataflow"):
        refuse(f"--runner is {chosen.runner!r}; allowed: none or dataflow beside --dataflow")
    as_dataflow = replace(chosen, runner="dataflow")
    return dataflow_arguments(load_dataflow(file), _options(as_dataflow, beam_options))


def _planned(config: Path, plan: Path | None) -> tuple[LoadedRelease, ReleasePlan]:
    """Loads and plans a release, and holds it to a plan file if there is one."""
    from pipelines.plan import plan_release
    from pipelines.spec import load_release

    release = load_release(config)
    planned = plan_release(release)
    if plan is not None:
        from pipelines.plan.file import PlanFileError, check_plan_file, plan_file, read_plan_file

        try:
            check_plan_file(plan, read_plan_file(plan), plan_file(release, planned))
        except PlanFileError as error:
            refuse(str(error))
    return release, planned


def _writing(file: Path) -> KeepMetrics:
    """Returns what writes metrics to a file that nobody else may read.

    What is drawn is not lost where that fails: it is only said.
    """
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK) or file.is_dir():
        refuse(f"--private-metrics is {file}; allowed: a file that can be written")

    def write(numbers: Numbers) -> None:
        text = json.dumps(numbers, indent=2, sort_keys=True) + "\n"
        try:
            file.unlink(missing_ok=True)
            file.touch(mode=0o600, exist_ok=False)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            tell_problem(f"{file} cannot be written: {error.strerror}")

    return write


@contextmanager
def _running() -> Iterator[None]:
    # Beam's log repeats exception texts, which may hold private values; they go to a private file.
    logging.basicConfig(level=logging.CRITICAL)
    from pipelines.run.failures import RunError
    from pipelines.run.staging import StagingError

    gc.freeze()
    gc.enable()
    try:
        yield
    except (RunError, StagingError) as error:
        refuse(str(error))
    except KeyboardInterrupt:
        tell_problem("interrupted; the same command goes on from here")
        raise typer.Exit(130) from None


def _report(done: Run, *, as_json: bool, brief: bool = False) -> None:
    if done.without_report is not None:
        tell_problem(done.without_report)
    if as_json:
        echo_json(_to_dict(done))
        return
    if brief:
        gaps = f", {done.completeness}" if done.completeness.missing else ""
        typer.echo(f"{done.release.key}: {_happened(done)}, in {short(done.folder)}{gaps}")
        return
    for table in done.published:
        _show(table)
    if done.completeness.missing:
        typer.echo(f"{done.release.key} is {done.completeness}")
    if done.release.state in ("drawing", "drawn"):
        typer.echo(f"{done.release.key} is {done.release.state}; dp-release publish goes on")
    elif not done.is_new:
        typer.echo(f"{done.release.key} was {_happened(done)}; nothing was drawn or charged")
    if done.report is not None:
        typer.echo(f"report in {short(done.report)}")


def _happened(done: Run) -> str:
    return "published" if done.is_new else "published before"


def _to_dict(done: Run) -> dict[str, Any]:
    key = done.release.key
    return {
        "release": key.series,
        "period": key.period,
        "version": key.version,
        "state": done.release.state,
        "is_new": done.is_new,
        "plan_hash": done.release.plan,
        "files_sha256": done.release.publication,
        "ledger_entries": list(done.release.entries),
        "folder": str(done.folder),
        "completeness": done.completeness.to_dict(),
    }


def _show(table: Published, rows: int = 8) -> None:
    from pipelines.show import show_table

    show_table(table.plan, table.frame, rows)
    typer.echo(f"{several(table.frame.height, 'row')} in {', '.join(map(short, table.files))}\n")
