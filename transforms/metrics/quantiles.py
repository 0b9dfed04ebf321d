"""Quantiles of a numeric column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from transforms.arrays import Int64Array
from transforms.grid import Grid, check_width, default_step, exact
from transforms.intervals import Z95
from transforms.items import Items, Leaves
from transforms.metrics.base import (
    Component,
    Contribution,
    Metric,
    Noise,
    ReleasedValue,
    in_units,
    items_of,
)
from transforms.noise import add_noise, noise_std
from transforms.quantile_tree import LeafCounts, TreeShape, search
from transforms.sensitivity import Entries


@dataclass(frozen=True)
class Quantiles(Metric):
    """Quantiles of a numeric column per partition, over the rows that have a value.

    Attributes:
        column: The numeric column.
        ranks: Shares of the rows below each quantile, each above 0 and below 1.
        clip: Smallest and largest value of one row, in the column's unit.
        granularity: Step that values are rounded to. Default: the power of ten at or below a
            thousandth of the clip's width.

    Raises:
        ValueError: A rank, the clip or the granularity cannot be used.
    """

    column: str
    ranks: tuple[float, ...]
    clip: tuple[float, float]
    granularity: Decimal | float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranks", tuple(self.ranks))
        if not self.ranks:
            raise ValueError("ranks is empty; allowed: numbers above 0 and below 1")
        for rank in self.ranks:
            if not 0 < rank < 1:
                raise ValueError(f"ranks has {rank:g}; allowed: numbers above 0 and below 1")
        repeated = sorted({rank for rank in self.ranks if self.ranks.count(rank) > 1})
        if repeated:
            raise ValueError(f"ranks has {repeated[0]:g} more than once; allowed: once")
        check_width(self.clip)
        _ = self.grid

    @property
    def description(self) -> str:
        """What is measured."""
        return f"quantiles of {self.column}"

    @property
    def grid(self) -> Grid:
        """The values that are told apart, from the lowest on."""
        low, high = (exact(bound) for bound in self.clip)
        step = default_step(high - low) if self.granularity is None else exact(self.granularity)
        return Grid(self.clip, step, low)

    @property
    def shape(self) -> TreeShape:
        """The tree over the values."""
        return TreeShape.of(self.grid.largest + 1)

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def items(self) -> Items:
        """The leaves."""
        return Leaves(self.column, self.grid)

    @property
    def components(self) -> tuple[Component, ...]:
        """The counts of nodes: each row adds 1 to one node of each level."""
        columns = tuple(
            f":{index}{end}" for index in range(len(self.ranks)) for end in ("", ":low", ":high")
        )
        entries = Entries(0, 1, repeats=self.shape.height, scattered=True)
        return (Component("", entries, columns=columns),)

    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:  # noqa: ARG002
        """Returns nothing: the values of all units have to come together first."""
        return {}

    def draw(
        self, name: str, partials: pl.DataFrame, noises: Sequence[Noise]
    ) -> dict[str, Int64Array]:
        """Searches the tree of each partition."""
        leaves = items_of(name, partials)
        found = search(
            LeafCounts(
                leaves["partition"].to_numpy(),
                leaves["item"].to_numpy(),
                leaves["count"].to_numpy(),
                partials.height,
            ),
            self.ranks,
            self.shape,
            noise_std(noises[0].mechanism),
            lambda exact_counts: add_noise(exact_counts, noises[0].mechanism),
        )
        columns = {}
        for index in range(len(self.ranks)):
            columns[f":{index}"] = found.leaf[:, index]
            columns[f":{index}:low"] = found.low[:, index]
            columns[f":{index}:high"] = found.high[:, index]
        return columns

    @property
    def released(self) -> tuple[str, ...]:
        """One value per rank: `_p50` is the median."""
        return tuple(f"_p{float(Decimal(str(rank)) * 100):g}" for rank in self.ranks)

    def render(
        self,
        name: str,
        drawn: pl.DataFrame,
        noises: Sequence[Noise],  # noqa: ARG002
    ) -> list[ReleasedValue]:
        """Returns the values of leaves; the standard deviation is that of the interval's width."""
        return [self._value(name, index, drawn) for index in range(len(self.ranks))]

    def _value(self, name: str, index: int, drawn: pl.DataFrame) -> ReleasedValue:
        value, low, high = (
            self._in_units(drawn[f"{name}:{index}{end}"]) for end in ("", ":low", ":high")
        )
        return ReleasedValue(value, ((high - low) / (2 * Z95)).cast(pl.Float64), low, high)

    def _in_units(self, leaves: pl.Series) -> pl.Series:
        step = self.grid.step
        offset = self.grid.centre / step
        if offset == offset.to_integral_value():
            return in_units(leaves + int(offset), step)
        return in_units(leaves, step) + float(self.grid.centre)
