"""Points 17 to 19: errors, suppression, and whom errors hit most."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.publication.content import Content
from pipelines.publication.points import Point, listed
from pipelines.publication.stated import StatedTable
from transforms.metrics import Count, DistinctCount, PrivacyUnitCount, Sum, VectorSum

_PLAIN = (Count, PrivacyUnitCount, DistinctCount, Sum, VectorSum)

_TEN_PERCENT = 10
"""Standard deviations of noise in a number of which it is a tenth."""


def errors(content: Content) -> Point:
    """Point 17."""
    parts = (
        f"{table.plan.name}: {listed(_noises(table), 'no metrics')}." for table in _tables(content)
    )
    return Point(
        "Expected error, and bias of bounding and clipping",
        f"Noise: {' '.join(parts)} Every number stands beside its standard deviation and 95 % "
        "interval. Apart from noise, contributions beyond the bounds and values outside the clips "
        "do "
        "not count in full: numbers are too small where units have more rows, partitions or larger "
        "values than that. How much is not measured, as that would have to be paid for.",
        ("plan.tables.*.metrics.*.noise", "plan.tables.*.bounds"),
    )


def suppression(content: Content) -> Point:
    """Point 18."""
    parts = " ".join(f"{table.plan.name}: {_suppression(table)}" for table in _tables(content))
    return Point(
        "Suppression, and what a missing row means",
        parts,
        (
            "plan.tables.*.selection.units_for_probability",
            "plan.tables.*.post_processing",
            "plan.tables.*.public_partitions",
        ),
    )


def small_groups(content: Content) -> Point:
    """Point 19."""
    parts = (
        f"{table.plan.name}: {listed(_ten_percent(table), 'no such metrics')}."
        for table in _tables(content)
    )
    return Point(
        "Small groups",
        "Noise does not depend on the size of a group, so small groups have larger relative "
        "errors. "
        f"The standard deviation is a tenth of numbers of this size, and more of smaller ones: "
        f"{' '.join(parts)}",
        ("plan.tables.*.metrics.*.noise.*.std",),
    )


def _tables(content: Content) -> tuple[StatedTable, ...]:
    return content.stated.tables


def _noises(table: StatedTable) -> Iterator[str]:
    for metric in table.values["metrics"].values():
        for name, noise in metric["noise"].items():
            yield (
                f"{name} standard deviation {noise['std']:.6g}, within {noise['half_width_95']:g} "
                "with probability 95 %"
            )


def _ten_percent(table: StatedTable) -> Iterator[str]:
    for metric in table.plan.metrics:
        if isinstance(metric.metric, _PLAIN):
            for noise in metric.noises:
                yield f"{metric.name + noise.component.suffix} {_TEN_PERCENT * noise.std:.4g}"


def _suppression(table: StatedTable) -> str:
    steps = [
        step["effect"] for step in table.values["post_processing"] if step["step"] in _DROPPING
    ]
    dropped = f" After the noise: {'; '.join(steps)}." if steps else ""
    selection = table.values["selection"]
    if selection is None:
        missing = (
            "a missing row means that it was dropped after the noise"
            if steps
            else ("no row is missing: a partition without rows has noise around 0")
        )
        return f"all public partitions are released; {missing}.{dropped}"
    needed = listed(
        f"{float(probability):.0%} with {units} units"
        for probability, units in selection["units_for_probability"].items()
    )
    return (
        f"a partition is released with probability {needed}; a missing row means few units or "
        f"none, never that there are none.{dropped}"
    )


_DROPPING = ("suppress", "minimum", "top")

POINTS = (errors, suppression, small_groups)
