"""The parameters of a release as tables: bounds, mechanisms, noise, thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.report.grid import Grid
from pipelines.report.published import PublishedRelease, PublishedTable
from pipelines.report.statements import BOUNDS
from pipelines.report.words import DASH, OTHER, number_text, visible


def release_parameters(release: PublishedRelease) -> Grid:
    """Returns what decides what the release is about."""
    plan = release.plan
    unit = " + ".join(plan["guarantee"]["privacy_unit"]) or "row"
    rows = [
        ["privacy unit", visible(unit)],
        ["bounding", visible(plan["guarantee"]["bounding"])],
        ["adjacency", visible(plan["guarantee"]["adjacency"].replace("_", " or "))],
    ]
    for name in ("where", "row_restriction"):
        if plan.get(name):
            rows.append([name.replace("_", " "), visible(str(plan[name]), 400)])
    rows += [
        [f"column {visible(name)}", visible(str(expression), 400)]
        for name, expression in (plan.get("columns") or {}).items()
    ]
    return Grid("parameters-release", "The release", ["parameter", "value"], 2, rows)


def table_parameters(table: PublishedTable, prefix: str) -> list[Grid]:
    """Returns the bounds and the mechanisms of a table."""
    bounds = [
        [BOUNDS.get(name, name), f"{bound:,}"] for name, bound in table.plan["bounds"].items()
    ]
    grids = []
    if bounds:
        grids.append(
            Grid(
                f"{prefix}-bounds",
                f"Bounds of {visible(table.name)}",
                ["bound", "value"],
                1,
                bounds,
            )
        )
    names = ["number", "is", "mechanism", "sensitivity", "standard deviation", "95 % interval"]
    mechanisms = [*_selection(table.plan), *_metrics(table.plan)]
    grids.append(
        Grid(f"{prefix}-mechanisms", f"Mechanisms of {visible(table.name)}", names, 3, mechanisms)
    )
    return grids


def _selection(plan: Mapping[str, Any]) -> Iterator[list[str]]:
    selection = plan["selection"]
    if selection is None:
        return
    threshold = selection["threshold"]
    at = f"threshold {number_text(threshold)}" if threshold else "no threshold"
    delta = plan["mechanisms"]["selection"].get("delta")
    spent = f", delta {delta:.3g}" if delta else ""
    yield [
        "selection",
        f"partitions to show, {selection['partitions_per_unit']:,} of a unit at most",
        f"{selection['strategy'].replace('_', ' ')}, {at}{spent}",
        DASH,
        DASH,
        DASH,
    ]


def _metrics(plan: Mapping[str, Any]) -> Iterator[list[str]]:
    for prefix, metrics in (("", plan["metrics"]), (f"{OTHER} ", plan.get("other", {}))):
        for metric in metrics.values():
            for name, noise in metric["noise"].items():
                sensitivity = noise["sensitivity"]
                key = f"other:{name}" if prefix else name
                yield [
                    prefix + visible(name),
                    visible(_described(metric), 200),
                    _kind(plan, key),
                    f"{number_text(sensitivity['size'])} ({sensitivity['norm'].upper()})",
                    number_text(noise["std"]),
                    f"± {number_text(noise['half_width_95'])}",
                ]


def _described(metric: Mapping[str, Any]) -> str:
    limits = [
        f"{name.replace('_', ' ')} {number_text(low, 15)} to {number_text(high, 15)}"
        for name in ("clip", "clip_total")
        if (found := metric["parameters"].get(name)) is not None
        for low, high in [found]
    ]
    return ", ".join([metric["metric"], *limits])


def _kind(plan: Mapping[str, Any], name: str) -> str:
    mechanism = plan["mechanisms"].get(name)
    if mechanism is None:
        return f"{plan['mechanisms']['selection']['noise']['kind']}, the draw of selection"
    return str(mechanism["kind"])
