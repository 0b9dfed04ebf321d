"""The plan of a table: every mechanism with its place in the data, before any row is read."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.accumulators import Accumulator
from transforms.bounds import Bounds, Guarantee
from transforms.items import Items
from transforms.key_list import KeyList
from transforms.mechanisms import AdditiveMechanism, Mechanism, NoiseKind, SelectionMechanism
from transforms.metrics import Metric
from transforms.metrics.base import Noise
from transforms.table import OTHER, SELECTION


@dataclass(frozen=True)
class MetricPlan:
    """One metric with the noise that it gets.

    Attributes:
        name: Released column.
        metric: What is measured.
        noises: Its components with their noise, in rows, units or granules.
    """

    name: str
    metric: Metric
    noises: tuple[Noise, ...]

    @property
    def mechanisms(self) -> dict[str, AdditiveMechanism]:
        """The mechanism of each component by its name."""
        return {self.name + noise.component.suffix: noise.mechanism for noise in self.noises}

    @property
    def drawn_columns(self) -> list[str]:
        """Columns of drawn integers."""
        return [
            self.name + suffix
            for component in self.metric.components
            for suffix in component.column_suffixes
        ]

    @property
    def released(self) -> list[str]:
        """Columns of released values, each of which comes with its error."""
        return [self.name + suffix for suffix in self.metric.released]


@dataclass(frozen=True, eq=False)
class TablePlan:
    """One table with all its mechanisms: everything that the engine needs to know.

    Attributes:
        name: Name of the table.
        keys: Key columns.
        bounds: Contribution bounds.
        metrics: Metrics with their noise.
        selection: Private selection, or None with public keys.
        public_keys: The public partitions, or None.
        guarantee: What is protected.
        other: The metrics of the row that adds up all partitions that were not selected, with
            their noise; empty for no such row.
        noisy_count: Metric whose noisy numbers are those that the selection compares with its
            threshold: one draw for both. None for no such metric.
    """

    name: str
    keys: tuple[str, ...]
    bounds: Bounds
    metrics: tuple[MetricPlan, ...]
    selection: SelectionMechanism | None
    public_keys: KeyList | None
    guarantee: Guarantee = Guarantee()
    other: tuple[MetricPlan, ...] = ()
    noisy_count: str | None = None

    @property
    def max_partitions(self) -> int | None:
        """Partitions of one unit that count; None where that is not bounded."""
        return self.guarantee.max_partitions(self.bounds)

    @property
    def max_rows(self) -> int | None:
        """Rows of one unit in one partition that count; None where that is not bounded."""
        return self.guarantee.max_rows(self.bounds)

    @property
    def noise(self) -> NoiseKind:
        """Distribution of the noise on the metrics; `laplace` where there is none."""
        kinds = {noise.mechanism.noise for plan in self.metrics for noise in plan.noises}
        return kinds.pop() if len(kinds) == 1 else "laplace"

    @property
    def needs_weights(self) -> bool:
        """Whether partitions are selected by the weight of their privacy units."""
        return self.selection is not None and self.selection.strategy == "weighted_gaussian"

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """What is added up of each row, each once."""
        found = (accumulator for plan in self.metrics for accumulator in plan.metric.accumulators)
        return tuple(dict.fromkeys(found))

    @property
    def items(self) -> tuple[Items, ...]:
        """What is kept of each row, each once."""
        found = (plan.metric.items for plan in self.metrics)
        return tuple(dict.fromkeys(items for items in found if items is not None))

    @property
    def value_columns(self) -> list[str]:
        """Numeric columns that are read."""
        return [column for plan in self.metrics for column in plan.metric.value_columns]

    @property
    def identity_columns(self) -> list[str]:
        """Columns that are read as they are: keys, and those whose values are counted."""
        counted = (column for plan in self.metrics for column in plan.metric.identity_columns)
        return [*self.keys, *counted]

    @property
    def drawn_columns(self) -> list[str]:
        """Columns of drawn integers."""
        return [column for plan in self.metrics for column in plan.drawn_columns]

    @property
    def mechanisms(self) -> dict[str, Mechanism]:
        """Every mechanism by its name: `selection`, the metrics' components, those of `other`.

        The noise of `noisy_count` is that of the selection, and not listed again.
        """
        found: dict[str, Mechanism] = {SELECTION: self.selection} if self.selection else {}
        for plan in self.metrics:
            if plan.name != self.noisy_count:
                found |= plan.mechanisms
        for plan in self.other:
            found |= {f"{OTHER}:{name}": mechanism for name, mechanism in plan.mechanisms.items()}
        return found
