"""The plan of a release, from no row: what it costs and how good it will be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.spec import (
    LoadedRelease,
    ReleaseSpec,
    plan_release_tables,
    release_steps,
    release_tables,
)
from transforms.noise import selection_threshold
from transforms.plan import TablePlan
from transforms.postprocess import Step
from transforms.table import SELECTION


@dataclass(frozen=True)
class ReleasePlan:
    """A release with all its mechanisms.

    Attributes:
        spec: The config.
        tables: The tables with their mechanisms, in the order of the config.
        steps: What is done with the released tables before publication, by table.
    """

    spec: ReleaseSpec
    tables: tuple[TablePlan, ...]
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the plan as JSON values, complete enough to price it again."""
        privacy = self.spec.privacy
        return {
            "schema_version": 1,
            "release": self.spec.release,
            "dataset": self.spec.dataset,
            "privacy_unit": list(privacy.unit),
            "adjacency": "add_remove",
            "epsilon": privacy.epsilon,
            "delta": privacy.delta,
            "composition": "simple",
            "tables": {
                table.name: _table_to_dict(table, self.steps.get(table.name, ()))
                for table in self.tables
            },
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        privacy = self.spec.privacy
        unit = " + ".join(privacy.unit)
        yield f"{self.spec.release}: {self.spec.title}"
        yield (
            f"protects one {unit} being there or not, "
            f"epsilon {privacy.epsilon:g}, delta {privacy.delta:g} per release"
        )
        for table in self.tables:
            yield ""
            yield from _table_lines(table, unit)
            yield from _step_lines(self.steps.get(table.name, ()))


def plan_release(release: LoadedRelease) -> ReleasePlan:
    """Works out a release. Reads the files of public keys and of baselines, and no input.

    Raises:
        ConfigError: The tables or the budget cannot be used.
    """
    tables = release_tables(release)
    plans = plan_release_tables(release, tables)
    return ReleasePlan(release.spec, plans, release_steps(release, plans))


def _table_to_dict(table: TablePlan, steps: Sequence[Step]) -> dict[str, Any]:
    return {
        "keys": list(table.keys),
        "max_partitions_contributed": table.bounds.max_partitions_contributed,
        "max_contributions_per_partition": table.bounds.max_contributions_per_partition,
        "public_partitions": None if table.public_keys is None else table.public_keys.height,
        "mechanisms": {name: mechanism.to_dict() for name, mechanism in table.mechanisms.items()},
        "metrics": {
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
            for metric in table.metrics
        },
        "post_processing": [{**step.to_dict(), "effect": str(step)} for step in steps],
    }


def _step_lines(steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        yield "  post-processing, free:"
        yield from (f"    {step}" for step in steps)


def _table_lines(table: TablePlan, unit: str) -> Iterator[str]:
    bounds = table.bounds
    yield f"table {table.name} by {', '.join(table.keys)}"
    yield (
        f"  bounds: {bounds.max_partitions_contributed} partitions per {unit}, "
        f"{bounds.max_contributions_per_partition} rows of one {unit} in each"
    )
    if table.public_keys is not None:
        yield f"  partitions: {table.public_keys.height} public ones, all released"
    rows = [("", "mechanism", "epsilon", "delta", "noise std", "95 % interval")]
    if table.selection is not None:
        threshold = selection_threshold(table.selection)
        yield f"  partitions: released more often than not from {threshold:.1f} privacy units"
        rows.append(_row(SELECTION, table.selection.strategy, table.selection))
    for metric in table.metrics:
        for noise in metric.noises:
            name = metric.name + noise.component.suffix
            kind = f"{noise.mechanism.noise} {metric.metric.description}"
            error = (f"{noise.std:.4g}", f"+-{noise.half_width_95:.4g}")
            rows.append(_row(name, kind, noise.mechanism, error))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _row(
    name: str, kind: str, mechanism: Any, error: tuple[str, str] = ("", "")
) -> tuple[str, str, str, str, str, str]:
    return (name, kind, f"{mechanism.epsilon:.4g}", f"{mechanism.delta:.3g}", *error)
