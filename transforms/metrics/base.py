"""What a metric is: all that the engine asks of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from transforms.accumulators import Accumulator
from transforms.arrays import Int64Array
from transforms.items import Items
from transforms.mechanisms import AdditiveMechanism
from transforms.noise import add_noise, half_width_95, noise_std
from transforms.sensitivity import Entries


@dataclass(frozen=True)
class Component:
    """Integers of a metric that get the noise of one mechanism.

    Attributes:
        suffix: What follows the metric's name in the names of mechanisms and of columns.
        entries: What one row or unit adds.
        granularity: Size of one step of the integers, in the unit of what is released.
        columns: Suffixes of the columns that hold the integers; more than one for a vector.
    """

    suffix: str
    entries: Entries
    granularity: Decimal = Decimal(1)
    columns: tuple[str, ...] = ()

    @property
    def column_suffixes(self) -> tuple[str, ...]:
        """Suffixes of the columns that hold the integers."""
        return self.columns or (self.suffix,)


@dataclass(frozen=True)
class Noise:
    """A component with the noise that it gets.

    Attributes:
        component: The integers.
        mechanism: Their noise.
    """

    component: Component
    mechanism: AdditiveMechanism

    @property
    def std(self) -> float:
        """Standard deviation of the noise, in the unit of the component's granularity."""
        return noise_std(self.mechanism) * float(self.component.granularity)

    @property
    def half_width_95(self) -> float:
        """Half width of the 95 % interval of the noise, in the unit of its granularity."""
        return half_width_95(self.mechanism) * float(self.component.granularity)


@dataclass(frozen=True)
class Contribution:
    """Contributions of units to partitions, n of them, with the rows that count.

    Attributes:
        rows: Rows of the unit in the partition, at least 1, shape (n,).
        counted: How many of them count, at least 1, shape (n,).
        totals: Per accumulator, its sum over all the rows, shape (n,).
    """

    rows: Int64Array
    counted: Int64Array
    totals: Mapping[Accumulator, Int64Array]


