"""What tuning found, in words and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pipelines.tune.plan import TuningPlan
from pipelines.tune.recommend import Recommendation
from transforms.bounds import Bounds
from transforms.tuning.best import PARTS, PointError
from transforms.tuning.grid import not_modelled

UNACCOUNTED = (
    "UNACCOUNTED: these numbers are exact and come from private data. They are NOT differentially "
    "private, and neither is a config that was chosen by them: the guarantee of the release does "
    "not cover the choice. Show them to nobody who may not see the data. Use --epsilon instead."
)
_HEADER = (
    "bounds",
    "error",
    "noise",
    "L0 loss",
    "Linf loss",
    "clipping",
    "selection",
    "partitions out",
)


def report_lines(plan: TuningPlan, found: Sequence[Recommendation]) -> Iterator[str]:
    """Yields what was found, line by line."""
    if plan.mode.declaration == "unaccounted":
        yield UNACCOUNTED
        yield ""
    if plan.charge is not None:
        yield from cost_lines(plan)
        yield ""
    yield "errors as part of what the partitions hold in all; parts of an error do not add up to it"
    for one in found:
        yield ""
        yield from _group_lines(one)
    known = {name for one in found for name in one.tables}
    for name, table in plan.tables.items():
        if name not in known:
            yield ""
            yield f"table {name}: nothing is known; allowed: more epsilon, or more privacy units"
        others = not_modelled(table)
        if others:
            yield f"table {name}: bounds are chosen without a look at {', '.join(others)}"


def cost_lines(plan: TuningPlan) -> Iterator[str]:
    """Yields what accounted tuning costs."""
    charge = plan.charge
    assert charge is not None
    price = charge.calibration.price
    assert price is not None
    yield (
        f"this tuning costs epsilon {price.epsilon:.4g} at delta {price.delta:g}, once, and the "
        f"release beside it: {len(charge.mechanisms)} noisy histograms of what units contribute"
    )


def _group_lines(found: Recommendation) -> Iterator[str]:
    yield f"table {', '.join(found.tables)}"
    rows = [_row("config", found.now)]
    for number in found.shown[1:] if found.best == found.current else found.shown:
        points = [next((one for one in of if one.point == number), None) for of in found.errors]
        known = [point for point in points if point is not None]
        label = in_words(found.grid.points[number])
        if len(known) == len(points):
            rows.append(_row(label + (" best" if number == found.best else ""), known))
    rows.append(_row("recommended", found.then))
    lines = [_HEADER, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for first, *others in lines:
        numbers = map(str.rjust, others, widths[1:])
        yield f"  {'  '.join([first.ljust(widths[0]), *numbers])}"
    if found.best != found.current and found.at_an_end:
        yield "  the best is at an end of what was tried; --grid tries more"
    for metric in found.then[0].metrics:
        clip = f", clip times {metric.factor:g}" if metric.factor != 1 else ""
        yield f"  {metric.metric}: error {_percent(metric.error)}{clip}"


def _row(label: str, points: Sequence[PointError]) -> tuple[str, ...]:
    def mean(values: Iterator[float]) -> float:
        found = list(values)
        return sum(found) / len(found)

    parts = [
        mean(metric.parts[part] for point in points for metric in point.metrics) for part in PARTS
    ]
    error = mean(point.error for point in points)
    released = mean(point.released for point in points)
    return (label, *map(_percent, [error, *parts, 1 - released]))


def in_words(bounds: Bounds) -> str:
    """Returns bounds in a few words."""
    if bounds.max_contributions is not None:
        return f"L1 {bounds.max_contributions}"
    return f"L0 {bounds.max_partitions_contributed} x Linf {bounds.max_contributions_per_partition}"


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def to_dict(plan: TuningPlan, found: Sequence[Recommendation]) -> dict[str, Any]:
    """Returns what was found as JSON values: all points of all grids."""
    return {
        "release": plan.release.spec.release,
        "data": plan.mode.declaration,
        "tables": [
            {
                "tables": list(one.tables),
                "now": [_point_to_dict(one, point) for point in one.now],
                "recommended": [_point_to_dict(one, point) for point in one.then],
                "shares": dict(one.shares),
                "tried": [[_point_to_dict(one, point) for point in of] for of in one.errors],
            }
            for one in found
        ],
    }


def _point_to_dict(found: Recommendation, point: PointError) -> dict[str, Any]:
    bounds = {
        name: value for name, value in asdict(found.grid.points[point.point]).items() if value
    }
    return {
        "bounds": bounds,
        "error": point.error,
        "partitions_released": point.released,
        "mass_released": point.shown,
        "metrics": {
            one.metric: {"clip_times": one.factor, "error": one.error, **one.parts}
            for one in point.metrics
        },
    }
