"""Puts a report together: values for the templates, and the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.report import statements
from pipelines.report.against import ReleaseChanges, TableChanges, release_changes
from pipelines.report.drawing import bar_figures, largest, map_figure, time_figure
from pipelines.report.grid import Grid, number_grid
from pipelines.report.parameters import release_parameters, table_parameters
from pipelines.report.published import PublishedRelease, PublishedTable, ReportError, read_release
from pipelines.report.series import Beside, ReleasesHere, release_before
from pipelines.report.svg import Figure
from pipelines.report.templating import render
from pipelines.report.words import visible


@dataclass(frozen=True)
class TableSection:
    """What a page says of one table.

    Attributes:
        id: Id of the section.
        heading: Its heading.
        selected: Whether its partitions were selected privately.
        sentences: Which rows it has, and why.
        figures: The largest partitions as bars.
        grid: The same rows, with all numbers.
        more: Charts along time and on a map, each with its table.
        other: The row of other partitions; None without one.
        changes: Changes since the release before; None if there is none.
        parameters: Bounds and mechanisms.
    """

    id: str
    heading: str
    selected: bool
    sentences: Sequence[str]
    figures: Sequence[Figure]
    grid: Grid
    more: Sequence[tuple[str, Figure, Grid]]
    other: Grid | None
    changes: TableChanges | None
    parameters: Sequence[Grid]


def report_page(folder: Path, *, name: str | None = None, beside: Beside | None = None) -> str:
    """Returns the report of a published folder as HTML that needs no other file and no network.

    The same folder beside the same earlier release gives the same page.

    Args:
        folder: The folder.
        name: Name of the release; None for that of the folder.
        beside: Where the other releases of its series are; None for beside the folder.

    Raises:
        ReportError: The folder holds no release that can be read.
    """
    place = folder.absolute()
    release = read_release(folder, name or place.name)
    before = release_before(release, beside or ReleasesHere(place.parent))
    try:
        changes = None if before is None else release_changes(release, before)
        return render(
            "release.html",
            release=release,
            facts=_facts(release),
            correction=_correction(release),
            about=_about(release),
            guarantee=release.plan["guarantee"],
            budget=statements.budget(release.plan),
            prices=Grid("prices", "Cost", _PRICES, 0, statements.prices(release.plan)),
            tables=_sections(release, changes),
            changes=changes,
            caveats=statements.caveats(release),
            parameters=release_parameters(release),
            disclosure=_disclosure(release),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ReportError(
            f"{folder} has a plan or manifest not known here: {type(error).__name__}: {error}"
        ) from None


_PRICES = ["epsilon", "at delta", "found by", "independent formulas"]


def _sections(release: PublishedRelease, changes: ReleaseChanges | None) -> list[TableSection]:
    return [
        _section(table, f"t{place}", None if changes is None else changes.tables.get(table.name))
        for place, table in enumerate(release.tables, 1)
    ]


def _section(table: PublishedTable, prefix: str, changes: TableChanges | None) -> TableSection:
    rows = largest(table)
    by = (
        f"The {rows.height} rows with the largest {visible(table.numbers[0])}"
        if table.numbers
        else "The first rows"
    )
    caption = f"{by} of {table.rows.height:,}" if rows.height < table.rows.height else "All rows"
    found = (("By time", time_figure(table, prefix)), ("Map", map_figure(table, prefix)))
    other = number_grid(
        table.other, table.keys, table.numbers, f"{prefix}-other", "All other partitions together"
    )
    return TableSection(
        prefix,
        f"{visible(table.name)}: by {', '.join(map(visible, table.keys))}",
        table.selected,
        statements.about_table(table),
        bar_figures(table, rows, prefix),
        number_grid(rows, table.keys, table.numbers, f"{prefix}-largest", caption),
        [(heading, *drawn) for heading, drawn in found if drawn is not None],
        None if table.other.is_empty() else other,
        changes,
        table_parameters(table, prefix),
    )


def _facts(release: PublishedRelease) -> list[tuple[str, str]]:
    """Returns the short facts under the title, each with its name."""
    said = release.publication
    window = said.get("window")
    ledger = said.get("ledger")
    found = [
        ("release", release.series),
        (
            "period",
            said.get("period") or (release.name if release.name != release.series else None),
        ),
        ("input", f"{window[0]} to {window[1]}" if window else None),
        ("dataset", release.plan["dataset"]),
        ("published", said.get("published")),
        ("version", said.get("version")),
        ("ledger entry", ledger and ledger.get("entry")),
    ]
    return [(name, visible(str(value), 400)) for name, value in found if value]


def _correction(release: PublishedRelease) -> str:
    """Returns why a release was drawn again; empty for a first version."""
    if release.version == 1:
        return ""
    return visible(str(release.publication.get("reason") or "not stated"), 1000)


def _about(release: PublishedRelease) -> list[tuple[str, str]]:
    """Returns what the publisher says, where there is a manifest."""
    about: Mapping[str, Any] = release.publication.get("about") or {}
    return [
        (name, visible(str(value), 2000)) for name, value in about.items() if isinstance(value, str)
    ]


def _disclosure(release: PublishedRelease) -> list[tuple[str, str]]:
    points = (release.package.get("privacy") or {}).get("disclosure") or []
    return [
        (visible(str(point["title"]), 200), visible(str(point["statement"]), 4000))
        for point in points
    ]
