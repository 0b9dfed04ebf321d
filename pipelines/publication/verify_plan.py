"""Works a published plan out again: sensitivities, noise, thresholds, losses, and the price.

Everything follows from what the plan states as its parameters: the guarantee, bounds, metrics with
their clips, the scale of each mechanism, and steps of post-processing. No private file is read, and
nothing of the program that drew the release is trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.plan.json_values import table_to_dict
from pipelines.plan.price import price_to_dict
from pipelines.publication.compare import CLOSE, mismatches
from pipelines.publication.stated import StatedPlan, StatedTable
from transforms.accounting import AccountingError, Price, price
from transforms.accounting.losses import failure
from transforms.bounds import Guarantee
from transforms.budget import Budget
from transforms.mechanisms import AdditiveMechanism, GeometricSelection, ThresholdSelection
from transforms.metrics import PrivacyUnitCount
from transforms.plan import MetricPlan, TablePlan
from transforms.planning import ReleaseCost, stated_deltas
from transforms.sensitivity import Sensitivity, sensitivity
from transforms.table import SELECTION
from transforms.threshold_selection import threshold_selection

_TABLE = ("public_partitions", "public_sha256", "level_of")
"""What of a table follows from nothing else that is published."""


def plan_problems(stated: StatedPlan) -> list[str]:
    """Returns a line for each thing that a plan states and that does not follow.

    Args:
        stated: The plan.
    """
    try:
        return [
            *mismatches(stated.values["schema_version"], 1, "plan.schema_version"),
            *mismatches(stated.values["guarantee"], stated.guarantee.to_dict(), "plan.guarantee"),
            *(line for table in stated.tables for line in _table_problems(table)),
            *_price_problems(stated),
        ]
    except (ValueError, LookupError, TypeError, AccountingError, ArithmeticError) as error:
        return [f"plan: it cannot be worked out: {error}"]


def _table_problems(table: StatedTable) -> Iterator[str]:
    place = f"plan.tables.{table.plan.name}"
    for name, moved, mechanism in _moved(table.plan):
        for problem in mismatches(_sizes(mechanism), _sizes(moved), f"{place}.mechanisms.{name}"):
            yield f"{problem}, as follows from the bounds"
    yield from _selection_problems(table.plan, place)
    right = table_to_dict(table.plan, table.steps)
    right |= {name: table.values[name] for name in _TABLE if name in table.values}
    right["post_processing"] = [
        {**derived, **_of_baseline(step)}
        for derived, step in zip(
            right["post_processing"], table.values["post_processing"], strict=True
        )
    ]
    yield from mismatches(table.values, right, place)
    public = table.values["public_partitions"], table.values["public_sha256"]
    if table.plan.selection is None:
        right_kinds = type(public[0]) is int and public[0] > 0 and isinstance(public[1], str)
    else:
        right_kinds = public == (None, None)
    if not right_kinds:
        yield f"{place}: partitions are public, with number and digest, or selected, with neither"
    compared = table.plan.noisy_count
    if compared is not None and not _is_compared(table.plan, compared):
        yield f"{place}.compared_and_released is {compared!r}, which selection does not compare"


def _is_compared(table: TablePlan, name: str) -> bool:
    counts = (m.name for m in table.metrics if isinstance(m.metric, PrivacyUnitCount))
    return isinstance(table.selection, ThresholdSelection) and name == next(counts, None)


def _of_baseline(step: Mapping[str, Any]) -> dict[str, Any]:
    return {name: step[name] for name in ("baseline_rows",) if name in step}


def _moved(table: TablePlan) -> Iterator[tuple[str, Sensitivity, AdditiveMechanism]]:
    """Yields each mechanism of a metric with the sensitivity that follows from the bounds."""
    for metrics, merged in ((table.metrics, False), (table.other, True)):
        for metric in metrics:
            for name, found in _of_metric(metric, table, merged=merged):
                yield name, *found


def _of_metric(
    metric: MetricPlan, table: TablePlan, *, merged: bool
) -> Iterator[tuple[str, tuple[Sensitivity, AdditiveMechanism]]]:
    for noise in metric.noises:
        moved = sensitivity(noise.component.entries, table.bounds, table.guarantee, merged=merged)
        name = f"{'other:' if merged else ''}{metric.name}{noise.component.suffix}"
        yield name, (moved, noise.mechanism)


def _sizes(moved: Sensitivity | AdditiveMechanism) -> dict[str, Any]:
    return {
        "l0": moved.l0,
        "linf": moved.linf,
        "total": moved.total,
        "squares": moved.squares,
    }


def _selection_problems(table: TablePlan, place: str) -> Iterator[str]:
    selection, guarantee = table.selection, table.guarantee
    if selection is None:
        return
    place = f"{place}.mechanisms.{SELECTION}"
    l0 = guarantee.max_partitions(table.bounds) or 1
    if selection.l0 != l0:
        yield f"{place}.l0 is {selection.l0}; it should be {l0}, as follows from the bounds"
    if isinstance(selection, GeometricSelection):
        if selection.changed != guarantee.changed:
            yield f"{place}.changed is {selection.changed}; it should be {guarantee.changed}"
        return
    yield from mismatches(
        _sizes(selection.noise), _sizes(_compared(selection, guarantee)), f"{place}.noise"
    )


def _compared(selection: ThresholdSelection, guarantee: Guarantee) -> AdditiveMechanism:
    """Returns the noise of a selection with the sensitivities of what it compares."""
    return threshold_selection(
        selection.strategy,
        selection.noise.loss,
        selection.delta,
        selection.l0,
        guarantee.changed,
        selection.pre_threshold,
    ).noise


def _price_problems(stated: StatedPlan) -> Iterator[str]:
    losses, budget = stated.losses, stated.privacy.budget()
    if isinstance(budget, Budget):
        paid: tuple[Price, ...] = (price(losses, budget.delta),)
        used = paid[0].epsilon / budget.epsilon
    else:
        paid = tuple(price(losses, delta) for delta in stated_deltas(failure(losses)))
        used = paid[0].rho / budget.rho
    cost = ReleaseCost(budget, paid, used)
    yield from mismatches(stated.values["price"], price_to_dict(cost), "plan.price")
    if used > 1 + CLOSE:
        yield f"plan.price: the mechanisms cost {used:.6g} times the budget; allowed: at most 1"
    if failure(losses) > budget.delta * (1 + CLOSE):
        yield (
            f"plan.price: selections fail with probability {failure(losses):.3g}; allowed: at most "
            f"delta, which is {budget.delta:g}"
        )
