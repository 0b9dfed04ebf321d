"""What a report says in sentences: the budget, the price found in two ways, the tables, caveats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.numbers import short_number
from pipelines.price import price_method
from pipelines.report.published import PublishedRelease, PublishedTable
from pipelines.report.words import visible

BOUNDS = {
    "max_partitions_contributed": "partitions that one privacy unit counts in, at most",
    "max_contributions_per_partition": "rows of one privacy unit that count in a partition, at most",
    "max_contributions": "rows of one privacy unit that count in the table, at most",
}
"""Bounds in words."""


def budget(plan: Mapping[str, Any]) -> str:
    """Returns the budget of a release: `epsilon 1, delta 1e-08`."""
    stated = "rho" if "rho" in plan else "epsilon"
    return f"{stated} {plan[stated]:g}, delta {plan['delta']:g}"


def prices(plan: Mapping[str, Any]) -> list[list[str]]:
    """Returns what a release costs, found in two ways.

    Returns:
        For each delta: epsilon by the accountant, delta, how it was found, and the bounds of
        formulas that share no code with it.
    """
    price = plan["price"]
    return [
        [
            f"{one['epsilon']:.6g}",
            f"{one['delta']:g}",
            price_method(one["method"]),
            f"{one['lower']:.6g} to {one['upper']:.6g}",
        ]
        for one in price.get("at_deltas", [price])
    ]


def about_table(table: PublishedTable) -> list[str]:
    """Returns sentences about the rows of a table: which there are, and why."""
    plan = table.plan
    several = f"{table.rows.height:,} row{'' if table.rows.height == 1 else 's'}"
    if not table.selected:
        said = [f"{several}, one for each of {plan['public_partitions']:,} partitions that were listed in advance."]
        if table.rows.height != plan["public_partitions"]:
            said = [f"{several} of {plan['public_partitions']:,} partitions that were listed in advance; the others were dropped after the noise."]
    else:
        selection = plan["selection"]
        half = selection["units_for_probability"].get("0.5")
        often = f" A partition of {short_number(half)} privacy units is shown half of the time." if half else ""
        said = [
            f"{several}: the partitions that private selection ({selection['strategy'].replace('_', ' ')}) "
            f"shows. Which those are is noisy too; a missing partition may exist, with few privacy units.{often}"
        ]
    said += [f"After the noise: {visible(step['effect'], 400)}." for step in plan["post_processing"]]
    return said


def caveats(release: PublishedRelease) -> list[str]:
    """Returns what a reader of the numbers must know, as far as it is true of this release."""
    return list(_caveats(release.tables))


def _caveats(tables: Sequence[PublishedTable]) -> Iterator[str]:
    steps = {step["step"] for table in tables for step in table.plan["post_processing"]}
    if any(table.numbers for table in tables):
        yield (
            "Every number has noise. An interval holds the number before noise in 95 of 100 cases: "
            "of 100 intervals on this page, about 5 do not."
        )
    if "clamp_at_zero" not in steps:
        yield "Small numbers may come out negative; that is noise, and makes sums over many of them right on average."
    if "consistent" not in steps:
        yield "Numbers that would add up without noise do not: each has noise of its own."
    if any(table.plan["bounds"] for table in tables):
        yield (
            "Intervals are about noise only. Of privacy units with many rows only a part is counted, and "
            "values outside a clipping range count as its ends: numbers are lower than without these "
            "bounds, and no interval on this page covers that."
        )
    if any(table.selected for table in tables):
        yield (
            "Small partitions are hidden by selection, so sums over shown partitions miss them, and "
            "small groups are described less well than large ones."
        )
    joint = [table for table in tables if table.plan["compared_and_released"] is not None]
    if joint:
        named = ", ".join(f"{visible(t.plan['compared_and_released'])} of {visible(t.name)}" for t in joint)
        yield (
            f"The number that decides whether a partition is shown is published itself ({named}). Near the "
            "threshold only those with noise upwards are shown, so such numbers are too high on average."
        )
    if steps & {"top", "minimum", "suppress"}:
        yield "Rows were chosen by their noisy numbers: what stayed has noise above zero on average."
    if "clamp_at_zero" in steps:
        yield "Negative numbers were set to 0, which makes small numbers too high on average."
    if any(metric["metric"].startswith("quantiles") for t in tables for metric in t.plan["metrics"].values()):
        yield "Intervals of quantiles hold less than 95 % where a partition has few rows."
