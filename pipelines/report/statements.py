"""What a report says in sentences: the budget, the price found in two ways, the tables, caveats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.plan.price import price_method
from pipelines.report.published import PublishedRelease, PublishedTable
from pipelines.report.words import number_text, visible

BOUNDS = {
    "max_partitions_contributed": "partitions that one privacy unit counts in",
    "max_contributions_per_partition": "rows of one privacy unit that count in a partition",
    "max_contributions": "rows of one privacy unit that count in the table",
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
            number_text(one["epsilon"], 6),
            f"{one['delta']:g}",
            price_method(one["method"]),
            " to ".join(dict.fromkeys(number_text(one[bound], 6) for bound in ("lower", "upper"))),
        ]
        for one in price.get("at_deltas", [price])
    ]


def about_table(table: PublishedTable) -> list[str]:
    """Returns sentences about the rows of a table: which there are, and why."""
    rows = f"{table.rows.height:,} row{'' if table.rows.height == 1 else 's'}"
    said = _selected(table, rows) if table.selected else _listed(table, rows)
    steps = table.plan["post_processing"]
    return [said, *(f"After the noise: {visible(step['effect'], 400)}." for step in steps)]


def _selected(table: PublishedTable, rows: str) -> str:
    selection = table.plan["selection"]
    half = selection["units_for_probability"].get("0.5")
    often = (
        f" One with {number_text(half)} privacy units is shown half of the time." if half else ""
    )
    strategy = selection["strategy"].replace("_", " ")
    return (
        f"{rows}, the partitions that private selection ({strategy}) shows. "
        "Which those are is noisy too: a partition that is missing may exist, with few "
        f"privacy units.{often}"
    )


def _listed(table: PublishedTable, rows: str) -> str:
    listed = table.plan["public_partitions"]
    if table.rows.height == listed:
        return f"{rows}, one for each partition of a list that was made in advance."
    return f"{rows} of {listed:,} partitions that were listed in advance; the others were dropped."


def caveats(release: PublishedRelease) -> list[str]:
    """Returns what a reader of the numbers must know, as far as it is true of this release."""
    return [*_of_noise(release.tables), *_of_rows(release.tables)]


def _of_noise(tables: Sequence[PublishedTable]) -> Iterator[str]:
    steps = _steps(tables)
    if not any(table.numbers for table in tables):
        return
    yield (
        "Every number has noise. An interval holds the number before noise in 95 of 100 cases: "
        "of 100 intervals on this page, about 5 do not."
    )
    if "clamp_at_zero" in steps:
        yield "Negative numbers were set to 0, so small numbers are too high on average."
    else:
        yield (
            "Small numbers may come out negative. That is noise, and makes sums over many of them "
            "right on average."
        )
    if "consistent" not in steps:
        yield "Numbers that would add up without noise do not: each has noise of its own."
    if any(table.plan["bounds"] for table in tables):
        yield (
            "Intervals are about noise only. Of privacy units with many rows only a part is "
            "counted, and values outside a clipping range count as its ends. Numbers differ from "
            "those without these bounds, counts are lower, and no interval here covers that."
        )
    kinds = (metric["metric"] for table in tables for metric in table.plan["metrics"].values())
    if any(kind.startswith("quantiles") for kind in kinds):
        yield "Intervals of quantiles hold less than 95 % where a partition has few rows."


def _of_rows(tables: Sequence[PublishedTable]) -> Iterator[str]:
    if any(table.selected for table in tables):
        yield (
            "Small partitions are hidden by selection, so sums over the shown ones miss them, and "
            "small groups are described less well than large ones."
        )
    joint = [
        f"{visible(both)} of {visible(table.name)}"
        for table in tables
        if (both := table.plan["compared_and_released"]) is not None
    ]
    if joint:
        yield (
            "Where the number that decides what is shown is published itself "
            f"({', '.join(joint)}), partitions near the threshold are shown only if their noise "
            "is upwards: such numbers are too high on average."
        )
    if _steps(tables) & {"top", "minimum", "suppress"}:
        yield "Rows were chosen by noisy numbers: what stayed has noise above zero on average."


def _steps(tables: Sequence[PublishedTable]) -> set[str]:
    return {step["step"] for table in tables for step in table.plan["post_processing"]}
