"""One table of a release YAML: keys or levels, partitions, bounds, metrics and publication.

Ranges that the engine in `transforms` knows are checked by building its objects, so that each rule
is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, get_args

from pydantic import (
    Field,
    model_validator,
)

from pipelines.spec.columns import NamedColumn
from pipelines.spec.date_ranges import DateRangeSpec
from pipelines.spec.errors import KeyPath
from pipelines.spec.expect_spec import ExpectSpec, expect_problems
from pipelines.spec.fields import (
    Model,
    Name,
    Share,
    SharesSpec,
    refuse,
    refused,
)
from pipelines.spec.level_problems import level_problems
from pipelines.spec.level_spec import KeyNames, Level, LevelSpec
from pipelines.spec.metric_specs import (
    METRIC_MODELS,
    ColumnMetricSpec,
    MetricName,
    MetricSpec,
    SumSpec,
)
from pipelines.spec.partition_specs import BoundsSpec, PublicSpec, Selection
from pipelines.spec.placed_tables import placed_tables
from pipelines.spec.publish_spec import (
    PercentChangeSpec,
    PublishSpec,
    RatioSpec,
    derived_problems,
    publish_problems,
)
from transforms.expected_error import is_plain
from transforms.mechanisms import AUTO, NoiseChoice
from transforms.metrics import Count, Metric, PrivacyUnitCount
from transforms.table import check_metric_name, check_other

TAGGED_MODELS: dict[str, type[Model]] = {
    **METRIC_MODELS,
    "<dates>": DateRangeSpec,
    "<level>": LevelSpec,
}
"""The models inside unions, by their tags."""

UNION_TAGS = ("<name>", *TAGGED_MODELS, "<file>", "<list>", "<mapping>", "<keys>", "<auto>")
"""Steps that pydantic puts into the place of an error inside a union."""


class TableSpec(
    Model,
    json_schema_extra={
        "if": {"required": ["public"]},
        "then": {"required": ["metrics"], "properties": {"metrics": {"minProperties": 1}}},
    },
):
    """One group-by of the release."""

    keys: KeyNames | None = None
    """Key columns; one combination of their values is a partition. Default: the keys of the
    mapping in public."""
    levels: Annotated[tuple[Level, ...], Field(min_length=1)] | None = None
    """Several key sets instead of keys: one table for each of them, from one definition."""
    consistent: bool = False
    """Whether counts and sums are released a second time, adjusted so that each level adds up to
    the one before; with levels that are nested and have public keys."""
    public: PublicSpec | None = None
    """The partitions, where they are known in advance: a csv or parquet file with the key columns,
    a list of mappings, or one list, file or range of dates per key, of which every combination is a
    partition. Default: private selection."""
    selection: Selection | None = None
    """How partitions are chosen where they are not public. Default: auto."""
    other: bool = False
    """Whether all that is not selected is released as one more row, whose keys are empty. Its
    privacy units are not counted."""
    bounds: BoundsSpec = Field(default_factory=BoundsSpec)
    """How much of one privacy unit counts. Default: one row in one partition."""
    metrics: dict[Name, MetricSpec] = Field(default={})
    """Released columns by name, and what each measures. Default: none, with private selection: only
    which partitions there are is released."""
    noise: NoiseChoice = AUTO
    """Distribution of the noise on the metrics; `auto` is the one with the smaller error."""
    share: Share = 1.0
    """Part of the budget, against the other tables; divided among levels by their shares."""
    shares: SharesSpec = Field(default={})
    """Parts of the table's budget by metric, and for `selection` and `other`. Default: 1 each.
    Where selection compares the released number of privacy units, both are one mechanism. `auto`:
    those with the smallest relative errors where metrics are as in `expect`."""
    expect: ExpectSpec = Field(default={})
    """A typical value of metrics, each in its own unit, in a partition that matters: `plan` shows
    the error there, and `shares: auto` makes it small. Only counts, sums, vectors and distinct
    values. Default: none."""
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
        yield from self.key_places()
        for name, metric in self.metrics.items():
            if isinstance(metric, ColumnMetricSpec):
                yield from (named.inside("metrics", name) for named in metric.named_columns())

    def key_places(self) -> Iterator[NamedColumn]:
        """Yields the columns of keys, each with its place inside the table."""
        for index, key in enumerate(self.key_columns):
            path: KeyPath = ("public", key) if self.keys is None else ("keys", index)
            yield NamedColumn(path, key, "identity")

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
        if self.levels is None:
            if self.consistent:
                yield ("consistent",), "there is nothing to agree with; allowed: with levels"
            yield from self._own_problems()
            return
        if self.keys is not None:
            yield ("keys",), "stands beside levels; allowed: only one of the two"
            return
        yield from level_problems(self)
        of_levels = (
            (placed.place(*place)[2:], message)
            for placed in placed_tables("", self)
            for place, message in placed.spec._own_problems()
        )
        yield from dict.fromkeys(of_levels)

    def _own_problems(self) -> Iterator[tuple[KeyPath, str]]:
        """Yields what is wrong with a table without levels."""
        if not self.key_columns:
            yield (
                (),
                "the key 'keys' is missing; it may be left out where public is a mapping, or with "
                "levels",
            )
        if self.selection is not None and self.public is not None:
            yield ("selection",), "the partitions are public; allowed: only one of the two"
        if self.public is not None and not self.metrics:
            yield (
                ("metrics",),
                "the table has no metrics; it may have none with private selection, to release "
                "only which partitions there are",
            )
        for name in self.metrics:
            yield from refused(("metrics", name), partial(check_metric_name, name))
        if self.other:
            public = self.public is not None
            yield from refused(
                ("other",), partial(check_other, self.engine_metrics(), public=public)
            )
        additive, never_negative = self._additive(), self._never_negative()
        yield from derived_problems(
            self.derived_metrics(), self.metrics, additive, self.key_columns
        )
        yield from publish_problems(self.publish, self.metrics, never_negative)
        yield from expect_problems(self.expect, self.metrics, self.plain_metrics())
        if self.shares == AUTO and not self.expect:
            yield ("shares",), "needs typical numbers of metrics for auto; allowed: with expect"

    def plain_metrics(self) -> list[str]:
        """Returns the metrics that are a number plus one draw of noise."""
        return [name for name, metric in self.engine_metrics().items() if is_plain(metric)]

    def metrics_that_add_up(self) -> list[str]:
        """Returns counts and sums of rows: of several partitions, they are what the rows have."""
        return [
            name
            for name, metric in self.metrics.items()
            if metric == "count" or isinstance(metric, SumSpec)
        ]

    def _additive(self) -> list[str]:
        """Returns counts and sums, which ratios, changes and lower limits are made of."""
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
