"""The steps of post-processing as plain data: a plan lists them, and a publication applies them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.mechanisms import NoiseKind
from transforms.postprocess.clamping import clamp_at_zero
from transforms.postprocess.ratios import percent_change, ratio
from transforms.postprocess.rounding import check_multiple, round_to
from transforms.postprocess.selecting import minimum, suppress, top_k, without_other

_SELECTED = "what stays was chosen by its noise, so its intervals hold less than 95 %"


@dataclass(frozen=True)
class Ratio:
    """Adds the ratio of two metrics.

    Attributes:
        name: The new metric.
        numerator: A metric of the table.
        denominator: Another one, with noise of its own.
        noise: Distribution of the noise.
    """

    name: str
    numerator: str
    denominator: str
    noise: NoiseKind

    def apply(self, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002
        """Returns the table with the columns of the ratio."""
        return ratio(frame, self.name, self.numerator, self.denominator, self.noise)

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as JSON values."""
        return {"step": "ratio", "metric": self.name, "of": [self.numerator, self.denominator]}

    def __str__(self) -> str:
        return (
            f"{self.name} is {self.numerator} / {self.denominator}, with Fieller's interval; "
            f"null where {self.denominator} cannot be told from 0"
        )


@dataclass(frozen=True, eq=False)
class PercentChange:
    """Adds the percent change of a metric against an earlier release.

    Attributes:
        name: The new metric.
        metric: A metric of the table.
        against: The file of the earlier release, as people know it.
        baseline: Its rows, as `transforms.postprocess.ratios.percent_change` takes them.
    """

    name: str
    metric: str
    against: str
    baseline: pl.DataFrame

    def apply(self, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
        """Returns the table with the columns of the change."""
        return percent_change(frame, keys, self.name, self.metric, self.baseline)

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as JSON values."""
        return {
            "step": "percent_change",
            "metric": self.name,
            "of": self.metric,
            "against": self.against,
            "baseline_rows": self.baseline.height,
        }

    def __str__(self) -> str:
        return (
            f"{self.name} is the change of {self.metric} against {self.against} in percent, with "
            "Fieller's interval; null where that has no such row or is not clearly above 0"
        )


@dataclass(frozen=True)
class Suppress:
    """Nulls metrics where their error is large.

    Attributes:
        relative_errors: Per metric, the largest standard deviation against the noisy value.

    Raises:
        ValueError: One of them is not above 0.
    """

    relative_errors: Mapping[str, float]

    def __post_init__(self) -> None:
        for metric, limit in self.relative_errors.items():
            if not limit > 0:
                raise ValueError(f"{metric} is {limit:g}; allowed: above 0")

    def apply(self, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002
        """Returns the table with nulls in it."""
        for metric, relative_error in self.relative_errors.items():
            frame = suppress(frame, metric, relative_error)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as JSON values."""
        return {"step": "suppress", "relative_errors": dict(self.relative_errors)}

    def __str__(self) -> str:
        limits = (f"{metric} {limit:.6g}" for metric, limit in self.relative_errors.items())
        return f"nulled where std / |value| is above: {', '.join(limits)}; {_SELECTED}"


@dataclass(frozen=True)
class Minimum:
    """Drops rows with small noisy values.

    Attributes:
        least: Per metric, the smallest noisy value of a row that stays.
    """

    least: Mapping[str, float]

    def apply(self, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
        """Returns the rows that stay, and the row of other partitions."""
        rows, other = without_other(frame, keys)
        for metric, least in self.least.items():
            rows = minimum(rows, metric, least)
        return pl.concat([rows, other])

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as JSON values."""
        return {"step": "minimum", "least": dict(self.least)}

    def __str__(self) -> str:
        limits = (f"{metric} {least:.6g}" for metric, least in self.least.items())
        return f"dropped are rows below: {', '.join(limits)}; {_SELECTED}"


@dataclass(frozen=True)
class Top:
    """Keeps the rows with the largest noisy values.

    Attributes:
        metric: The metric to compare.
        k: How many rows to keep.

    Raises:
        ValueError: None would be kept.
    """

    metric: str
    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"{self.metric} is {self.k}; allowed: 1 or more")

    def apply(self, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
        """Returns the rows to keep, and the row of other partitions."""
        rows, other = without_other(frame, keys)
        return pl.concat([top_k(rows, keys, self.metric, self.k), other])

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as JSON values."""
        return {"step": "top", "metric": self.metric, "k": self.k}

    def __str__(self) -> str:
        return (
            f"kept are the {self.k} rows with the largest {self.metric}, of equals those with the "
            f"smaller keys; {_SELECTED}"
        )


@dataclass(frozen=True)
class ClampAtZero:
    """Moves values below zero to zero.

    Attributes:
        biases: Per metric, by how much that raises a value that is 0 before noise, on average.
    """

    biases: Mapping[str, float]

    def apply(self, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002
        """Returns the table without negative numbers in these metrics."""
        for metric in self.biases:
            frame = clamp_at_zero(frame, metric)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as JSON values."""
        return {"step": "clamp_at_zero", "bias_at_zero": dict(self.biases)}

    def __str__(self) -> str:
        biases = (f"{metric} by {bias:.4g}" for metric, bias in self.biases.items())
        return f"clamped at 0, which on average raises a true 0 in: {', '.join(biases)}"


@dataclass(frozen=True)
class Round:
    """Rounds metrics to multiples.

    Attributes:
        multiples: Per metric, what its values become multiples of.

    Raises:
        ValueError: A multiple is out of its range.
    """

    multiples: Mapping[str, float]

    def __post_init__(self) -> None:
        for metric, multiple in self.multiples.items():
            check_multiple(metric, multiple)

    def apply(self, frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002
        """Returns the table with rounded numbers."""
        for metric, multiple in self.multiples.items():
            frame = round_to(frame, metric, multiple)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Returns the step as JSON values."""
        return {"step": "round", "multiples": dict(self.multiples)}

    def __str__(self) -> str:
        multiples = (f"{metric} to {multiple:.6g}" for metric, multiple in self.multiples.items())
        return f"rounded: {', '.join(multiples)}; intervals outwards, std with that of rounding"


Step = Ratio | PercentChange | Suppress | Minimum | Top | ClampAtZero | Round


def post_process(frame: pl.DataFrame, keys: Sequence[str], steps: Iterable[Step]) -> pl.DataFrame:
    """Applies steps to a released table, one after the other.

    Privacy: the result is a function of the released table and of the parameters in the steps,
    public files among them. It costs nothing, whatever the steps are.

    Args:
        frame: What `transforms.render.render` returned, or `make_consistent`.
        keys: Its key columns.
        steps: The steps, in the order in which they apply.

    Returns:
        The table to publish.
    """
    for step in steps:
        frame = step.apply(frame, keys)
    return frame
