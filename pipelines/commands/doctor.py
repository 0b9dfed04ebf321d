"""`doctor`, which looks for what keeps a release from running."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.commands.runner_options import (
    Environment,
    JobServer,
    Master,
    Parallelism,
    Runner,
)
from pipelines.commands.shared import BeamOptions, Json, echo_json, refuse, user_errors
from pipelines.run.runners import RunnerChoice


@user_errors
def doctor(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="The release YAML.")
    ] = None,
    beam_options: BeamOptions = None,
    dataflow: Annotated[
        Path | None,
        typer.Option(
            "--dataflow",
            metavar="FILE",
            help="Check what this YAML file says of Dataflow, with a job of no data there.",
        ),
    ] = None,
    runner: Runner = None,
    master: Master = None,
    job_server: JobServer = None,
    parallelism: Parallelism = None,
    environment: Environment = None,
    duty: Annotated[
        Literal["all", "draw", "publish"],
        typer.Option(
            "--duty",
            help="What this account does: all of a release, draw it (run --detach), or publish it "
            "(publish).",
        ),
    ] = "all",
    as_json: Json = False,
) -> None:
    """Checks what a run needs: programs, config, ledger, folders, buckets, runner and workers.

    On a runner other than the local one it runs a job of no data. Exits with 1 when something
    has to be mended, and says how.
    """
    logging.basicConfig(level=logging.CRITICAL)
    from pipelines.doctor.examine import examine

    chosen = RunnerChoice(runner, master, job_server, parallelism, environment)
    if duty == "publish" and (dataflow is not None or beam_options or chosen != RunnerChoice()):
        refuse("--duty is publish, which starts no workers; allowed: no options of a runner")
    findings = []
    for found in examine(config, chosen, beam_options or [], dataflow, duty):
        findings.append(found)
        if not as_json:
            typer.echo(str(found))
    if as_json:
        echo_json({"findings": [found.to_dict() for found in findings]})
    if any(found.state == "failed" for found in findings):
        raise typer.Exit(1)
