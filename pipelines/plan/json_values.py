"""The plan of a release as JSON values: all that decides what is released, and how safe it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from pipelines.consistency import Consistency
from pipelines.plan.guarantee import GuaranteeText
from pipelines.plan.price import price_to_dict
from pipelines.plan.release_plan import ReleasePlan
from transforms.key_digest import key_list_digest
from transforms.mechanisms import SelectionMechanism, ThresholdSelection
from transforms.metrics.base import Noise
from transforms.plan import MetricPlan, TablePlan
from transforms.postprocess import Step
from transforms.release_curve import selection_threshold, units_for_probability

PROBABILITIES = (0.05, 0.5, 0.95, 0.99)
"""Probabilities of release that a plan has the number of units for."""


def plan_to_dict(plan: ReleasePlan) -> dict[str, Any]:
    """Returns a plan as JSON values, complete enough to price it again.

    `pipelines.plan.hash` is made of it, so it holds nothing that leaves the release as it is: no
    time, folder, or expected size.
    """
    spec = plan.spec
    return {
        "schema_version": 1,
        "release": spec.release,
        "dataset": spec.dataset,
        "where": spec.input.where,
        **({"period": spec.period, "time": spec.input.time} if spec.period else {}),
        "row_restriction": spec.input.bigquery.row_restriction if spec.input.bigquery else None,
        "columns": spec.input.columns,
        "types": spec.input.types,
        "files": dict(plan.files),
        "guarantee": GuaranteeText.of(spec).to_dict(),
        spec.privacy.stated_as: spec.privacy.stated,
        "delta": spec.privacy.delta,
        "price": price_to_dict(plan.cost),
        "tables": {
            table.name: {**_level_of(plan, table), **table_to_dict(table, plan.steps_of(table))}
            for table in plan.tables
        },
    }


def bounds_to_dict(table: TablePlan) -> dict[str, int]:
    """Returns the bounds that are enforced."""
    if table.bounds.max_contributions is not None:
        return {"max_contributions": table.bounds.max_contributions}
    names = ("max_partitions_contributed", "max_contributions_per_partition")
    unused = table.guarantee.unused_bounds
    return {name: getattr(table.bounds, name) for name in names if name not in unused}


def sensitivity_to_dict(noise: Noise) -> dict[str, Any]:
    """Returns what neighbouring data sets change, in the unit of what is released.

    `norm` is the one that the noise is scaled to, and `size` the sensitivity in it.
    """
    mechanism, step = noise.mechanism, float(noise.component.granularity)
    norm = "l1" if mechanism.noise == "laplace" else "l2"
    return {
        "l0": mechanism.l0,
        "linf": mechanism.linf * step,
        "norm": norm,
        "size": getattr(mechanism, norm) * step,
    }


def _level_of(plan: ReleasePlan, table: TablePlan) -> dict[str, str]:
    placed = plan.spec.placed(table.name)
    return {} if placed.level is None else {"level_of": placed.table}


def table_to_dict(table: TablePlan, steps: Sequence[Step | Consistency]) -> dict[str, Any]:
    """Returns one table as JSON values.

    Args:
        table: The table.
        steps: What is done with it before publication.
    """
    keys = table.public_keys
    return {
        "keys": list(table.keys),
        "bounds": bounds_to_dict(table),
        "public_partitions": None if keys is None else keys.height,
        "public_sha256": None if keys is None else key_list_digest(keys),
        "selection": None if table.selection is None else _selection_to_dict(table.selection),
        "compared_and_released": table.noisy_count,
        "mechanisms": {name: mechanism.to_dict() for name, mechanism in table.mechanisms.items()},
        "metrics": _metrics_to_dict(table.metrics),
        **({"other": _metrics_to_dict(table.other)} if table.other else {}),
        "post_processing": [{**step.to_dict(), "effect": str(step)} for step in steps],
    }


def _selection_to_dict(selection: SelectionMechanism) -> dict[str, Any]:
    thresholded = isinstance(selection, ThresholdSelection)
    return {
        "strategy": selection.strategy,
        "threshold": selection_threshold(selection) if thresholded else None,
        "partitions_per_unit": selection.l0,
        "units_for_probability": {
            f"{probability:g}": units_for_probability(selection, probability)
            for probability in PROBABILITIES
        },
    }


def _metrics_to_dict(metrics: Sequence[MetricPlan]) -> dict[str, Any]:
    return {
        metric.name: {
            "metric": metric.metric.description,
            "parameters": _parameters(asdict(metric.metric)),  # type: ignore[call-overload]
            "columns": metric.released,
            "noise": {
                metric.name + noise.component.suffix: {
                    "granularity": str(noise.component.granularity),
                    "sensitivity": sensitivity_to_dict(noise),
                    "std": noise.std,
                    "half_width_95": noise.half_width_95,
                }
                for noise in metric.noises
            },
        }
        for metric in metrics
        if metric.noises
    }


def _parameters(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _json(value) for name, value in fields.items() if value is not None}


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return [_json(part) for part in value] if isinstance(value, tuple) else value
