"""Writes a release for readers, from the staged draw and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.plan import ReleasePlan
from pipelines.publication.content import Content
from pipelines.publication.release_files import release_digest, write_release
from pipelines.storage.storage import Where
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
    files: tuple[Where, ...]


def write_publication(
    rendered: Mapping[str, pl.DataFrame],
    content: Content,
    formats: Sequence[str],
    folder: Path,
    add_pages: Callable[[Path], None] | None = None,
) -> str:
    """Writes all files of a release to a private folder.

    Args:
        rendered: Tables by name.
        content: What the release is described by.
        formats: `parquet`, `csv`.
        folder: The folder, which is empty.
        add_pages: Adds files that are made of all others.

    Returns:
        The digest of the files (`release_digest`).
    """
    write_release(folder, content, rendered, formats, add_pages)
    digest = release_digest(folder)
    assert digest is not None
    return digest


def render_release(plan: ReleasePlan, drawn: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Returns what is published of each table: rendered, made consistent, post-processed.

    Args:
        plan: The release.
        drawn: Drawn values per table, as read from staging.
    """
    rendered = {table.name: render(drawn[table.name], table) for table in plan.tables}
    keys = {table.name: table.keys for table in plan.tables}
    for consistency in plan.consistency:
        rendered = consistency.apply(rendered, keys)
    return {
        table.name: post_process(rendered[table.name], table.keys, plan.steps.get(table.name, ()))
        for table in plan.tables
    }


def published_tables(
    plan: ReleasePlan,
    rendered: Mapping[str, pl.DataFrame],
    files_of: Callable[[Sequence[str]], tuple[Where, ...]],
) -> list[Published]:
    """Returns the tables of a release with the files that they are in.

    Args:
        plan: The release.
        rendered: Its tables by name.
        files_of: Returns where files of some names are, without those that are not there.
    """
    return [
        Published(
            table,
            rendered[table.name],
            files_of([f"{table.name}.{suffix}" for suffix in ("parquet", "csv")]),
        )
        for table in plan.tables
    ]
