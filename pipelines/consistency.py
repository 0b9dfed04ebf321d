"""Makes the levels of a table agree after the draw: a parent is the sum of its children.

The adjusted numbers stand beside the noisy ones, as `<metric>_consistent`: they are better where
the levels agree before noise, and biased where contribution bounds cut levels differently
(`transforms.postprocess.consistency`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from pipelines.spec import CONSISTENT, LoadedRelease, ProblemList
from transforms.key_list import KeyList
from transforms.mechanisms import NoiseKind
from transforms.plan import TablePlan
from transforms.postprocess.consistency import check_consistency, make_consistent
from transforms.table import Table, released_columns


@dataclass(frozen=True)
class Consistency:
    """Levels that are made to agree.

    Attributes:
        levels: Their tables, from the coarsest to the finest.
        metrics: Counts and sums that are adjusted.
        noise: Distribution of the noise; `laplace` where levels have different ones.
    """

    levels: tuple[str, ...]
    metrics: tuple[str, ...]
    noise: NoiseKind

    def apply(
        self, rendered: Mapping[str, pl.DataFrame], keys: Mapping[str, Sequence[str]]
    ) -> dict[str, pl.DataFrame]:
        """Adds the adjusted numbers, each with its error.

        Args:
            rendered: All tables of the release before other post-processing.
            keys: Key columns of each.

        Returns:
            The tables; those of the levels have more columns.
        """
        tables = dict(rendered)
        for metric in self.metrics:
            adjusted = make_consistent(
                [rendered[name] for name in self.levels],
                [keys[name] for name in self.levels],
                metric,
                self.noise,
            )
            for name, frame in zip(self.levels, adjusted, strict=True):
                columns = zip(
                    released_columns(metric), released_columns(metric + CONSISTENT), strict=True
                )
                tables[name] = tables[name].with_columns(
                    frame[column].alias(new) for column, new in columns
                )
        return tables

    def to_dict(self) -> dict[str, Any]:
        """Returns what is done as JSON values."""
        return {
            "step": "consistent",
            "levels": list(self.levels),
            "metrics": list(self.metrics),
            "effect": str(self),
        }

    def __str__(self) -> str:
        names = ", ".join(metric + CONSISTENT for metric in self.metrics)
        return (
            f"{names}: adjusted so that each row of a level is the sum of its rows on the next "
            f"({', '.join(self.levels)}), by least squares with the known variances; biased where "
            "bounds cut the levels differently, or where a row is in a partition of one level and "
            "in none of the next (input.where can leave it out)"
        )


def release_consistency(
    release: LoadedRelease, tables: Mapping[str, Table], plans: Sequence[TablePlan]
) -> tuple[Consistency, ...]:
    """Works out which levels are made to agree.

    Args:
        release: The release series.
        tables: Its tables, from `release_tables`.
        plans: The same with their mechanisms.

    Returns:
        One per table of the config that asks for it.

    Raises:
        ConfigError: Levels cannot agree.
    """
    problems = ProblemList(release.source)
    found = []
    lists = {plan.name: plan.public_keys for plan in plans}
    for name, spec in release.spec.tables.items():
        if not spec.consistent:
            continue
        placed = [table for table in release.spec.placed_tables() if table.table == name]
        levels = {
            level.name: tables[level.name]
            for level in sorted(placed, key=lambda level: len(level.spec.key_columns))
        }
        metrics = tuple(spec.metrics_that_add_up())
        with problems.at(("tables", name, "consistent")):
            for metric in metrics:
                check_consistency(levels, metric)
            for coarser, finer in pairwise(levels):
                _check_lists(coarser, lists[coarser], finer, lists[finer])
            noises = {plan.noise for plan in plans if plan.name in levels}
            noise = noises.pop() if len(noises) == 1 else "laplace"
            found.append(Consistency(tuple(levels), metrics, noise))
    problems.raise_if_any()
    return tuple(found)


def _check_lists(coarser: str, above: KeyList | None, finer: str, below: KeyList | None) -> None:
    """Raises a ValueError when a listed parent has no listed child, or a child no parent."""
    assert above is not None
    assert below is not None
    keys = list(above.keys)
    parents, of_children = above.frame, below.frame.select(keys).unique()
    try:
        childless = parents.join(of_children, on=keys, how="anti")
        orphans = of_children.join(parents, on=keys, how="anti")
    except pl.exceptions.SchemaError:
        raise ValueError(f"the public keys of {coarser} and {finer} have other types") from None
    for lacking, ours, theirs in ((childless, coarser, finer), (orphans, finer, coarser)):
        if lacking.height:
            example = ", ".join(map(repr, lacking.row(0)))
            raise ValueError(
                f"the public keys of {ours} have {example} ({', '.join(keys)}), and those of "
                f"{theirs} do not; allowed: the same on all levels"
            )
