"""The tables of a release one by one: a table with levels is one for each of them.

A level is a table like any other, with the keys of its own; what it does not name comes from the
table around it. Its share is its part of the share of the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.spec.columns import NamedColumn
from pipelines.spec.errors import KeyPath
from pipelines.spec.level_spec import LevelSpec
from transforms.table import OTHER, SELECTION

if TYPE_CHECKING:
    from pipelines.spec.table_spec import TableSpec


@dataclass(frozen=True)
class PlacedTable:
    """One table of the engine, and where the config says what is in it.

    Attributes:
        name: Its name, which is that of its files.
        spec: What is in it; without levels.
        table: Name of the table in the config.
        level: Position among the levels of that table; None for a table without levels.
        own: Keys of the config that the level has itself; `keys` where it is more than a list.
    """

    name: str
    spec: TableSpec
    table: str
    level: int | None = None
    own: frozenset[str] = frozenset()

    @property
    def path(self) -> KeyPath:
        """Place of the table, or of the level, in the config."""
        if self.level is None:
            return "tables", self.table
        return "tables", self.table, "levels", self.level

    @property
    def is_projection(self) -> bool:
        """Whether its public keys are those of a table, with fewer key columns."""
        return self.level is not None and self.spec.public is not None and "public" not in self.own

    def place(self, *steps: str | int) -> KeyPath:
        """Returns where the config has something that is said of this table.

        Args:
            steps: Steps inside the table: `("bounds", "max_contributions")`.

        Returns:
            The place inside the level, if it says that itself, else inside the table.
        """
        if self.level is None or steps[:1] == () or steps[0] in ("share", *self.own):
            return (*self.path, *steps)
        if steps[0] == "keys":
            return (*self.path, *steps[1:])
        return ("tables", self.table, *steps)

    def key_places(self) -> Iterator[tuple[KeyPath, str]]:
        """Yields the key columns, each with its place in the config."""
        for named in self.spec.key_places():
            yield self.place(*named.path), named.column

    def named_columns(self) -> Iterator[NamedColumn]:
        """Yields the columns of keys and of metrics, each with its place in the config."""
        for named in self.spec.named_columns():
            yield named._replace(path=self.place(*named.path))


def placed_tables(name: str, table: TableSpec) -> list[PlacedTable]:
    """Returns a table of the config as those that are made of it.

    Args:
        name: Its name.
        table: What the config says.

    Returns:
        One without levels, or one per level.
    """
    if table.levels is None:
        return [PlacedTable(name, table, name)]
    levels = [
        level if isinstance(level, LevelSpec) else LevelSpec(keys=level) for level in table.levels
    ]
    together = sum(level.share for level in levels)
    return [
        PlacedTable(
            level.name or level_name(name, level.keys),
            _level_table(table, level, table.share * level.share / together),
            name,
            position,
            frozenset(level.model_fields_set if isinstance(given, LevelSpec) else ()),
        )
        for position, (level, given) in enumerate(zip(levels, table.levels, strict=True))
    ]


def level_name(table: str, keys: tuple[str, ...]) -> str:
    """Returns the name of a level's table: `uses_by_country_region`."""
    words = (re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_") for key in keys)
    return f"{table}_by_{'_'.join(words)}"


def _level_table(table: TableSpec, level: LevelSpec, share: float) -> TableSpec:
    own = level.model_fields_set - {"keys", "name", "share"}
    said: dict[str, Any] = {field: getattr(level, field) for field in own}
    said |= {"keys": level.keys, "levels": None, "consistent": False, "share": share}
    if "public" in own:
        said.setdefault("selection", None)
    elif "selection" in own:
        said["public"] = None
    else:
        said["public"] = _projected(table.public, level.keys)
    one = table.model_copy(update=said)
    if "shares" not in own and isinstance(one.shares, dict):
        needless = {SELECTION} if one.public is not None else set()
        needless |= set() if one.other else {OTHER}
        shares = {name: part for name, part in one.shares.items() if name not in needless}
        one = one.model_copy(update={"shares": shares})
    return one


def _projected(public: Any, keys: tuple[str, ...]) -> Any:
    """Returns the public keys of a table for a level that has fewer key columns."""
    match public:
        case dict():
            return {key: public[key] for key in keys if key in public}
        case tuple():
            return tuple({key: row[key] for key in keys if key in row} for row in public)
        case _:
            return public
