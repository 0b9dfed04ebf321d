"""The index page of a series: its releases, what they cost together, and their largest numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.digests import file_digest
from pipelines.publication.checksums import SUMS_FILE
from pipelines.publication.series_index import INDEX_FILE
from pipelines.publication.withdrawn import withdrawn_in
from pipelines.report.drawing import PANELS, points_of, split_by
from pipelines.report.grid import Grid, number_grid
from pipelines.report.lines import Panel, line_chart
from pipelines.report.published import REPORT_FILE, PublishedRelease, ReportError, read_release
from pipelines.report.series import period_folders
from pipelines.report.statements import budget
from pipelines.report.svg import Figure
from pipelines.report.templating import render
from pipelines.report.words import number_text, visible
from transforms.table import released_columns

INDEX_PAGE = "index.html"
"""Name of the index page, in the folder that has the releases."""


@dataclass(frozen=True)
class ListedRelease:
    """One line of the index.

    Attributes:
        name: Period of the release.
        page: Address of its report, or of what there is to look at if it has none.
        budget: Its budget in words.
        rows: Rows of each table, in words.
        plan_hash: Start of the identity of its plan.
        published: Day of its publication; empty where there is no manifest.
        version: Its version; larger than 1 if it was corrected.
        withdrawn: Why it is not to be used any more; empty if it is.
    """

    name: str
    page: str
    budget: str
    rows: str
    plan_hash: str
    published: str
    version: int
    withdrawn: str


def index_page(folder: Path, pages: Mapping[str, str] | None = None) -> str:
    """Returns the index of the releases in a folder as HTML that needs no network.

    Args:
        folder: The folder, with a folder for each period.
        pages: Address of the page of each release, as seen from the index, where the releases do
            not stand as they do in the folder; None where they do.

    Raises:
        ReportError: There is no release, one cannot be read, or they are of several series.
    """
    folders = period_folders(folder)
    if not folders:
        raise ReportError(f"{folder} holds no release, and no folders of releases such as 2026-W46")
    releases = [read_release(one) for one in folders]
    series = sorted({release.series for release in releases})
    if len(series) > 1:
        raise ReportError(f"{folder} holds releases of {', '.join(series)}; allowed: one series")
    withdrawn = _withdrawn(folder)
    try:
        return render(
            "index.html",
            latest=releases[-1],
            guarantee=releases[-1].plan["guarantee"],
            releases=[
                _listed(
                    one,
                    _page(place) if pages is None else pages[one.name],
                    withdrawn.get(_digest(place), ""),
                )
                for one, place in zip(releases, folders, strict=True)
            ][::-1],
            losses=_losses(folder, releases),
            largest=_largest(releases),
            corrected=[release.name for release in releases if release.version > 1],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ReportError(
            f"{folder} has a plan or index that is not known here: {type(error).__name__} {error}"
        ) from None


def _page(folder: Path) -> str:
    return f"./{folder.name}/{REPORT_FILE if (folder / REPORT_FILE).exists() else ''}"


def _withdrawn(folder: Path) -> dict[str, str]:
    """Returns why releases were withdrawn, by the digests that the index tells of."""
    path = folder / INDEX_FILE
    told = withdrawn_in(path.read_bytes()) if path.exists() else []
    return {one.sha256sums_sha256: one.reason for one in told}


def _digest(folder: Path) -> str:
    sums = folder / SUMS_FILE
    return file_digest(sums) if sums.exists() else ""


def _listed(release: PublishedRelease, page: str, withdrawn: str) -> ListedRelease:
    rows = (f"{visible(table.name)} {table.frame.height:,}" for table in release.tables)
    return ListedRelease(
        release.name,
        page,
        budget(release.plan),
        ", ".join(rows),
        release.plan_hash[:12],
        visible(str(release.publication.get("published", "")))[:10],
        release.version,
        withdrawn,
    )


def _left_out(group: Mapping[str, Any]) -> str:
    number = group.get("earlier_versions", 0)
    return f", without {number:,} earlier versions, now corrected" if number else ""


def _losses(folder: Path, releases: Sequence[PublishedRelease]) -> Grid:
    """Returns what the releases cost together: as the index says, else by adding up."""
    names = ["privacy unit", "releases", "epsilon", "delta", "found by"]
    try:
        groups = json.loads((folder / INDEX_FILE).read_bytes())["cumulative"]
    except (OSError, ValueError, RecursionError):
        groups = []
    rows = [
        [
            visible(str(group["privacy_unit"])),
            f"{len(group['releases']):,}",
            "unbounded" if group["epsilon"] is None else number_text(group["epsilon"]),
            f"{group['delta']:.3g}",
            f"composing all mechanisms ({INDEX_FILE}){_left_out(group)}",
        ]
        for group in groups
    ]
    if not rows:
        first = [_first_price(release.plan) for release in releases]
        unit = " + ".join(releases[-1].plan["guarantee"]["privacy_unit"]) or "row"
        epsilon = sum(price["epsilon"] for price in first)
        delta = sum(price["delta"] for price in first)
        rows = [
            [visible(unit), f"{len(releases):,}", number_text(epsilon), f"{delta:.3g}", "adding up"]
        ]
    return Grid("losses", "Loss of all releases on this page together", names, 1, rows)


def _first_price(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    price: Mapping[str, Any] = plan["price"]
    return price["at_deltas"][0] if "at_deltas" in price else price


def _largest(releases: Sequence[PublishedRelease]) -> tuple[Figure, Grid] | None:
    """Draws the largest partitions of the first table over all releases."""
    latest = next((table for table in releases[-1].tables if table.numbers), None)
    if latest is None or len(releases) < 2:
        return None
    number, keys = latest.numbers[0], latest.keys
    top = latest.rows.sort(number, descending=True, nulls_last=True, maintain_order=True)
    order = top.select(keys).head(PANELS)
    found = [
        table.rows.join(order, on=keys, how="semi", nulls_equal=True).select(
            *keys,
            pl.lit(release.name).alias("release"),
            pl.lit(step).alias("\0step"),
            *released_columns(number),
        )
        for step, release in enumerate(releases)
        if (table := release.table(latest.name)) is not None
        and table.keys == keys
        and number in table.numbers
    ]
    parts = split_by(pl.concat(found, how="vertical_relaxed"), order)
    if not parts:
        return None
    title = f"{visible(number)} of {visible(latest.name)} by release"
    figure = line_chart(
        [Panel(names, points_of(part, number)) for names, part in parts],
        [release.name for release in releases],
        "largest",
        title,
        f"The largest partitions of the last release, with 95 % intervals of {visible(number)}.",
    )
    grid = number_grid(
        pl.concat([part for _, part in parts]),
        [*keys, "release"],
        [number],
        "largest-table",
        "The numbers of this chart",
    )
    return figure, grid
