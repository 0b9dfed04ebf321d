"""What can be wrong with the levels of a table before any file is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.fields import refused
from pipelines.spec.placed_tables import placed_tables
from pipelines.spec.publish_spec import PercentChangeSpec
from transforms.postprocess.consistency import check_nested
from transforms.table import released_columns

if TYPE_CHECKING:
    from pipelines.spec.table_spec import TableSpec

CONSISTENT = "_consistent"
"""What follows the name of a metric in the name of its adjusted one."""


def level_problems(table: TableSpec) -> Iterator[tuple[KeyPath, str]]:
    """Yields what is wrong with the levels of a table as such.

    Args:
        table: The table.

    Yields:
        Place inside the table, and message.
    """
    levels = placed_tables("", table)
    keys = list(dict.fromkeys(key for level in levels for key in level.spec.key_columns))
    listed = _listed(table)
    for key, place in listed.items():
        if key not in keys:
            yield (
                place,
                f"{key!r} is not a key of any level; allowed: {', '.join(keys)}"
                f"{did_you_mean(key, keys)}",
            )
    for level in levels:
        for index, key in enumerate(level.spec.key_columns):
            if listed and level.is_projection and key not in listed:
                yield (
                    level.place("keys", index)[2:],
                    f"public has nothing for the key {key!r}; "
                    f"allowed: {', '.join(listed)}, or public or selection in the level",
                )
    for name, metric in table.metrics.items():
        if isinstance(metric, PercentChangeSpec):
            yield (
                ("metrics", name),
                "compares with one file, which has the keys of one level only; "
                "allowed: in a table without levels",
            )
    if table.consistent:
        yield from _consistency_problems(table)


def _listed(table: TableSpec) -> dict[str, KeyPath]:
    """Returns the keys that the public keys of a table name, with their places."""
    match table.public:
        case dict():
            return {key: ("public", key) for key in table.public}
        case tuple():
            rows = list(enumerate(table.public))
            return {key: ("public", index, key) for index, row in reversed(rows) for key in row}
        case _:
            return {}


def _consistency_problems(table: TableSpec) -> Iterator[tuple[KeyPath, str]]:
    place: KeyPath = ("consistent",)
    metrics = table.metrics_that_add_up()
    if not metrics:
        yield place, "no metric of the table is a count or sum; allowed: with one of these"
    taken = {column for name in table.metrics for column in released_columns(name)}
    for name in metrics:
        repeated = sorted(taken.intersection(released_columns(name + CONSISTENT)))
        if repeated:
            yield (
                ("metrics", name),
                f"consistent adds {', '.join(repeated)}, which is there already; "
                "allowed: another name",
            )
    levels = sorted(placed_tables("", table), key=lambda level: len(level.spec.key_columns))
    if len(levels) == 1:
        yield place, "there is one level only; allowed: two or more"
    for coarser, finer in pairwise(levels):
        keys = [coarser.spec.key_columns, finer.spec.key_columns]
        yield from refused(finer.path[2:], partial(check_nested, keys))
    for level in levels:
        if level.spec.public is None:
            yield (
                level.path[2:],
                "its partitions are selected privately, so a parent may have children that are "
                "not released; allowed with consistent: public keys on all levels",
            )
