"""The columns of a published table: what each holds, its unit and its error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.consistency import Consistency
from pipelines.publication.stated import StatedTable
from pipelines.publication.table_files import field_of
from pipelines.spec import CONSISTENT
from transforms.metrics import (
    Count,
    DistinctCount,
    Mean,
    Metric,
    PrivacyUnitCount,
    Quantiles,
    Sum,
    Variance,
    VectorSum,
)
from transforms.metrics.base import Noise
from transforms.plan import MetricPlan
from transforms.postprocess import PercentChange, Ratio
from transforms.table import released_columns

PLAIN = (Count, PrivacyUnitCount, DistinctCount, Sum, VectorSum)
"""Metrics whose released numbers are a number plus one draw of noise."""

_STATISTICS = ("value", "std", "low", "high")


@dataclass(frozen=True)
class ReleasedColumns:
    """A released value with its error: four columns of a table.

    Attributes:
        name: The column of the value.
        metric: Metric of the table that it comes from.
        description: What it is.
        unit: Its unit.
        noise: The one draw that it has beside the value before noise; None for any other.
    """

    name: str
    metric: str
    description: str
    unit: str
    noise: Noise | None = None


def released(
    table: StatedTable, columns: Mapping[str, str], unit: str
) -> Iterator[ReleasedColumns]:
    """Yields what a table has beside its keys, in order.

    Args:
        table: The table.
        columns: What columns of the input hold, by name.
        unit: The privacy unit in a word.
    """
    units = {}
    for metric in table.plan.metrics:
        measured = _unit(metric.metric, columns, unit)
        units[metric.name] = measured
        for index, name in enumerate(metric.released):
            description = _description(metric.metric, index, columns)
            yield ReleasedColumns(name, metric.name, description, measured, _noise(metric))
    for step in table.steps:
        match step:
            case Consistency():
                for name in step.metrics:
                    what = f"{name}, adjusted so that levels add up"
                    yield ReleasedColumns(name + CONSISTENT, name, what, units[name])
            case Ratio():
                what = f"{step.numerator} / {step.denominator}"
                measured = f"{units[step.numerator]} per {units[step.denominator]}"
                units[step.name] = measured
                yield ReleasedColumns(step.name, step.name, what, measured)
            case PercentChange():
                what = f"change of {step.metric} against {step.against}"
                units[step.name] = "percent"
                yield ReleasedColumns(step.name, step.name, what, "percent")


def column_names(table: StatedTable) -> list[str]:
    """Returns the columns of a table, keys first, in order."""
    values = (released_columns(of.name) for of in released(table, {}, ""))
    return [*table.plan.keys, *(name for names in values for name in names)]


def table_fields(
    table: StatedTable, schema: pl.Schema, columns: Mapping[str, str], unit: str
) -> list[dict[str, Any]]:
    """Returns the fields of a Frictionless table schema.

    Args:
        table: The table.
        schema: Types of the columns as published.
        columns: What columns of the input hold, by name, as the publisher says.
        unit: The privacy unit in a word.

    Raises:
        ValueError: The columns of the table are others.
    """
    expected = column_names(table)
    if list(schema) != expected:
        raise ValueError(f"the columns are {', '.join(schema)}; allowed: {', '.join(expected)}")
    fields: list[dict[str, Any]] = [
        {
            **field_of(key, schema[key]),
            "description": columns.get(key, f"Key: {key} of the input"),
            "statistic": "key",
        }
        for key in table.plan.keys
    ]
    for of in released(table, columns, unit):
        for name, statistic in zip(released_columns(of.name), _STATISTICS, strict=True):
            fields.append(
                {
                    **field_of(name, schema[name]),
                    "description": _of_statistic(statistic, of),
                    "unit": of.unit,
                    "statistic": statistic,
                    "metric": of.metric,
                    **(_noise_of(of) if statistic == "value" else {}),
                }
            )
    return fields


def _noise_of(of: ReleasedColumns) -> dict[str, Any]:
    if of.noise is None:
        return {}
    return {
        "noise": {
            "distribution": of.noise.mechanism.noise,
            "std": of.noise.std,
            "half_width_95": of.noise.half_width_95,
            "granularity": str(of.noise.component.granularity),
        }
    }


def _of_statistic(statistic: str, of: ReleasedColumns) -> str:
    return {
        "value": f"{of.description[:1].upper()}{of.description[1:]}, with noise",
        "std": f"Standard deviation of the noise of {of.name}",
        "low": f"Lower end of the 95 % interval of {of.name} before noise",
        "high": f"Upper end of the 95 % interval of {of.name} before noise",
    }[statistic]


def _noise(metric: MetricPlan) -> Noise | None:
    return metric.noises[0] if isinstance(metric.metric, PLAIN) else None


def _unit(metric: Metric, columns: Mapping[str, str], unit: str) -> str:
    match metric:
        case Count():
            return "rows"
        case PrivacyUnitCount():
            return f"privacy units ({unit})"
        case DistinctCount(column=column):
            return f"different values of {column}"
        case Variance(column=column):
            return f"square of the unit of {_named(column, columns)}"
        case Sum(column=column) | Mean(column=column) | Quantiles(column=column):
            return f"unit of {_named(column, columns)}"
        case VectorSum(columns=names):
            return f"unit of {', '.join(_named(name, columns) for name in names)}"
        case _:
            raise ValueError(f"{metric!r} has no unit")


def _named(column: str, columns: Mapping[str, str]) -> str:
    return f"{column} ({columns[column]})" if column in columns else column


def _description(metric: Metric, index: int, columns: Mapping[str, str]) -> str:
    match metric:
        case Count():
            return "number of rows"
        case PrivacyUnitCount():
            return "number of different privacy units"
        case DistinctCount(column=column):
            return f"number of different values of {_named(column, columns)}"
        case VectorSum(columns=names):
            return f"sum of {_named(names[index], columns)}"
        case Quantiles(column=column, ranks=ranks):
            return f"quantile {ranks[index]:g} of {_named(column, columns)}"
        case Variance(column=column):
            return f"variance of {_named(column, columns)}"
        case Mean(column=column):
            return f"mean of {_named(column, columns)}"
        case Sum(column=column):
            return f"sum of {_named(column, columns)}"
        case _:
            raise ValueError(f"{metric!r} has no description")
