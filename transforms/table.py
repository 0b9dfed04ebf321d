"""What one table of a release holds: keys, metrics, bounds, and which partitions may show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from transforms.bounds import Bounds
from transforms.mechanisms import (
    AUTO,
    NoiseChoice,
    SelectionChoice,
    check_noise_choice,
    check_pre_threshold,
    check_selection_choice,
)
from transforms.metrics import Metric
from transforms.metrics.base import item_column
from transforms.metrics.counts import PrivacyUnitCount
from transforms.rows import identity

SELECTION = "selection"
"""Name of the private selection among the shares of a table."""

OTHER = "other"
"""Name of the row of other partitions among the shares of a table."""

RESERVED = ("privacy_units:", "partition:", "public:", "value:")
"""Beginnings of column names that the engine uses itself."""


@dataclass(frozen=True)
class PrivateSelection:
    """Partitions are chosen by a differentially private mechanism.

    Attributes:
        strategy: `auto` for the one that needs the fewest units (`transforms.automatic`), or
            `truncated_geometric` (optimal for units with one partition), `laplace` or
            `gaussian` thresholding of the number of privacy units, or `weighted_gaussian`
            thresholding of their weight, for units with many partitions.
        pre_threshold: Partitions with fewer units are never released; None for no such rule.
    """

    strategy: SelectionChoice = AUTO
    pre_threshold: int | None = None

    def __post_init__(self) -> None:
        check_selection_choice(self.strategy)
        check_pre_threshold(self.pre_threshold, self.strategy)


@dataclass(frozen=True, eq=False, init=False)
class PublicKeys:
    """Partitions are listed in advance; each is released, with or without data.

    Example:
        >>> PublicKeys(pl.DataFrame({"country": ["DE", "FR"], "region": ["BY", "IDF"]}))
        >>> PublicKeys(countries, days)  # every country on every day
        ... # doctest: +SKIP

    Attributes:
        parts: Frames with key columns of their own, of whose rows every combination is a
            partition; in canonical types (`transforms.rows`).

    Raises:
        ValueError: A frame is empty, or has nulls, NaN or repeated rows, or several frames have
            the same column.
        TypeError: A column is not scalar.
    """

    parts: tuple[pl.DataFrame, ...]

    def __init__(self, *parts: pl.DataFrame) -> None:
        """Args: one or more frames."""
        object.__setattr__(self, "parts", tuple(map(_listed, parts)))
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise ValueError(f"several public key lists have the column {', '.join(repeated)}")

    @property
    def columns(self) -> list[str]:
        """Key columns of all parts."""
        return [name for part in self.parts for name in part.columns]


def _listed(rows: pl.DataFrame) -> pl.DataFrame:
    keys = rows.select(identity(name, dtype) for name, dtype in rows.schema.items())
    if keys.height == 0:
        raise ValueError("the public key list is empty")
    for column in keys.iter_columns():
        if column.null_count():
            raise ValueError(f"the public key list has empty values of {column.name!r}")
    if keys.n_unique() < keys.height:
        example = ", ".join(map(repr, keys.filter(keys.is_duplicated()).row(0)))
        raise ValueError(f"the public key list has repeated rows, such as {example}")
    return keys


@dataclass(frozen=True)
class Table:
    """One group-by of a release.

    Attributes:
        keys: Key columns; one combination of their values is a partition.
        metrics: Released columns by name; none, with private selection, to release only which
            partitions there are.
        bounds: Contribution bounds of one privacy unit in this table.
        partitions: Private selection, or the public list of partitions.
        noise: Distribution of the noise on every metric; `auto` for the one with the smaller error
            (`transforms.automatic`).
        other: With private selection, whether all partitions that are not selected are released as
            one more row, whose keys are null. Their privacy units are not counted in it: a unit may
            be in several of them.
        share: Part of the release's budget, against the other tables.
        shares: Parts of the table's budget per metric name, `selection` and `other`; 1 where not
            given. Where selection compares the released number of privacy units, both are one
            mechanism with what is given of both, or 1. `auto` for those with the smallest error
            where metrics are as in `expect` (`transforms.automatic`).
        expect: Typical number of a partition, by metric, in the unit of the metric. It matters for
            the shares only.

    Raises:
        ValueError: A name or share is not allowed.
    """

    keys: str | Sequence[str]
    metrics: Mapping[str, Metric]
    bounds: Bounds = Bounds()
    partitions: PrivateSelection | PublicKeys = PrivateSelection()
    noise: NoiseChoice = AUTO
    other: bool = False
    share: float = 1.0
    shares: Mapping[str, float] | Literal["auto"] = field(default_factory=dict)
    expect: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", column_names("keys", self.keys))
        object.__setattr__(self, "metrics", dict(self.metrics))
        object.__setattr__(self, "expect", dict(self.expect))
        if self.shares != AUTO:
            object.__setattr__(self, "shares", dict(self.shares))
        if not self.metrics and isinstance(self.partitions, PublicKeys):
            raise ValueError("a table with public keys needs at least one metric")
        for name in self.metrics:
            check_metric_name(name)
        for name, metric in self.metrics.items():
            if not isinstance(metric, Metric):
                raise ValueError(f"{name} is {metric!r}; allowed: a metric such as Count()")
            for column in (*metric.value_columns, *metric.identity_columns):
                if not _is_column_name(column):
                    raise ValueError(
                        f"metrics.{name}: column {column!r} cannot be used under this name; "
                        "allowed: rename it"
                    )
        for name in self.keys:
            check_column_name(name)
        self._check_columns()
        check_noise_choice(self.noise)
        if isinstance(self.partitions, PublicKeys):
            listed = self.partitions.columns
            if set(listed) != set(self.keys):
                raise ValueError(
                    f"the public key list has the columns {', '.join(listed)}; "
                    f"the keys are {', '.join(self.keys)}"
                )
        if self.other:
            check_other(self.metrics, public=isinstance(self.partitions, PublicKeys))
        self._check_expect()
        allowed = self._names()
        for name, share in self.given_shares.items():
            if name not in allowed:
                raise ValueError(f"shares names {name!r}; allowed: {', '.join(allowed)}")
            check_share(f"shares.{name}", share)
        check_share("share", self.share)

    def _check_columns(self) -> None:
        names = list(self.keys)
        for metric_name, metric in self.metrics.items():
            own = list(_columns(metric_name, metric))
            repeated = sorted({name for name in own if name in names or own.count(name) > 1})
            if repeated:
                raise ValueError(
                    f"metrics.{metric_name}: {', '.join(repeated)} names more than one column of "
                    "the table"
                )
            names += own
        repeated = sorted({name for name in self.keys if names.count(name) > 1})
        if repeated:
            raise ValueError(f"{', '.join(repeated)} names more than one column of the table")

    @property
    def given_shares(self) -> Mapping[str, float]:
        """Shares by name; none where they are `auto`."""
        return self.shares if isinstance(self.shares, Mapping) else {}

    @property
    def spenders(self) -> dict[str, float]:
        """Share of the table's budget: the selection, the metrics, the row of other partitions."""
        shares = {name: self.given_shares.get(name, 1.0) for name in self._names()}
        if self.noisy_count is not None:
            of_both = [
                self.given_shares[name]
                for name in (SELECTION, self.noisy_count)
                if name in self.given_shares
            ]
            shares[SELECTION] = sum(of_both) if of_both else 1.0
            del shares[self.noisy_count]
        return shares

    @property
    def noisy_count(self) -> str | None:
        """Metric whose noisy numbers selection compares with its threshold; None for none.

        It is the first number of privacy units, where selection puts the same kind of noise on that
        number anyway. Not known before noise and selection are chosen.
        """
        if self.noise == AUTO or not isinstance(self.partitions, PrivateSelection):
            return None
        if self.partitions.strategy != self.noise:
            return None
        counts = (name for name, of in self.metrics.items() if isinstance(of, PrivacyUnitCount))
        return next(counts, None)

    def _check_expect(self) -> None:
        for name, number in self.expect.items():
            if not (name in self.metrics and len(self.metrics[name].components) == 1):
                raise ValueError(f"expect names {name!r}; allowed: counts and sums of the table")
            if not (math.isfinite(number) and number > 0):
                raise ValueError(
                    f"{name} is expected to be {number}; allowed: a finite number above 0"
                )
        if self.shares == AUTO and not self.expect:
            raise ValueError("shares: auto needs typical numbers of metrics; allowed: with expect")

    def _names(self) -> list[str]:
        first = [SELECTION] if isinstance(self.partitions, PrivateSelection) else []
        last = [OTHER] if self.other else []
        return [*first, *self.metrics, *last]

    @property
    def in_other(self) -> list[str]:
        """Metrics of the row of other partitions."""
        return (
            [name for name, metric in self.metrics.items() if metric.adds_up] if self.other else []
        )


