"""The `tables` of a release YAML: keys, public keys, selection, bounds and metrics.

Ranges that the engine in `transforms` knows are checked by building its objects, so that each rule
is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import (
    BeforeValidator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipelines.spec.columns import NamedColumn
from pipelines.spec.errors import KeyPath
from pipelines.spec.fields import (
    KeyValue,
    Model,
    Name,
    Share,
    Text,
    WholeNumber,
    by_kind,
    refuse,
    wrong_kind,
)
from pipelines.spec.metric_specs import (
    METRIC_MODELS,
    ColumnMetricSpec,
    MetricName,
    MetricSpec,
    SumSpec,
)
from pipelines.spec.publish_spec import (
    PercentChangeSpec,
    PublishSpec,
    RatioSpec,
    derived_problems,
    publish_problems,
)
from transforms.bounds import Bounds
from transforms.mechanisms import NoiseKind, SelectionStrategy
from transforms.metrics import Count, Metric, PrivacyUnitCount
from transforms.table import SELECTION, PrivateSelection

UNION_TAGS = ("<name>", *METRIC_MODELS, "<file>", "<list>", "<mapping>")
"""Steps that pydantic puts into the place of an error inside a union."""


_L0_LINF = ("max_partitions_contributed", "max_contributions_per_partition")


class BoundsSpec(
    Model,
    json_schema_extra={
        "if": {"required": ["max_contributions"]},
        "then": {"not": {"anyOf": [{"required": [name]} for name in _L0_LINF]}},
    },
):
    """How much of one privacy unit counts in a table."""

    max_partitions_contributed: WholeNumber = Field(default=1, json_schema_extra={"minimum": 1})
    """Partitions that one privacy unit may touch (L0)."""
    max_contributions_per_partition: WholeNumber = Field(
        default=1, json_schema_extra={"minimum": 1}
    )
    """Rows of one privacy unit that count in one partition (Linf)."""
    max_contributions: WholeNumber | None = Field(default=None, json_schema_extra={"minimum": 1})
    """Rows of one privacy unit that count in the table, wherever they are (L1). Allowed only
    without the other two."""

    @field_validator("*")
    @classmethod
    def _in_range(cls, value: int, info: ValidationInfo) -> int:
        Bounds(**{str(info.field_name): value})
        return value

    @model_validator(mode="after")
    def _check(self) -> BoundsSpec:
        others = [name for name in _L0_LINF if name in self.model_fields_set]
        if "max_contributions" in self.model_fields_set and others:
            raise ValueError(
                f"max_contributions stands beside {' and '.join(others)}; allowed: "
                f"max_contributions alone, or {' with '.join(_L0_LINF)}"
            )
        return self

    def bounds(self) -> Bounds:
        """Returns the bounds for the engine."""
        return Bounds(
            self.max_partitions_contributed,
            self.max_contributions_per_partition,
            self.max_contributions,
        )


class SelectionSpec(Model):
    """Private selection of the partitions to release."""

    strategy: SelectionStrategy = "truncated_geometric"
    """How the choice is made."""
    pre_threshold: WholeNumber | None = Field(default=None, json_schema_extra={"minimum": 1})
    """Partitions with fewer privacy units are never released; not with weighted_gaussian. Default:
    no such rule."""

    @field_validator("pre_threshold")
    @classmethod
    def _in_range(cls, value: int) -> int:
        PrivateSelection(pre_threshold=value)
        return value

    @model_validator(mode="after")
    def _check(self) -> SelectionSpec:
        self.selection()
        return self

    def selection(self) -> PrivateSelection:
        """Returns the private selection for the engine."""
        return PrivateSelection(self.strategy, self.pre_threshold)


def _strategy_alone(value: Any) -> Any:
    if isinstance(value, str):
        return {"strategy": value}
    if isinstance(value, dict):
        return value
    raise wrong_kind(f"{', '.join(get_args(SelectionStrategy))}, or a mapping with strategy")


def _public_kind(value: Any) -> str | None:
    match value:
        case str():
            return "<file>"
        case list() | tuple():
            return "<list>"
        case dict():
            return "<mapping>"
        case _:
            return None


Selection = Annotated[
    SelectionSpec,
    BeforeValidator(_strategy_alone, json_schema_input_type=SelectionStrategy | SelectionSpec),
]
KeyFile = Annotated[Text, Tag("<file>")]
KeyList = Annotated[
    KeyFile | Annotated[tuple[KeyValue, ...], Tag("<list>")],
    by_kind(_public_kind, "a list of values, or a file with a column of that name"),
]
PublicSpec = Annotated[
    KeyFile
    | Annotated[tuple[dict[Text, KeyValue], ...], Tag("<list>")]
    | Annotated[dict[Text, KeyList], Tag("<mapping>")],
    by_kind(_public_kind, "a file, a list of mappings, or a mapping of keys to lists or files"),
]


class TableSpec(
    Model,
    json_schema_extra={
        "if": {"required": ["public"]},
        "then": {"required": ["metrics"], "properties": {"metrics": {"minProperties": 1}}},
    },
):
    """One group-by of the release."""

    keys: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Key columns; one combination of their values is a partition. Default: the keys of the
    mapping in public."""
    public: PublicSpec | None = None
    """The partitions, where they are known in advance: a csv or parquet file with the key columns,
    a list of mappings, or one list or file per key, of which every combination is a partition.
    Default: private selection."""
    selection: Selection | None = None
    """How partitions are chosen where they are not public. Default: truncated_geometric."""
    bounds: BoundsSpec = Field(default_factory=BoundsSpec)
    """How much of one privacy unit counts. Default: one row in one partition."""
    metrics: dict[Name, MetricSpec] = Field(default={})
    """Released columns by name, and what each measures. Default: none, with private selection: only
    which partitions there are is released."""
    noise: NoiseKind = "laplace"
    """Distribution of the noise on the metrics."""
    share: Share = 1.0
    """Part of the budget, against the other tables."""
    shares: dict[Name, Share] = Field(default={})
    """Parts of the table's budget by metric, and for `selection`. Default: 1 each."""
    publish: PublishSpec = Field(default_factory=PublishSpec)
    """What is done with the noisy values before they are published; it costs nothing."""

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The keys, as given or by the mapping in public."""
        if self.keys is not None:
            return self.keys
        return tuple(self.public) if isinstance(self.public, dict) else ()

    def named_columns(self) -> Iterator[NamedColumn]:
        """Yields the columns of keys and of metrics, each with its place inside the table."""
        for index, key in enumerate(self.key_columns):
            path: KeyPath = ("public", key) if self.keys is None else ("keys", index)
            yield NamedColumn(path, key, "identity")
        for name, metric in self.metrics.items():
            if isinstance(metric, ColumnMetricSpec):
                yield from (named.inside("metrics", name) for named in metric.named_columns())

    def engine_metrics(self) -> dict[str, Metric]:
        """Returns the metrics for the engine: all but those that are made of released ones."""
        metrics: dict[str, Metric] = {}
        for name, metric in self.metrics.items():
            match metric:
                case "count":
                    metrics[name] = Count()
                case "privacy_unit_count":
                    metrics[name] = PrivacyUnitCount()
                case ColumnMetricSpec():
                    metrics[name] = metric.metric()
                case RatioSpec() | PercentChangeSpec():
                    pass
        return metrics

    def derived_metrics(self) -> dict[str, RatioSpec | PercentChangeSpec]:
        """Returns the metrics that are made of released ones, after noise."""
        return {
            name: metric
            for name, metric in self.metrics.items()
            if isinstance(metric, RatioSpec | PercentChangeSpec)
        }

    @model_validator(mode="after")
    def _check(self) -> TableSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[KeyPath, str]]:
        if not self.key_columns:
            yield (), "the key 'keys' is missing; it may be left out where public is a mapping"
        if self.selection is not None and self.public is not None:
            yield ("selection",), "the partitions are public; allowed: only one of the two"
        if self.public is not None and not self.metrics:
            yield (
                ("metrics",),
                "the table has no metrics; it may have none with private selection, to release "
                "only which partitions there are",
            )
        if SELECTION in self.metrics:
            yield (
                ("metrics", SELECTION),
                "the name stands for the private selection in shares; allowed: any other name",
            )
        additive, never_negative = self._additive(), self._never_negative()
        yield from derived_problems(
            self.derived_metrics(), self.metrics, additive, self.key_columns
        )
        yield from publish_problems(self.publish, self.metrics, never_negative)

    def _additive(self) -> list[str]:
        """Returns the metrics that are a value plus one draw of noise."""
        return [
            name
            for name, metric in self.metrics.items()
            if metric in get_args(MetricName) or isinstance(metric, SumSpec)
        ]

    def _never_negative(self) -> list[str]:
        """Returns those of the additive metrics that are 0 or more before noise."""
        sums = {name: spec for name, spec in self.metrics.items() if isinstance(spec, SumSpec)}
        below_zero = {name for name, spec in sums.items() if spec.metric().interval[0] < 0}
        return [name for name in self._additive() if name not in below_zero]
