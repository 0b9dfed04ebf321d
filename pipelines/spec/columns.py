"""Which columns of the input a release reads, where its config names them, and what for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pipelines.spec.errors import KeyPath

Role = Literal["value", "identity"]
"""What a column is read for: numbers to compute with (`value`), or values that are only told apart
(`identity`): privacy units, keys, and what `distinct_count` counts."""


class NamedColumn(NamedTuple):
    """A column where a config names it.

    Attributes:
        path: Place in the config, for a later check to point at: `("privacy", "unit", 0)`.
        column: The column.
        role: What it is read for.
    """

    path: KeyPath
    column: str
    role: Role

    def inside(self, *path: str | int) -> NamedColumn:
        """Returns the same with the steps to the part of the config that has the path."""
        return self._replace(path=(*path, *self.path))


class InputColumn(NamedTuple):
    """A column of the input where a config names it, by itself or in an expression.

    Attributes:
        path: Place in the config.
        column: The column.
        role: What it is read for.
        at: Place in the expression: characters before the name; None outside of expressions.
    """

    path: KeyPath
    column: str
    role: Role
    at: int | None = None
