"""What commands say of a run that is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from pipelines.commands.shared import echo_json, several, short
from pipelines.log import tell_problem

if TYPE_CHECKING:
    from pipelines.run.exactly_once import Run
    from pipelines.run.output import Published


def tell_result(done: Run, *, as_json: bool, brief: bool = False) -> None:
    """Prints what a run came to.

    Args:
        done: The run.
        as_json: As JSON.
        brief: In one line.
    """
    if done.without_report is not None:
        tell_problem(done.without_report)
    if done.put_back:
        tell_problem(
            f"{short(done.folder)} was not as it was published, and is again: its files were put "
            "back"
        )
    if as_json:
        echo_json(_to_dict(done))
    elif brief:
        typer.echo(_line(done))
    else:
        _tell(done)


def _tell(done: Run) -> None:
    for table in done.published:
        _show(table)
    if done.completeness.missing:
        typer.echo(f"{done.release.key} is {done.completeness}")
    if not _is_published(done):
        typer.echo(f"{done.release.key} is {done.release.state}; dp-release publish goes on")
    elif not done.is_new:
        typer.echo(f"{done.release.key} was published before; nothing was drawn or charged")
    if done.report is not None:
        typer.echo(f"report in {short(done.report)}")


def _line(done: Run) -> str:
    key = done.release.key
    if not _is_published(done):
        command = f"dp-release publish --period {key.period}"
        return f"{key}: {done.release.state}; {command} goes on when its job is done"
    gaps = f", {done.completeness}" if done.completeness.missing else ""
    happened = "published" if done.is_new else "published before"
    return f"{key}: {happened}, in {short(done.folder)}{gaps}"


def _is_published(done: Run) -> bool:
    return done.release.state not in ("drawing", "drawn")


def _to_dict(done: Run) -> dict[str, Any]:
    """Returns a run as JSON values; `is_new` is true where this run has published the release."""
    key = done.release.key
    return {
        "release": key.series,
        "period": key.period,
        "version": key.version,
        "state": done.release.state,
        "is_new": done.is_new and _is_published(done),
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