def check_metric_name(name: str) -> None:
    """Raises a ValueError when a metric has a name that means something else."""
    if ":" in name or name in (SELECTION, OTHER):
        raise ValueError(
            f"{name!r} is no name for a metric; allowed: names without a colon, "
            f"other than {SELECTION!r} and {OTHER!r}, which are shares of a table's budget"
        )


def check_other(metrics: Mapping[str, Metric], *, public: bool) -> None:
    """Raises a ValueError when a table cannot have a row of other partitions.

    Args:
        metrics: Its metrics.
        public: Whether its partitions are listed in advance.
    """
    if public:
        raise ValueError(
            "other is for what is not selected, and the partitions are public; allowed: with "
            "private selection"
        )
    if not any(metric.adds_up for metric in metrics.values()):
        raise ValueError(
            "other needs a metric that adds up; allowed: with a metric other than "
            "privacy_unit_count"
        )


def column_names(what: str, names: str | Sequence[str]) -> tuple[str, ...]:
    """Returns one or several column names as a tuple.

    Raises:
        ValueError: There is none, or one cannot be used.
    """
    columns = (names,) if isinstance(names, str) else tuple(names)
    if not columns:
        raise ValueError(f"{what} is empty; allowed: one or more column names")
    for name in columns:
        check_column_name(name)
    return columns


def check_column_name(name: str) -> None:
    """Raises a ValueError when a column has a name that the engine or Polars uses itself."""
    if not _is_column_name(name):
        raise ValueError(f"column {name!r} cannot be used under this name; allowed: rename it")


def _is_column_name(name: str) -> bool:
    is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return not (is_pattern or name.startswith(RESERVED))


def released_columns(metric: str) -> tuple[str, str, str, str]:
    """Returns the columns that a metric has in a released table.

    They are the value, the standard deviation of its noise, and the ends of its 95 % interval.
    """
    return metric, f"{metric}_std", f"{metric}_low", f"{metric}_high"


def _columns(name: str, metric: Metric) -> Iterator[str]:
    """Yields the columns that a metric has on its way and in the end."""
    for suffix in metric.released:
        yield from released_columns(name + suffix)
    for component in metric.components:
        yield from (name + suffix for suffix in component.column_suffixes if suffix)
    if metric.items is not None:
        yield item_column(name)


def check_share(name: str, share: float) -> None:
    """Raises a ValueError when a share is not a finite number above 0."""
    if not (math.isfinite(share) and share > 0):
        raise ValueError(f"{name} is {share}; allowed: a finite number above 0")
