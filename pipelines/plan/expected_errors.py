"""How good a release will be in partitions of given sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.plan.release_plan import ReleasePlan
from transforms.expected_error import (
    ExpectedError,
    expected_error,
    is_plain,
    ratio_error,
    ten_percent_from,
)
from transforms.metrics import Count, PrivacyUnitCount
from transforms.noise import release_probability
from transforms.plan import MetricPlan, TablePlan
from transforms.postprocess import Ratio


@dataclass(frozen=True)
class MetricErrors:
    """The errors of one metric.

    Attributes:
        metric: Its name.
        ten_percent_from: Number whose 95 % interval is plus or minus a tenth of it; None for
            metrics that are not a number plus one draw of noise.
        expected: Error in the partition that `expect` describes; None where it does not tell.
        at: Error at each of the sizes asked for, in their order; None where a size does not tell.
    """

    metric: str
    ten_percent_from: float | None
    expected: ExpectedError | None
    at: tuple[ExpectedError | None, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns the errors as JSON values."""
        return {
            "ten_percent_from": self.ten_percent_from,
            "expected": _to_dict(self.expected),
            "at": [_to_dict(error) for error in self.at],
        }


@dataclass(frozen=True)
class TableErrors:
    """The errors of a table.

    Attributes:
        table: Its name.
        metrics: Errors of its metrics, ratios included.
        released: Probability that the partition of `expect` is released; None where every partition
            is, or where `expect` does not say its number of privacy units.
    """

    table: str
    metrics: tuple[MetricErrors, ...]
    released: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the errors as JSON values."""
        return {
            "metrics": {errors.metric: errors.to_dict() for errors in self.metrics},
            "release_probability": self.released,
        }


def table_errors(plan: ReleasePlan, table: TablePlan, sizes: Sequence[float] = ()) -> TableErrors:
    """Returns how good a table will be.

    Args:
        plan: The release.
        table: One of its tables.
        sizes: Numbers that every metric is taken to have, each in its own unit; of means and
            variances the number of rows.
    """
    expect = plan.spec.placed(table.name).spec.expect
    metrics = [_metric_errors(table, metric, expect, sizes) for metric in table.metrics]
    ratios = _ratio_errors(table, plan.steps.get(table.name, ()), expect, len(sizes))
    return TableErrors(table.name, (*metrics, *ratios), _released(table, expect))


def _metric_errors(
    table: TablePlan, metric: MetricPlan, expect: dict[str, float], sizes: Sequence[float]
) -> MetricErrors:
    plain = is_plain(metric.metric)
    number = expect.get(metric.name) if plain else _expected_rows(table, expect)
    return MetricErrors(
        metric.name,
        ten_percent_from(metric) if plain else None,
        None if number is None else expected_error(metric, number),
        tuple(expected_error(metric, size) for size in sizes),
    )


def _ratio_errors(
    table: TablePlan, steps: Sequence[object], expect: dict[str, float], sizes: int
) -> Iterator[MetricErrors]:
    metrics = {metric.name: metric for metric in table.metrics}
    for step in steps:
        if isinstance(step, Ratio) and {step.numerator, step.denominator} <= expect.keys():
            above, below = metrics[step.numerator], metrics[step.denominator]
            at = expect[step.numerator], expect[step.denominator]
            yield MetricErrors(step.name, None, ratio_error(above, below, at), (None,) * sizes)


def _expected_rows(table: TablePlan, expect: dict[str, float]) -> float | None:
    counts = (m.name for m in table.metrics if isinstance(m.metric, Count) and m.name in expect)
    name = next(counts, None)
    return None if name is None else expect[name]


def _released(table: TablePlan, expect: dict[str, float]) -> float | None:
    counted = Count if table.guarantee.bounding == "row" else PrivacyUnitCount
    for metric in table.metrics:
        if isinstance(metric.metric, counted) and metric.name in expect and table.selection:
            return release_probability(table.selection, int(expect[metric.name]))
    return None


def _to_dict(error: ExpectedError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "at": error.at,
        "mean_absolute": error.error,
        "relative": error.relative,
        "against": error.against,
    }
