"""The command line. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import gc
from typing import Annotated, Any

import typer

from pipelines import log
from pipelines.commands import (
    backfilling,
    budget,
    doctor,
    planning,
    reporting,
    running,
    tuning,
    verifying,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (
    planning.validate,
    planning.plan,
    tuning.tune,
    running.run,
    backfilling.backfill,
    running.publish,
    doctor.doctor,
    verifying.verify,
    reporting.report,
    budget.budget,
    budget.void,
    budget.abandon,
    budget.withdraw,
):
    app.command()(command)


@app.callback()
def settings(
    log_format: Annotated[
        log.Format,
        typer.Option(
            "--log",
            envvar="DP_RELEASE_LOG",
            help="What goes to the standard error stream: text for people, or JSON for programs, "
            "an object a line.",
        ),
    ] = "text",
) -> None:
    """Publishes differentially private statistics of telemetry: one YAML file per release."""
    log.set_format(log_format)


def main() -> None:
    """Runs the command line."""
    # Click exits with 2 after a wrong command line, which stands for a refused budget here.
    usage_error: Any = typer.BadParameter.__base__
    usage_error.exit_code = 1
    # What is imported stays; looking through it for garbage takes a quarter of a second of a run.
    gc.disable()
    app()
