"""The command line. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import gc
from typing import Any

import typer

from pipelines.commands import budget, planning, reporting, running, tuning, verifying

app = typer.Typer(
    help="Publishes differentially private statistics of telemetry: one YAML file per release.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (
    planning.validate,
    planning.plan,
    tuning.tune,
    running.run,
    running.backfill,
    running.publish,
    verifying.verify,
    reporting.report,
    budget.budget,
    budget.void,
    budget.abandon,
    budget.withdraw,
):
    app.command()(command)


def main() -> None:
    """Runs the command line."""
    # Click exits with 2 after a wrong command line, which stands for a refused budget here.
    usage_error: Any = typer.BadParameter.__base__
    usage_error.exit_code = 1
    # What is imported stays; looking through it for garbage takes a quarter of a second of a run.
    gc.disable()
    app()