class Metric(ABC):
    """Something measured per partition. Subclasses are frozen dataclasses.

    Everything is an integer from the first aggregation on: counts are in rows, units or values;
    sums are in granules.
    """

    @property
    @abstractmethod
    def description(self) -> str:
        """What is measured, for people: `mean of dwell_s`."""

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Numeric columns that are read."""
        return ()

    @property
    def identity_columns(self) -> tuple[str, ...]:
        """Columns of any scalar type that are read."""
        return ()

    @property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """What is added up of each row."""
        return ()

    @property
    def items(self) -> Items | None:
        """What is kept of each row, where sums are not enough."""
        return None

    @property
    @abstractmethod
    def components(self) -> tuple[Component, ...]:
        """The integers that get noise."""

    @abstractmethod
    def bound(self, contribution: Contribution) -> dict[str, Int64Array]:
        """Bounds contributions.

        Args:
            contribution: Contributions of units to partitions.

        Returns:
            Per column suffix of the components, what each contribution adds, shape (n,). Metrics
            with items have none.
        """

    def draw(
        self, name: str, partials: pl.DataFrame, noises: Sequence[Noise]
    ) -> dict[str, Int64Array]:
        """Adds noise to exact integers. Every call draws anew.

        Args:
            name: Name of the metric.
            partials: Exact integers of all partitions (`transforms.bounding`), p rows.
            noises: The components with their noise.

        Returns:
            Per column suffix of the components, noisy integers, shape (p,).
        """
        return {
            suffix: add_noise(partials[name + suffix].to_numpy(), noise.mechanism)
            for noise in noises
            for suffix in noise.component.column_suffixes
        }

    @property
    def adds_up(self) -> bool:
        """Whether several partitions of one unit can be made one by adding up."""
        return True

    @property
    def released(self) -> tuple[str, ...]:
        """Suffixes of the released values; each comes with its error."""
        return ("",)

    def render(
        self, name: str, drawn: pl.DataFrame, noises: Sequence[Noise]
    ) -> list[ReleasedValue]:
        """Turns drawn integers into released values: each as it is, in its own unit.

        Args:
            name: Name of the metric.
            drawn: Noisy integers, columns named by the metric and the suffixes of its components.
            noises: The components with their noise.

        Returns:
            One per released suffix.
        """
        return [
            with_noise(drawn[name + suffix], noise)
            for noise in noises
            for suffix in noise.component.column_suffixes
        ]


@dataclass(frozen=True)
class ReleasedValue:
    """A released value with its error, one per partition.

    Attributes:
        value: The value.
        std: Standard deviation of its noise.
        low: Lower end of the 95 % interval of the value before noise.
        high: Upper end.
    """

    value: pl.Series
    std: pl.Series
    low: pl.Series
    high: pl.Series


def item_column(metric: str) -> str:
    """Returns the column of partial sums with the items of a metric, as lists."""
    return f"{metric}:items"


def items_of(metric: str, partials: pl.DataFrame) -> pl.DataFrame:
    """Returns the items of a metric one by one.

    Args:
        metric: Name of the metric.
        partials: Exact integers of all partitions (`transforms.bounding`), p rows.

    Returns:
        Columns `partition`, the row in `partials`, `item` and `count`. A partition may have an item
        more than once, from parts that were merged.
    """
    lists = partials.select(
        pl.int_range(pl.len()).alias("partition"), pl.col(item_column(metric)).alias("items")
    )
    return lists.filter(pl.col("items").list.len() > 0).explode("items").unnest("items")


def with_noise(drawn: pl.Series, noise: Noise) -> ReleasedValue:
    """Returns noisy integers of one component in the unit of what is released.

    Args:
        drawn: The integers.
        noise: Their noise.
    """
    half_width = half_width_95(noise.mechanism)
    step = noise.component.granularity
    return ReleasedValue(
        in_units(drawn, step),
        pl.repeat(noise.std, len(drawn), dtype=pl.Float64, eager=True),
        in_units(drawn - half_width, step),
        in_units(drawn + half_width, step),
    )


def in_units(granules: pl.Series, step: Decimal) -> pl.Series:
    """Returns granules as numbers in the unit of their column; whole numbers where it is 1.

    Granules times numerator over denominator of the step is the float that is nearest to the
    decimal number, as long as the product is below 2^53.
    """
    if step == 1:
        return granules
    numerator, denominator = step.as_integer_ratio()
    products = granules.to_numpy().astype(np.float64) * numerator
    return pl.Series(granules.name, products / denominator)


def rescale(total: Int64Array, rows: Int64Array, counted: Int64Array | int) -> Int64Array:
    """Scales sums of `rows` values down to what `counted` average ones add up to.

    With total = q * rows + r, total * counted / rows is q * counted + r * counted / rows. All
    products fit an int64: |q| is at most one value's magnitude, r < rows <= `MAX_ROWS`, and
    counted is at most `MAX_LINF` wherever it is less than rows.

    Args:
        total: Sums in granules, shape (n,).
        rows: Number of values in each sum, shape (n,).
        counted: Number of values that count, one number or shape (n,).

    Returns:
        total * min(1, counted / rows), rounded half up, shape (n,).
    """
    quotient, remainder, divisor, kept, over = _over(total, rows, counted)
    scaled = total.copy()
    scaled[over] = quotient * kept + (2 * remainder * kept + divisor) // (2 * divisor)
    return scaled


def rescale_towards_zero(
    total: Int64Array, rows: Int64Array, counted: Int64Array | int
) -> Int64Array:
    """Does the same as `rescale`, but rounds towards zero, so that no vector gets longer."""
    sign = np.sign(total)
    magnitude = np.abs(total)
    quotient, remainder, divisor, kept, over = _over(magnitude, rows, counted)
    magnitude[over] = quotient * kept + remainder * kept // divisor
    return sign * magnitude


def _over(
    total: Int64Array, rows: Int64Array, counted: Int64Array | int
) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array, Int64Array]:
    limit = np.broadcast_to(np.asarray(counted, np.int64), rows.shape)
    over = np.flatnonzero(rows > limit)
    divisor = rows[over]
    quotient, remainder = np.divmod(total[over], divisor)
    return quotient, remainder, divisor, limit[over], over
