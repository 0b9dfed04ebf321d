"""The plan that a plan file states, as objects again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import polars as pl

from pipelines.consistency import Consistency
from pipelines.plan.guarantee import GuaranteeText
from pipelines.spec import PrivacySpec
from transforms import metrics as kinds
from transforms.accounting import Loss
from transforms.bounds import Bounds
from transforms.mechanisms import (
    AdditiveMechanism,
    GeometricSelection,
    SelectionMechanism,
    ThresholdSelection,
)
from transforms.metrics import Metric
from transforms.metrics.base import Noise
from transforms.plan import MetricPlan, TablePlan
from transforms.postprocess import (
    ClampAtZero,
    Minimum,
    PercentChange,
    Ratio,
    Round,
    Step,
    Suppress,
    Top,
)
from transforms.table import OTHER, SELECTION
from transforms.threshold_selection import unit_noise

_METRICS: Mapping[str, type[Metric]] = {
    "count": kinds.Count,
    "privacy_unit_count": kinds.PrivacyUnitCount,
    "distinct_count": kinds.DistinctCount,
    "sum": kinds.Sum,
    "vector_sum": kinds.VectorSum,
    "mean": kinds.Mean,
    "variance": kinds.Variance,
    "quantiles": kinds.Quantiles,
}


@dataclass(frozen=True)
class StatedTable:
    """One table of a plan file.

    Attributes:
        plan: The table with its mechanisms; public keys are only known by their digest.
        steps: What was done with it before publication. Rows of a baseline are not known.
        level_of: The table of the config that it is a level of; None for none.
        partitions: Number of public partitions; None with private selection.
        values: The table as it stands in the file.
    """

    plan: TablePlan
    steps: tuple[Step | Consistency, ...]
    level_of: str | None
    partitions: int | None
    values: Mapping[str, Any]


@dataclass(frozen=True)
class StatedPlan:
    """A plan file as objects.

    Attributes:
        values: The plan as it stands in the file.
        privacy: What is protected, and the budget.
        tables: Its tables.
    """

    values: Mapping[str, Any]
    privacy: PrivacySpec
    tables: tuple[StatedTable, ...]

    @property
    def losses(self) -> list[Loss]:
        """The losses of all mechanisms."""
        return [
            loss
            for table in self.tables
            for mechanism in table.plan.mechanisms.values()
            for loss in mechanism.losses
        ]

    @property
    def guarantee(self) -> GuaranteeText:
        """The guarantee in words."""
        keys = dict.fromkeys(key for table in self.tables for key in table.plan.keys)
        selects = any(table.plan.selection is not None for table in self.tables)
        return GuaranteeText(self.privacy, list(keys), selects)


def stated_plan(plan: Mapping[str, Any]) -> StatedPlan:
    """Returns what a plan as JSON values stands for.

    Args:
        plan: The `plan` of a plan file (`pipelines.plan.json_values`).

    Raises:
        ValueError: It stands for no plan.
    """
    try:
        guarantee = plan["guarantee"]
        budget = {name: plan[name] for name in ("epsilon", "rho", "delta") if name in plan}
        unit = {"unit": list(guarantee["privacy_unit"])} if guarantee["privacy_unit"] else {}
        privacy = PrivacySpec.model_validate(
            {
                "adjacency": guarantee["adjacency"],
                "bounding": guarantee["bounding"],
                **unit,
                **budget,
            }
        )
        tables = tuple(
            _table(name, values, plan["tables"], privacy) for name, values in plan["tables"].items()
        )
    except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"it is no plan: {type(error).__name__} {error}") from None
    if not tables:
        raise ValueError("it is no plan: it has no tables")
    for name in ("columns", "types", "files"):
        check_texts(plan.get(name), name)
    names = ("release", "dataset")
    if not all(isinstance(plan.get(name), str) for name in names):
        raise ValueError(f"it is no plan: {' and '.join(names)} are names")
    if not all(isinstance(plan.get(name), str | None) for name in ("where", "row_restriction")):
        raise ValueError("it is no plan: where and row_restriction are expressions or null")
    return StatedPlan(plan, privacy, tables)


def check_texts(value: Any, name: str) -> None:
    """Raises a ValueError when JSON values are no mapping of text to text."""
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError(f"{name} is no mapping of text to text")


def mechanism_of(value: Mapping[str, Any]) -> AdditiveMechanism | SelectionMechanism:
    """Returns the mechanism that JSON values stand for (`transforms.mechanisms`).

    Raises:
        ValueError: They stand for none, or a number is outside its range.
        KeyError: A value is missing.
    """
    match value["kind"]:
        case "laplace" | "gaussian":
            return AdditiveMechanism(**_fields(AdditiveMechanism, value))
        case "truncated_geometric_selection":
            return GeometricSelection(**_fields(GeometricSelection, value))
        case "laplace_selection" | "gaussian_selection" | "weighted_gaussian_selection":
            noise = AdditiveMechanism(**_fields(AdditiveMechanism, value["noise"]))
            return ThresholdSelection(**{**_fields(ThresholdSelection, value), "noise": noise})
        case kind:
            raise ValueError(f"{kind!r} is no mechanism")


def _fields(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: value[field.name] for field in fields(kind) if field.name in value}


def _table(
    name: str, value: Mapping[str, Any], tables: Mapping[str, Any], privacy: PrivacySpec
) -> StatedTable:
    mechanisms = {key: mechanism_of(one) for key, one in value["mechanisms"].items()}
    selection: Any = mechanisms.get(SELECTION)
    noisy_count = value["compared_and_released"]
    metrics = []
    for metric, stated in value["metrics"].items():
        if metric == noisy_count:
            mechanisms[metric] = unit_noise(selection)
        metrics.append(_metric(metric, stated, mechanisms, ""))
    other = value.get("other", {})
    plan = TablePlan(
        name,
        tuple(value["keys"]),
        Bounds(**value["bounds"]),
        tuple(metrics),
        selection,
        None,
        privacy.guarantee(),
        tuple(_metric(metric, stated, mechanisms, f"{OTHER}:") for metric, stated in other.items()),
        noisy_count,
    )
    steps = tuple(_step(step, plan, tables) for step in value["post_processing"])
    partitions = value["public_partitions"]
    return StatedTable(plan, steps, value.get("level_of"), partitions, value)


def _metric(
    name: str, value: Mapping[str, Any], mechanisms: Mapping[str, Any], prefix: str
) -> MetricPlan:
    metric = _METRICS[value["metric"].split(" of ")[0]](
        **{key: _parameter(key, one) for key, one in value["parameters"].items()}
    )
    noises = (
        Noise(component, mechanisms[prefix + name + component.suffix])
        for component in metric.components
    )
    return MetricPlan(name, metric, tuple(noises))


def _parameter(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return Decimal(value) if name == "granularity" and isinstance(value, str) else value


def _step(
    step: Mapping[str, Any], table: TablePlan, tables: Mapping[str, Any]
) -> Step | Consistency:
    match step["step"]:
        case "ratio":
            numerator, denominator = step["of"]
            return Ratio(step["metric"], numerator, denominator, table.noise)
        case "percent_change":
            return PercentChange(step["metric"], step["of"], step["against"], pl.DataFrame())
        case "suppress":
            return Suppress(step["relative_errors"])
        case "minimum":
            return Minimum(step["least"])
        case "top":
            return Top(step["metric"], step["k"])
        case "clamp_at_zero":
            return ClampAtZero(step["bias_at_zero"])
        case "round":
            return Round(step["multiples"])
        case "consistent":
            levels = tuple(step["levels"])
            noises = {
                one["kind"] for level in levels for one in tables[level]["mechanisms"].values()
            }
            noise: Any = noises.pop() if len(noises) == 1 else "laplace"
            return Consistency(levels, tuple(step["metrics"]), noise)
        case other:
            raise ValueError(f"{other!r} is no step of post-processing")
