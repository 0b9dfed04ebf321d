"""The plan of a release, from no row: what it costs and how good it will be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.spec import (
    LoadedRelease,
    ReleaseSpec,
    plan_release_tables,
    release_preparation,
    release_tables,
)
from transforms.metrics import Count, PrivacyUnitCount, Sum
from transforms.noise import half_width_95, selection_threshold
from transforms.plan import MetricPlan, TablePlan
from transforms.table import SELECTION

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation


@dataclass(frozen=True)
class ReleasePlan:
    """A release with all its mechanisms.

    Attributes:
        spec: The config.
        tables: The tables with their mechanisms, in the order of the config.
        preparation: Filters and derived columns of the input; None if there are none.
    """

    spec: ReleaseSpec
    tables: tuple[TablePlan, ...]
    preparation: Preparation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the plan as JSON values, complete enough to price it again."""
        privacy = self.spec.privacy
        return {
            "schema_version": 1,
            "release": self.spec.release,
            "dataset": self.spec.dataset,
            "where": self.spec.input.where,
            "columns": self.spec.input.columns,
            "privacy_unit": list(privacy.unit),
            "adjacency": "add_remove",
            "epsilon": privacy.epsilon,
            "delta": privacy.delta,
            "composition": "simple",
            "tables": {table.name: _table_to_dict(table) for table in self.tables},
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
        if self.spec.input.where is not None:
            yield f"of rows where {self.spec.input.where}"
        for name, expression in self.spec.input.columns.items():
            yield f"with {name} = {expression}"
        for table in self.tables:
            yield ""
            yield from _table_lines(table, unit)


def plan_release(release: LoadedRelease) -> ReleasePlan:
    """Works out a release. Reads the files of public keys and lookups, and no input.

    Raises:
        ConfigError: An expression, the tables or the budget cannot be used.
    """
    preparation = release_preparation(release)
    tables = release_tables(release)
    return ReleasePlan(release.spec, plan_release_tables(release, tables), preparation)


def _table_to_dict(table: TablePlan) -> dict[str, Any]:
    return {
        "keys": list(table.keys),
        "max_partitions_contributed": table.bounds.max_partitions_contributed,
        "max_contributions_per_partition": table.bounds.max_contributions_per_partition,
        "public_partitions": None if table.public_keys is None else table.public_keys.height,
        "mechanisms": {name: mechanism.to_dict() for name, mechanism in table.mechanisms.items()},
        "metrics": {
            metric.name: {
                "metric": _kind(metric),
                "granularity": str(metric.granularity),
                "noise_std": metric.noise_std,
                "half_width_95": _half_width(metric),
            }
            for metric in table.metrics
        },
    }


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
        error = (f"{metric.noise_std:.4g}", f"+-{_half_width(metric):.4g}")
        rows.append(
            _row(metric.name, f"{metric.mechanism.noise} {_kind(metric)}", metric.mechanism, error)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _row(
    name: str, kind: str, mechanism: Any, error: tuple[str, str] = ("", "")
) -> tuple[str, str, str, str, str, str]:
    return (name, kind, f"{mechanism.epsilon:.4g}", f"{mechanism.delta:.3g}", *error)


def _kind(metric: MetricPlan) -> str:
    match metric.metric:
        case Count():
            return "count"
        case PrivacyUnitCount():
            return "privacy_unit_count"
        case Sum(column=column):
            return f"sum of {column}"


def _half_width(metric: MetricPlan) -> float:
    return half_width_95(metric.mechanism) * float(metric.granularity)
