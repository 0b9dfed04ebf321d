"""Writes a release for readers, from the staging files and from nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.plan import ReleasePlan
from transforms.plan import TablePlan
from transforms.render import render

PLAN_FILE = "plan.json"


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


def publish(
    plan: ReleasePlan, staged: Mapping[str, Sequence[str]], folder: Path, formats: Sequence[str]
) -> list[Published]:
    """Renders staging files and puts them in place together.

    Args:
        plan: The release.
        staged: Staging files per table.
        folder: Where the release goes; what was there is replaced.
        formats: `parquet`, `csv`.

    Returns:
        The tables as published.
    """
    building = folder.with_name(f".{folder.name}.building")
    if building.exists():
        shutil.rmtree(building)
    building.mkdir(parents=True)
    published = []
    for table in plan.tables:
        frame = render(pl.concat([pl.read_parquet(path) for path in staged[table.name]]), table)
        for suffix in formats:
            _write(frame, building / f"{table.name}.{suffix}")
        files = tuple(folder / f"{table.name}.{suffix}" for suffix in formats)
        published.append(Published(table, frame, files))
    text = json.dumps(plan.to_dict(), indent=2, ensure_ascii=False)
    (building / PLAN_FILE).write_text(text + "\n", encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    building.rename(folder)
    return published


def _write(frame: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
