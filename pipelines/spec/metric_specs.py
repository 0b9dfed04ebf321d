"""The metrics of a table, one model per kind.

The first key of a metric that names a kind says which model it is, so that what is wrong with it is
said about that kind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, Tag, model_validator

from pipelines.spec.columns import NamedColumn, Role
from pipelines.spec.errors import closest_word
from pipelines.spec.fields import Interval, Model, Number, Text, by_kind
from pipelines.spec.publish_spec import PercentChangeSpec, RatioSpec
from transforms.accumulators import Norm
from transforms.metrics import (
    DistinctCount,
    Mean,
    Metric,
    Quantiles,
    Sum,
    Variance,
    VectorSum,
)

MetricName = Literal["count", "privacy_unit_count"]
Granularity = Annotated[Number, Field(json_schema_extra={"exclusiveMinimum": 0})]
Rank = Annotated[Number, Field(json_schema_extra={"exclusiveMinimum": 0, "exclusiveMaximum": 1})]


class ColumnMetricSpec(Model):
    """A metric of one or more columns, which its first key names."""

    role: ClassVar[Role] = "value"

    @abstractmethod
    def metric(self) -> Metric:
        """Returns the metric for the engine."""

    def named_columns(self) -> Iterator[NamedColumn]:
        """Yields the columns, each with its place inside the metric."""
        kind = next(iter(type(self).model_fields))
        named: str | tuple[str, ...] = getattr(self, kind)
        if isinstance(named, str):
            yield NamedColumn((kind,), named, self.role)
            return
        for index, column in enumerate(named):
            yield NamedColumn((kind, index), column, self.role)

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.metric()
        return self


class SumSpec(
    ColumnMetricSpec,
    json_schema_extra={"oneOf": [{"required": ["clip"]}, {"required": ["clip_total"]}]},
):
    """Sum of a numeric column, with exactly one of clip and clip_total."""

    sum: Text
    """The numeric column."""
    clip: Interval | None = None
    """Smallest and largest value of one row, in the column's unit."""
    clip_total: Interval | None = None
    """Smallest and largest total of one privacy unit in one partition, in the column's unit."""
    granularity: Granularity | None = None
    """Step that values are rounded to, in the column's unit. Default: the power of ten at or below
    a thousandth of the clip."""

    def metric(self) -> Sum:
        """Returns the sum for the engine."""
        return Sum(self.sum, self.clip, self.clip_total, self.granularity)


class MeanSpec(ColumnMetricSpec):
    """Mean of a numeric column, over the rows that have a value."""

    mean: Text
    """The numeric column."""
    clip: Interval
    """Smallest and largest value of one row, in the column's unit; the mean lies between them."""
    granularity: Granularity | None = None
    """Step that values are rounded to, in the column's unit. Default: the power of ten at or below
    a thousandth of half the clip's width."""

    def metric(self) -> Mean:
        """Returns the mean for the engine."""
        return Mean(self.mean, self.clip, self.granularity)


class VarianceSpec(ColumnMetricSpec):
    """Variance of a numeric column, over the rows that have a value."""

    variance: Text
    """The numeric column."""
    clip: Interval
    """Smallest and largest value of one row, in the column's unit; the variance is at most the
    square of half the distance between them."""
    granularity: Granularity | None = None
    """Step that values are rounded to, in the column's unit. Default: the power of ten at or below
    a thousandth of half the clip's width."""

    def metric(self) -> Variance:
        """Returns the variance for the engine."""
        return Variance(self.variance, self.clip, self.granularity)


class QuantilesSpec(ColumnMetricSpec):
    """Quantiles of a numeric column, over the rows that have a value."""

    quantiles: Text
    """The numeric column."""
    ranks: Annotated[tuple[Rank, ...], Field(min_length=1)]
    """Which quantiles, each as the part of the rows below it: 0.5 is the median. Each is a released
    column: 0.5 of the metric `delay` is `delay_p50`."""
    clip: Interval
    """Smallest and largest value of one row, in the column's unit; quantiles lie between them."""
    granularity: Granularity | None = None
    """Step that values are rounded to, in the column's unit. Default: the power of ten at or below
    a thousandth of the clip's width."""

    def metric(self) -> Quantiles:
        """Returns the quantiles for the engine."""
        return Quantiles(self.quantiles, self.ranks, self.clip, self.granularity)


class DistinctCountSpec(ColumnMetricSpec):
    """Number of distinct values of a column."""

    role: ClassVar[Role] = "identity"

    distinct_count: Text
    """The column: text, numbers, dates or any other scalars; empty is no value."""

    def metric(self) -> DistinctCount:
        """Returns the count for the engine."""
        return DistinctCount(self.distinct_count)


class VectorSumSpec(ColumnMetricSpec):
    """Sum of vectors, one coordinate per column."""

    vector_sum: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The numeric columns. Each is a released column: dx of the metric `move` is `move_dx`."""
    max_norm: Annotated[Number, Field(json_schema_extra={"exclusiveMinimum": 0})]
    """Largest length of one row's vector, in the columns' unit; longer ones are shortened to it."""
    norm: Norm = "l2"
    """How length is measured: l1 adds up the absolute values, l2 is the Euclidean length, linf the
    largest absolute value."""
    granularity: Granularity | None = None
    """Step that coordinates are rounded to, in the columns' unit. Default: the power of ten at or
    below a thousandth of the norm."""

    def metric(self) -> VectorSum:
        """Returns the sum for the engine."""
        return VectorSum(self.vector_sum, self.max_norm, self.norm, self.granularity)


METRIC_MODELS: dict[str, type[Model]] = {
    "<sum>": SumSpec,
    "<mean>": MeanSpec,
    "<variance>": VarianceSpec,
    "<quantiles>": QuantilesSpec,
    "<distinct_count>": DistinctCountSpec,
    "<vector_sum>": VectorSumSpec,
    "<ratio>": RatioSpec,
    "<percent_change>": PercentChangeSpec,
}
"""The model of each kind of metric by its tag, which is the key that names the kind."""


def _metric_tag(value: Any) -> str | None:
    match value:
        case str():
            return "<name>"
        case Model():
            return next(tag for tag, model in METRIC_MODELS.items() if isinstance(value, model))
        case dict():
            kinds = {tag.strip("<>"): tag for tag in METRIC_MODELS}
            close = (closest_word(key, list(kinds)) for key in value)
            return next((kinds[key] for key in [*value, *close] if key in kinds), None)
        case _:
            return None


MetricSpec = Annotated[
    Annotated[MetricName, Tag("<name>")]
    | Annotated[SumSpec, Tag("<sum>")]
    | Annotated[MeanSpec, Tag("<mean>")]
    | Annotated[VarianceSpec, Tag("<variance>")]
    | Annotated[QuantilesSpec, Tag("<quantiles>")]
    | Annotated[DistinctCountSpec, Tag("<distinct_count>")]
    | Annotated[VectorSumSpec, Tag("<vector_sum>")]
    | Annotated[RatioSpec, Tag("<ratio>")]
    | Annotated[PercentChangeSpec, Tag("<percent_change>")],
    by_kind(
        _metric_tag,
        "count, privacy_unit_count, or a mapping with one of the keys "
        + ", ".join(tag.strip("<>") for tag in METRIC_MODELS),
    ),
]
