"""Writes a release for readers, from the staged draw and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.plan import ReleasePlan
from pipelines.plan.file import PLAN_FILE, PlanFile
from pipelines.publication.content import Content
from pipelines.publication.facts import Facts, now, software
from pipelines.publication.place import building_folder, put_in_place
from pipelines.publication.release_files import write_release
from pipelines.publication.series_index import write_index
from transforms.plan import TablePlan
from transforms.postprocess import post_process
from transforms.render import render


@dataclass(frozen=True)
class Published:
    """One released table.

    Attributes:
        plan: The table.
        frame: What was published.
        files: Where.
    """

    plan: TablePlan
    frame: pl.DataFrame
    files: tuple[Path, ...]


def is_published(folder: Path) -> bool:
    """Returns whether a folder holds a release."""
    return (folder / PLAN_FILE).exists()


def may_replace(folder: Path) -> bool:
    """Returns whether a folder is absent, empty or a release, so that nothing else is lost."""
    if not folder.exists() and not folder.is_symlink():
        return True
    return folder.is_dir() and (is_published(folder) or not any(folder.iterdir()))


def publish(
    plan: ReleasePlan,
    drawn: Mapping[str, pl.DataFrame],
    folder: Path,
    formats: Sequence[str],
    planned: PlanFile,
    facts: Facts | None = None,
    *,
    replace: bool = True,
) -> list[Published]:
    """Renders staging files and puts them in place together, after everything is written.

    Args:
        plan: The release.
        drawn: Drawn values per table, as read from staging.
        folder: Where the release goes.
        formats: `parquet`, `csv`.
        planned: The plan as it was before the input was looked at, which stands beside the data.
        facts: What the manifest says beside the plan. Default: `facts_of` the plan, published now.
        replace: Whether a release that is there is replaced.

    Returns:
        The tables as published.

    Raises:
        TakenError: There is a release, which may not be replaced.
        OSError: Something cannot be written.
    """
    content = Content(planned, facts or facts_of(plan))
    with building_folder(folder) as building:
        frames = published_tables(plan, drawn)
        write_release(building, content, frames, formats)
        put_in_place(building, folder, replace=replace)
    with suppress(OSError):  # The release is out; whoever publishes next makes the index anew.
        write_index(folder.parent)
    return [
        Published(
            table,
            frames[table.name],
            tuple(folder / f"{table.name}.{suffix}" for suffix in formats),
        )
        for table in plan.tables
    ]


def facts_of(plan: ReleasePlan) -> Facts:
    """Returns what a manifest says of a release that is published now, without a ledger."""
    spec = plan.spec
    return Facts(spec.title, now(), spec.about.stated(), software())


def published_tables(
    plan: ReleasePlan, drawn: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Returns what is published of each table: rendered, made consistent, post-processed.

    Args:
        plan: The release.
        drawn: Drawn values per table.
    """
    rendered = {table.name: render(drawn[table.name], table) for table in plan.tables}
    keys = {table.name: table.keys for table in plan.tables}
    for consistency in plan.consistency:
        rendered = consistency.apply(rendered, keys)
    return {
        table.name: post_process(rendered[table.name], table.keys, plan.steps.get(table.name, ()))
        for table in plan.tables
    }
