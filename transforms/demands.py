"""What the tables of a release want of its budget: one demand per mechanism, with its share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from transforms.accounting import Demand
from transforms.bounds import Guarantee
from transforms.budget import AnyBudget, Budget
from transforms.mechanisms import AUTO, THRESHOLD_NOISE
from transforms.table import OTHER, SELECTION, PrivateSelection, Table


def demands(tables: Mapping[str, Table], guarantee: Guarantee) -> Iterator[Demand]:
    """Yields the demands of all tables. Selection by a threshold has two: its noise, and delta.

    Args:
        tables: Tables by name, with nothing left to choose.
        guarantee: What is protected.
    """
    for name, table in tables.items():
        for mechanism, part in share_of_each(table).items():
            share = float(part * Fraction(table.share))
            if mechanism == SELECTION:
                yield from _of_selection(name, table, guarantee, share)
            else:
                assert table.noise != AUTO
                yield Demand(full_name(name, mechanism), table.noise, share)


def _of_selection(name: str, table: Table, guarantee: Guarantee, share: float) -> Iterator[Demand]:
    assert isinstance(table.partitions, PrivateSelection)
    strategy = table.partitions.strategy
    assert strategy != AUTO
    own_name = full_name(name, SELECTION)
    if strategy == "truncated_geometric":
        changed = l0_of(table, guarantee) * guarantee.changed
        yield Demand(own_name, "truncated_geometric", share, changed)
        return
    yield Demand(own_name, THRESHOLD_NOISE[strategy], share)
    yield Demand(threshold_name(name), "threshold", share)


def full_name(table: str, mechanism: str) -> str:
    """Returns the name of a demand."""
    return f"{table}.{mechanism}"


def threshold_name(table: str) -> str:
    """Returns the name of the demand of delta for a table's threshold."""
    return f"{full_name(table, SELECTION)}:threshold"


def other_name(mechanism: str) -> str:
    """Returns the name that a metric's mechanism has in the row of other partitions."""
    return f"{OTHER}:{mechanism}"


def l0_of(table: Table, guarantee: Guarantee) -> int:
    """Returns the partitions of a table that one protected thing can change."""
    return guarantee.max_partitions(table.bounds) or 1


def share_of_each(table: Table) -> dict[str, Fraction]:
    """Returns the part of the table's budget of each mechanism; they add up to 1."""
    shares: dict[str, Fraction] = {}
    for spender, share in table.spenders.items():
        if spender == SELECTION:
            names = [SELECTION]
        elif spender == OTHER:
            names = [
                other_name(name) for metric in table.in_other for name in _names(table, metric)
            ]
        else:
            names = _names(table, spender)
        shares |= {name: Fraction(share) / len(names) for name in names}
    total = sum(shares.values(), Fraction(0))
    return {name: share / total for name, share in shares.items()}


def check_delta(tables: Mapping[str, Table], budget: AnyBudget) -> None:
    """Raises a ValueError when a mechanism needs delta and the budget has none."""
    if budget.delta:
        return
    for name, table in tables.items():
        for mechanism in share_of_each(table):
            pure = isinstance(budget, Budget)
            if mechanism == SELECTION or (pure and table.noise == "gaussian"):
                raise ValueError(
                    f"delta is 0, but {name}.{mechanism} needs some; allowed: a delta above 0, "
                    f"or public keys{' with laplace noise' if pure else ''}"
                )


def _names(table: Table, metric: str) -> list[str]:
    return [metric + component.suffix for component in table.metrics[metric].components]
