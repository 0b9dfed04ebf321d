"""`budget`, which shows the ledger, and what ends a release: `void`, `abandon`, `withdraw`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import clock
from pipelines.commands.shared import Config, Json, Period, echo_json, refuse, short, user_errors
from pipelines.log import tell_problem

if TYPE_CHECKING:
    from pipelines.run.endings import Ending

Reason = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="TEXT",
        help="Why; it stays in the ledger, and that of withdraw is published in releases.json.",
    ),
]


@user_errors
def budget(
    config: Config,
    day: Annotated[
        str | None,
        typer.Option(
            "--day",
            metavar="DAY",
            help="Show what is left for input of this day, such as 2026-11-09. Default: today in "
            "UTC.",
        ),
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option(
            "--delta", help="State epsilons at this delta. Default: those of all releases together."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw losses so far and the use of each cap, as .svg or .html.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Shows what is left of a dataset's budget, and on what it was spent."""
    from shutil import get_terminal_size

    from pipelines.budget_plot import check_plot, plot_budget
    from pipelines.budget_report import budget_report
    from pipelines.spec import load_release

    release = load_release(config)
    if delta is not None and not 0 <= delta < 1:
        refuse(f"--delta is {delta:g}; allowed: from 0, below 1")
    try:
        if plot is not None:
            check_plot(plot)
        report = budget_report(release, _day(day), delta, curves=plot is not None)
        if plot is not None:
            plot_budget(report, plot)
    except ValueError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename} cannot be written: {error.strerror}")
    if as_json:
        echo_json(report.to_dict())
    else:
        typer.echo(report.text(get_terminal_size((110, 24)).columns))
        if plot is not None:
            typer.echo(f"plot in {short(plot)}")


@user_errors
def void(config: Config, reason: Reason, period: Period = None, as_json: Json = False) -> None:
    """Gives back the charge of a release that no worker was told to draw."""
    _end(config, "void", reason, period, as_json=as_json)


@user_errors
def abandon(config: Config, reason: Reason, period: Period = None, as_json: Json = False) -> None:
    """Gives up a release that may have been drawn; its charge is spent, its values are deleted."""
    _end(config, "abandon", reason, period, as_json=as_json)


@user_errors
def withdraw(config: Config, reason: Reason, period: Period = None, as_json: Json = False) -> None:
    """Marks a published release as not to be used any more; its files stay, its charge is spent."""
    _end(config, "withdraw", reason, period, as_json=as_json)


def _end(config: Path, ending: Ending, reason: str, period: str | None, *, as_json: bool) -> None:
    from pipelines.run.endings import end_release
    from pipelines.run.periods import PeriodError, read_period
    from pipelines.spec import load_release

    release = load_release(config)
    if not reason.strip():
        refuse("--reason is empty; allowed: why")
    try:
        read = read_period(release.spec.period, period)
    except PeriodError as error:
        refuse(str(error))
    done = end_release(release, read, ending, reason)
    ended = done.release
    key = ended.key
    if as_json:
        echo_json(
            {
                "release": key.series,
                "period": key.period,
                "version": key.version,
                "state": ended.state,
                "reason": ended.reason,
                "ledger_entries": list(ended.entries),
            }
        )
    else:
        spent = "its charge is given back" if ended.state == "voided" else "its charge is spent"
        before = "" if ended.reason == reason else f", as before ({ended.reason})"
        typer.echo(f"{key} is {ended.state}{before}; {spent}")
    if done.without_page is not None:
        tell_problem(done.without_page)
    if done.untold is not None:
        refuse(f"readers are not told: {done.untold}; allowed: the same command again, once mended")


def _day(text: str | None) -> date:
    if text is None:
        return clock.today()
    try:
        return date.fromisoformat(text)
    except ValueError:
        refuse(f"--day is {text!r}; allowed: a day such as 2026-11-09")
