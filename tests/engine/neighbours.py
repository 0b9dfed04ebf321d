"""What a mechanism's noise has to hide: how far neighbouring data sets are apart."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from zlib import crc32

from oracle import as_dict
from strategies import arrow

from transforms.local import exact_partials
from transforms.mechanisms import ThresholdSelection
from transforms.metrics import DistinctCount, Quantiles

KEYS_OF_RELEASE = ("word", "day", "level")


def vectors(table, plan, in_other=lambda partition: True):
    """The integers that each mechanism adds noise to: {mechanism: {entry: integer}}.

    Args:
        table: Bounded sums per partition, in the form of the oracle.
        plan: The table's plan.
        in_other: Whether a partition was not selected, if the plan has a row of other partitions.
    """
    found = {name: Counter() for name in plan.mechanisms if name != "selection"}
    for partition, values in table.items():
        for name, entries in integers(values, plan.metrics).items():
            found.setdefault(name, Counter()).update(
                {(partition, *entry): n for entry, n in entries.items()}
            )
        for name in ("users", "weight"):
            if name in values:
                found.setdefault(f"({name})", Counter())[partition] = values[name]
    if plan.other:
        merged = {}
        for partition, values in table.items():
            for name, value in values.items() if in_other(partition) else ():
                merged[name] = merged[name] + value if name in merged else value
        if merged:
            for name, entries in integers(merged, plan.other).items():
                found[f"other:{name}"] = entries
    return found


def integers(values, metrics):
    """The integers of one partition: {mechanism: {entry: integer}}."""
    found = {}
    for planned in metrics:
        if not planned.noises:
            continue
        match planned.metric:
            case Quantiles() as metric:
                found[planned.name] = nodes(values[planned.name], metric)
            case DistinctCount():
                found[planned.name] = Counter({(): len(values[planned.name])})
            case _:
                for noise in planned.noises:
                    found[planned.name + noise.component.suffix] = Counter(
                        {
                            (suffix,): values[planned.name + suffix]
                            for suffix in noise.component.column_suffixes
                        }
                    )
    return found


def nodes(leaves, metric):
    """Rows in each node below the root: {(level, node): rows}."""
    shape, found = metric.shape, Counter()
    for leaf, rows in leaves.items():
        for level in range(1, shape.height + 1):
            found[level, leaf // shape.branching ** (shape.height - level)] += rows
    return found


def distances(before, after, plan, in_other=lambda partition: True):
    """Changes that are not zero, per mechanism: {mechanism: [change]}."""
    first, second = vectors(before, plan, in_other), vectors(after, plan, in_other)
    moved = {}
    for name in first.keys() | second.keys():
        one, other = first.get(name, Counter()), second.get(name, Counter())
        changes = (other[entry] - one[entry] for entry in one.keys() | other.keys())
        moved[name] = [change for change in changes if change]
    return moved


def mechanisms_of_metrics(plan):
    """Every mechanism but the selection, and that of a number that the selection compares."""
    found = {name: m for name, m in plan.mechanisms.items() if name != "selection"}
    for metric in plan.metrics:
        found |= metric.mechanisms
    return found


def assert_hidden(before, after, plan):
    """Two tables are no further apart than each mechanism of the plan allows for."""
    moved = distances(before, after, plan)
    some = distances(before, after, plan, lambda partition: crc32(repr(partition).encode()) % 2)
    for name, mechanism in mechanisms_of_metrics(plan).items():
        for sizes in ([abs(change) for change in found.get(name, ())] for found in (moved, some)):
            assert len(sizes) <= mechanism.l0, name
            assert max(sizes, default=0) <= mechanism.linf, name
            assert sum(sizes) <= mechanism.l1, name
            assert sum(size**2 for size in sizes) <= Fraction(mechanism.l2) ** 2, name
    if plan.selection is not None:
        users = moved.get("(users)", [])
        changed = plan.guarantee.changed
        assert len(users) <= plan.selection.l0 * changed
        if isinstance(plan.selection, ThresholdSelection) and not plan.needs_weights:
            assert len(users) <= plan.selection.noise.l0
        assert all(abs(change) == 1 for change in users)
        weights = moved.get("(weight)", [])
        assert sum(change**2 for change in weights) <= changed * 2**40
        if weights:
            assert math.hypot(*weights) <= plan.selection.noise.l2


def exact(rows, unit, plan, key):
    """The engine's bounded sums, in the form of the oracle."""
    return as_dict(exact_partials(arrow(rows), unit, plan, key), plan)


def things(rows, unit, bounding):
    """What the guarantee is about: the sets of positions of rows that may go away together.

    With `unit_partition` these are the rows of one unit with the same values of all keys of the
    release, of which a table has only some.
    """
    names = {"unit": unit, "unit_partition": (*unit, *KEYS_OF_RELEASE)}.get(bounding)
    if names is None:
        return [{position} for position in range(len(rows))]
    found = {}
    for position, row in enumerate(rows):
        who = tuple(_comparable(row[name]) for name in names)
        if None not in who[: len(unit)]:
            found.setdefault(who, set()).add(position)
    return list(found.values())


def without(rows, thing):
    """The rows at other positions."""
    return [row for position, row in enumerate(rows) if position not in thing]


def _comparable(value):
    if isinstance(value, float):
        return None if math.isnan(value) else value + 0.0
    return value
