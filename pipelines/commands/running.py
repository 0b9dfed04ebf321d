"""`run` and `publish`: what makes one release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.private_places import private_metrics
from pipelines.commands.run_results import tell_result
from pipelines.commands.runner_options import (
    Environment,
    JobServer,
    Master,
    Parallelism,
    Runner,
    TimeLimit,
)
from pipelines.commands.shared import BeamOptions, Config, Json, Period, refuse, user_errors
from pipelines.commands.starting import (
    Dataflow,
    Detach,
    Incomplete,
    Plan,
    Report,
    planned_release,
    runner_options,
)
from pipelines.commands.under_way import under_way
from pipelines.run.runners import RunnerChoice


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
            "withdraw the old one. The reason is published.",
        ),
    ] = None,
    plan: Plan = None,
    report: Report = True,
    dataflow: Dataflow = None,
    detach: Detach = False,
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
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            "--private-metrics",
            metavar="FILE",
            help="Write how many rows were read and counted to this new file, as JSON: exact "
            "numbers about people, for those who may see the rows.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Reads the input, draws the release and publishes it, once."""
    chosen = RunnerChoice(runner, master, job_server, parallelism, environment, time_limit)
    options = runner_options(chosen, beam_options, dataflow)
    if metrics_file is not None and detach:
        refuse("--private-metrics needs a run that waits for its workers; allowed: no --detach")
    release, planned = planned_release(config, plan)
    with under_way(), private_metrics(metrics_file, release, options) as keep_metrics:
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
            keep_metrics=keep_metrics,
        )
    tell_result(done, as_json=as_json)


@user_errors
def publish(
    config: Config,
    period: Period = None,
    report: Report = True,
    incomplete: Incomplete = False,
    as_json: Json = False,
) -> None:
    """Publishes a release whose values are drawn already; reads no input."""
    release, planned = planned_release(config, None)
    with under_way():
        from pipelines.run.exactly_once import publish_release

        done = publish_release(
            release, planned, period=period, incomplete=incomplete, report=report
        )
    tell_result(done, as_json=as_json)
