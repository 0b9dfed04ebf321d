"""Writes a release for readers, from the staged draw and from nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.plan import ReleasePlan
from pipelines.plan.file import PLAN_FILE, PlanFile
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
    complete: Callable[[Path], None] | None = None,
) -> list[Published]:
    """Renders staging files and puts them in place together, after everything is written.

    Args:
        plan: The release.
        drawn: Drawn values per table, as read from staging.
        folder: Where the release goes; what was there is replaced.
        formats: `parquet`, `csv`.
        planned: The plan as it was before the input was looked at, which stands beside the data.
        complete: Adds files to the folder once all others are in it, before it is put in place.

    Returns:
        The tables as published.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}.building")
    aside = leftover_of(folder)
    for leftover in (building, aside):
        if leftover.exists():
            shutil.rmtree(leftover)
    building.mkdir(mode=0o700)
    try:
        published = _write_tables(plan, drawn, folder, building, formats)
        (building / PLAN_FILE).write_text(str(planned), encoding="utf-8")
        if complete is not None:
            complete(building)
        building.chmod(0o755)
        if folder.exists():
            folder.rename(aside)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    with suppress(KeyboardInterrupt):  # The release is out, whatever is left of the old one.
        shutil.rmtree(aside, ignore_errors=True)
    return published


def leftover_of(folder: Path) -> Path:
    """Returns where the old release is while a new one takes its place."""
    return folder.with_name(f".{folder.name}.replaced")


def _write_tables(
    plan: ReleasePlan,
    drawn: Mapping[str, pl.DataFrame],
    folder: Path,
    building: Path,
    formats: Sequence[str],
) -> list[Published]:
    published = []
    rendered = {table.name: render(drawn[table.name], table) for table in plan.tables}
    keys = {table.name: table.keys for table in plan.tables}
    for consistency in plan.consistency:
        rendered = consistency.apply(rendered, keys)
    for table in plan.tables:
        steps = plan.steps.get(table.name, ())
        frame = post_process(rendered.pop(table.name), table.keys, steps)
        for suffix in formats:
            _write(frame, building / f"{table.name}.{suffix}")
        files = tuple(folder / f"{table.name}.{suffix}" for suffix in formats)
        published.append(Published(table, frame, files))
    return published


def _write(frame: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
