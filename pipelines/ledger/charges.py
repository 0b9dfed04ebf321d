"""What a release costs, and what a run asks the ledger for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.ledger.days import MAX_DAYS, Days
from pipelines.ledger.losses_json import Mechanisms, mechanisms_from_json, mechanisms_to_json
from pipelines.ledger.units import PrivacyUnit
from transforms.accounting import Loss


@dataclass(frozen=True)
class Charge:
    """What a release costs: losses about a privacy unit of a dataset, from the rows of some days.

    Attributes:
        dataset: The dataset whose budget is charged.
        unit: What the losses are about.
        window: Days of the input; no row of another day is read.
        mechanisms: Losses of each mechanism.
        delta: Delta that the release states its epsilon for.

    Raises:
        ValueError: No mechanisms, a mechanism without losses, a window that is too long, or a delta
            outside its range.
    """

    dataset: str
    unit: PrivacyUnit
    window: Days
    mechanisms: Mechanisms
    delta: float

    def __post_init__(self) -> None:
        if not self.mechanisms or not all(self.mechanisms):
            raise ValueError("mechanisms are empty; allowed: at least one, each with its losses")
        if self.window.length > MAX_DAYS:
            raise ValueError(f"window is {self.window}; allowed: at most {MAX_DAYS} days")
        if not 0 <= self.delta < 1:
            raise ValueError(f"delta is {self.delta}; allowed: from 0, below 1")

    @property
    def losses(self) -> tuple[Loss, ...]:
        """The losses of all mechanisms."""
        return tuple(loss for mechanism in self.mechanisms for loss in mechanism)

    def to_json(self) -> dict[str, Any]:
        """Returns the charge as JSON values."""
        return {
            "dataset": self.dataset,
            "unit": {
                "columns": list(self.unit.columns),
                "every": self.unit.every,
                "adjacency": self.unit.adjacency,
                "bounding": self.unit.bounding,
                **({"keys": list(self.unit.keys)} if self.unit.keys else {}),
            },
            "window": [str(self.window.first), str(self.window.last)],
            "mechanisms": mechanisms_to_json(self.mechanisms),
            "delta": self.delta,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Charge:
        """Returns the charge that JSON values stand for.

        Raises:
            ValueError: They stand for none.
        """
        try:
            unit = dict(value["unit"])
            first, last = value["window"]
            return cls(
                value["dataset"],
                PrivacyUnit(tuple(unit.pop("columns")), keys=tuple(unit.pop("keys", ())), **unit),
                Days(date.fromisoformat(first), date.fromisoformat(last)),
                mechanisms_from_json(value["mechanisms"]),
                value["delta"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no charge: {error}") from None


@dataclass(frozen=True, order=True)
class ReleaseKey:
    """Which release an entry is about.

    Attributes:
        series: Name of the release series.
        period: The period of the release, such as `2026-W46`; of a tuning, its name.
        version: From 1; corrections are later versions of the same period.

    Raises:
        ValueError: A name is empty or the version is no whole number from 1.
    """

    series: str
    period: str
    version: int = 1

    def __post_init__(self) -> None:
        if not (self.series and self.period):
            raise ValueError(f"series and period are {self.series!r} and {self.period!r}")
        if type(self.version) is not int or self.version < 1:
            raise ValueError(f"version is {self.version!r}; allowed: a whole number from 1")

    def __str__(self) -> str:
        version = f" version {self.version}" if self.version > 1 else ""
        return f"{self.series}@{self.period}{version}"


@dataclass(frozen=True)
class Request:
    """What a run asks for before it draws.

    Attributes:
        key: The release.
        plan: SHA-256 of the canonical plan, in hexadecimal digits.
        charge: What the release costs.
        columns: Input columns that it reads, derived ones by the columns that they are made of.
        pre_thresholds: Least number of units of a partition, for each table whose partitions are
            selected privately; 0 where the plan has none.
        reason: Why there is a correction; empty for version 1.
    """

    key: ReleaseKey
    plan: str
    charge: Charge
    columns: tuple[str, ...]
    pre_thresholds: tuple[int, ...] = ()
    reason: str = ""
