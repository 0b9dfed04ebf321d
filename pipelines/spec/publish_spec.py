"""Post-processing in a release YAML: metrics made of released ones, and the `publish` of a table.

All of it works on noisy values, so none of it has bounds or a share of the budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.fields import Model, Name, Number, OneOrMore, Text, WholeNumber, wrong_kind
from transforms.postprocess import Round, Suppress, Top
from transforms.table import released_columns


def _two_names(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2:
        return value
    raise wrong_kind("a list of two metrics, [numerator, denominator]")


class RatioSpec(Model):
    """Ratio of two metrics of the table, made of their noisy values."""

    ratio: Annotated[tuple[Name, Name], BeforeValidator(_two_names)]
    """Numerator and denominator: two counts or sums of the table."""


class PercentChangeSpec(Model):
    """Percent change of a metric since an earlier release, made of the noisy values of both."""

    percent_change: Name
    """The count or sum of the table that is compared."""
    against: Text
    """A csv or parquet file of the earlier release, which is public: the key columns, the metric
    and its _std."""


def _suppress(limits: dict[str, float]) -> dict[str, float]:
    Suppress(limits)
    return limits


def _top(ranking: dict[str, int]) -> dict[str, int]:
    if len(ranking) != 1:
        raise ValueError(f"names {', '.join(ranking) or 'no metric'}; allowed: one metric")
    Top(*next(iter(ranking.items())))
    return ranking


def _round(multiples: dict[str, float]) -> dict[str, float]:
    Round(multiples)
    return multiples


_AboveZero = Annotated[Number, Field(json_schema_extra={"exclusiveMinimum": 0})]
_OneOrMore = Annotated[WholeNumber, Field(json_schema_extra={"minimum": 1})]


class PublishSpec(Model):
    """What is done with noisy values before they are published, in the order of these keys."""

    suppress: Annotated[dict[Name, _AboveZero], AfterValidator(_suppress)] = Field(default={})
    """Metrics that are emptied in rows where their std is more than this part of the value."""
    minimum: dict[Name, Number] = Field(default={})
    """Rows with a smaller noisy value of a metric are dropped."""
    top: (
        Annotated[
            dict[Name, _OneOrMore],
            AfterValidator(_top),
            Field(json_schema_extra={"minProperties": 1, "maxProperties": 1}),
        ]
        | None
    ) = None
    """Only so many rows with the largest noisy values of one metric are kept. Default: all."""
    clamp_at_zero: OneOrMore | None = None
    """Counts and sums whose negative values become 0, which raises small ones on average. Default:
    none."""
    round: Annotated[dict[Name, _AboveZero], AfterValidator(_round)] = Field(default={})
    """Metrics that are rounded to multiples of a number."""


def derived_problems(
    derived: Mapping[str, RatioSpec | PercentChangeSpec],
    metrics: Collection[str],
    additive: Collection[str],
    keys: Collection[str],
) -> Iterator[tuple[KeyPath, str]]:
    """Yields what is wrong with the metrics of a table that are made of released ones.

    Args:
        derived: These metrics.
        metrics: All metrics of the table.
        additive: Metrics that are a value plus one draw of noise, each of its own.
        keys: Key columns of the table.

    Yields:
        Place inside the table, and message.
    """
    for name, metric in derived.items():
        path: KeyPath = ("metrics", name)
        parts: list[tuple[KeyPath, str]]
        if isinstance(metric, RatioSpec):
            parts = [((*path, "ratio", i), part) for i, part in enumerate(metric.ratio)]
            if metric.ratio[0] == metric.ratio[1]:
                yield (*path, "ratio"), "has the same metric twice; allowed: two metrics"
        else:
            parts = [((*path, "percent_change"), metric.percent_change)]
        for place, part in parts:
            if part not in metrics:
                yield place, _no_metric(part, additive)
            elif part not in additive:
                yield (
                    place,
                    f"{part!r} is no count or sum; allowed: {', '.join(additive) or 'none here'}",
                )
        others = {c for other in metrics if other != name for c in released_columns(other)}
        repeated = sorted({*keys, *others}.intersection(released_columns(name)))
        if repeated:
            yield path, f"{', '.join(repeated)} names more than one column of the table"


def publish_problems(
    publish: PublishSpec, metrics: Collection[str], never_negative: Collection[str]
) -> Iterator[tuple[KeyPath, str]]:
    """Yields what is wrong with the `publish` of a table.

    Args:
        publish: What the config says.
        metrics: All metrics of the table.
        never_negative: Counts and sums that are 0 or more before noise.

    Yields:
        Place inside the table, and message.
    """
    by_metric: dict[str, Mapping[str, float]] = {
        "suppress": publish.suppress,
        "minimum": publish.minimum,
        "top": publish.top or {},
        "round": publish.round,
    }
    for key, settings in by_metric.items():
        for metric in settings:
            if metric not in metrics:
                yield ("publish", key, metric), _no_metric(metric, metrics)
    for index, metric in enumerate(publish.clamp_at_zero or ()):
        place = ("publish", "clamp_at_zero", index)
        if metric not in metrics:
            yield place, _no_metric(metric, metrics)
        elif metric not in never_negative:
            yield (
                place,
                f"{metric!r} may be negative before noise, or is no count or sum; "
                f"allowed: {', '.join(never_negative) or 'none here'}",
            )


def _no_metric(name: str, allowed: Collection[str]) -> str:
    return (
        f"the table has no metric {name!r}; allowed: {', '.join(allowed) or 'none here'}"
        f"{did_you_mean(name, allowed)}"
    )
