"""The plan of a release, from no row: what it costs and how good it will be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pipelines.consistency import Consistency, release_consistency
from pipelines.guarantee import GuaranteeText
from pipelines.price import loss_in_words, noise_in_words, price_in_words, price_to_dict
from pipelines.spec import (
    LoadedRelease,
    ReleaseSpec,
    plan_release_tables,
    release_preparation,
    release_steps,
    release_tables,
)
from transforms.mechanisms import SelectionMechanism
from transforms.noise import selection_threshold
from transforms.plan import MetricPlan, TablePlan
from transforms.planning import ReleaseCost
from transforms.postprocess import Step
from transforms.table import OTHER, SELECTION

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation

_WIDTH = 110
"""Columns of text on the terminal."""


@dataclass(frozen=True)
class ReleasePlan:
    """A release with all its mechanisms.

    Attributes:
        spec: The config.
        tables: The tables with their mechanisms, in the order of the config.
        cost: What they cost together.
        steps: What is done with the released tables before publication, by table.
        preparation: Filters and derived columns of the input; None if there are none.
        consistency: Levels that are made to agree before the steps.
    """

    spec: ReleaseSpec
    tables: tuple[TablePlan, ...]
    cost: ReleaseCost
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    preparation: Preparation | None = None
    consistency: tuple[Consistency, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the plan as JSON values, complete enough to price it again."""
        privacy = self.spec.privacy
        return {
            "schema_version": 1,
            "release": self.spec.release,
            "dataset": self.spec.dataset,
            "where": self.spec.input.where,
            "columns": self.spec.input.columns,
            "guarantee": GuaranteeText.of(self.spec).to_dict(),
            privacy.stated_as: privacy.stated,
            "delta": privacy.delta,
            "price": price_to_dict(self.cost),
            "tables": {
                table.name: {
                    **self._level_of(table),
                    **_table_to_dict(table, self._steps_of(table)),
                }
                for table in self.tables
            },
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        privacy = self.spec.privacy
        guarantee = GuaranteeText.of(self.spec)
        yield f"{self.spec.release}: {self.spec.title}"
        yield f"{privacy.stated_as} {privacy.stated:g}, delta {privacy.delta:g} per release"
        yield from _wrapped(price_in_words(self.cost))
        yield from _wrapped(f"protects: {guarantee.protects}")
        yield from _wrapped(f"does not protect: {guarantee.does_not_protect}")
        if self.spec.input.where is not None:
            yield from _wrapped(f"rows: those with {self.spec.input.where}")
        for name, expression in self.spec.input.columns.items():
            yield from _wrapped(f"column {name}: {expression}")
        group = None
        for table in self.tables:
            placed = self.spec.placed(table.name)
            if placed.level is not None and placed.table != group:
                levels = self.spec.tables[placed.table].levels or ()
                yield ""
                yield f"{placed.table}: {len(levels)} levels, one table each"
            group = placed.table
            yield ""
            yield from _table_lines(table, guarantee.unit)
            yield from _step_lines(self._steps_of(table))

    def _level_of(self, table: TablePlan) -> dict[str, str]:
        placed = self.spec.placed(table.name)
        return {} if placed.level is None else {"level_of": placed.table}

    def _steps_of(self, table: TablePlan) -> list[Step | Consistency]:
        agreeing = (done for done in self.consistency if table.name in done.levels)
        return [*agreeing, *self.steps.get(table.name, ())]


def _wrapped(text: str, indent: int = 2) -> list[str]:
    return wrap(text, _WIDTH, subsequent_indent=" " * indent, break_long_words=False)


def plan_release(release: LoadedRelease) -> ReleasePlan:
    """Works out a release. Reads the files of public keys, lookups and baselines, and no input.

    Raises:
        ConfigError: An expression, the tables or the budget cannot be used.
    """
    preparation = release_preparation(release)
    tables = release_tables(release)
    planned = plan_release_tables(release, tables)
    consistency = release_consistency(release, tables, planned.tables)
    steps = release_steps(release, planned.tables)
    return ReleasePlan(release.spec, planned.tables, planned.cost, steps, preparation, consistency)


def _table_to_dict(table: TablePlan, steps: Sequence[Step | Consistency]) -> dict[str, Any]:
    return {
        "keys": list(table.keys),
        "bounds": _bounds(table),
        "public_partitions": None if table.public_keys is None else table.public_keys.height,
        "mechanisms": {name: mechanism.to_dict() for name, mechanism in table.mechanisms.items()},
        "metrics": _metrics_to_dict(table.metrics),
        **({"other": _metrics_to_dict(table.other)} if table.other else {}),
        "post_processing": [{**step.to_dict(), "effect": str(step)} for step in steps],
    }


def _metrics_to_dict(metrics: Sequence[MetricPlan]) -> dict[str, Any]:
    return {
        metric.name: {
            "metric": metric.metric.description,
            "columns": metric.released,
            "noise": {
                metric.name + noise.component.suffix: {
                    "granularity": str(noise.component.granularity),
                    "std": noise.std,
                    "half_width_95": noise.half_width_95,
                }
                for noise in metric.noises
            },
        }
        for metric in metrics
        if metric.noises
    }


def _bounds(table: TablePlan) -> dict[str, int]:
    """Returns the bounds that are enforced."""
    if table.bounds.max_contributions is not None:
        return {"max_contributions": table.bounds.max_contributions}
    names = ("max_partitions_contributed", "max_contributions_per_partition")
    unused = table.guarantee.unused_bounds
    return {name: getattr(table.bounds, name) for name in names if name not in unused}


def _step_lines(steps: Sequence[Step | Consistency]) -> Iterator[str]:
    if steps:
        yield "  post-processing, free:"
        for step in steps:
            yield from _wrapped(f"    {step}", 6)


def _table_lines(table: TablePlan, unit: str) -> Iterator[str]:
    yield f"table {table.name} by {', '.join(table.keys)}"
    yield f"  bounds: {_bounds_in_words(table, unit)}"
    if table.public_keys is not None:
        yield f"  partitions: {table.public_keys.height} public ones, all released"
    if table.selection is not None:
        yield from _wrapped(f"  partitions: {_selection_in_words(table, table.selection)}", 4)
    rows = [("", "mechanism", "loss", "noise std", "95 % interval")]
    if table.selection is not None:
        std = noise_in_words(table.selection)
        rows.append((SELECTION, table.selection.strategy, loss_in_words(table.selection), std, ""))
    if table.other:
        yield from _wrapped(f"  {OTHER}: {_other_in_words(table)}", 4)
    named = [("", metric) for metric in table.metrics]
    named += [(f"{OTHER}:", metric) for metric in table.other]
    for prefix, metric in named:
        for noise in metric.noises:
            name = prefix + metric.name + noise.component.suffix
            kind = f"{noise.mechanism.noise} {metric.metric.description}"
            error = (f"{noise.std:.4g}", f"+-{noise.half_width_95:.4g}")
            rows.append((name, kind, loss_in_words(noise.mechanism), *error))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _bounds_in_words(table: TablePlan, unit: str) -> str:
    match _bounds(table):
        case {"max_contributions": rows}:
            return f"{_rows(rows)} of one {unit} in the table, wherever they are"
        case {"max_partitions_contributed": partitions, "max_contributions_per_partition": rows}:
            several = "partition" if partitions == 1 else "partitions"
            return f"{partitions} {several} per {unit}, {_rows(rows)} of one {unit} in each"
        case {"max_contributions_per_partition": rows}:
            return f"{_rows(rows)} of one {unit} in each partition, and any number of partitions"
        case _:
            return "none: every row counts"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _selection_in_words(table: TablePlan, selection: SelectionMechanism) -> str:
    least = selection_threshold(selection)
    things = "rows" if table.guarantee.bounding == "row" else "privacy units"
    shown = f"released more often than not from {least:.1f} {things} on"
    if selection.strategy != "weighted_gaussian" or selection.l0 == 1:
        return shown
    alone = least / math.sqrt(selection.l0)
    return (
        f"{shown} with {selection.l0} partitions each, or {alone:.1f} with this one only; of k "
        "partitions, a unit adds 1 / sqrt(k) to each"
    )


def _other_in_words(table: TablePlan) -> str:
    left_out = [metric.name for metric in table.other if not metric.noises]
    without = f", without {', '.join(left_out)}, which cannot be added up" if left_out else ""
    return f"one more row with empty keys adds up what was not selected{without}"
