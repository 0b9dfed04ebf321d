"""Tables of a page, as texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.report.words import OTHER, key_text, number_with_error, visible
from transforms.table import released_columns


@dataclass(frozen=True)
class Grid:
    """A table of a page.

    Attributes:
        id: Id of the element, unique in the page.
        caption: What it shows.
        names: Its columns.
        keys: How many of them, from the left, name the row; the others are numbers.
        rows: Cells of each row.
        folded: Whether it opens on demand only.
    """

    id: str
    caption: str
    names: Sequence[str]
    keys: int
    rows: Sequence[Sequence[str]]
    folded: bool = False


def number_grid(
    frame: pl.DataFrame, keys: Sequence[str], numbers: Sequence[str], grid_id: str, caption: str
) -> Grid:
    """Returns published rows as a table, each number with its 95 % interval.

    Args:
        frame: Published rows, keys as text.
        keys: Key columns.
        numbers: Numbers that have columns of errors.
        grid_id: Id of the element.
        caption: What it shows.
    """
    names = [visible(name) for name in (*keys, *numbers)]
    rows = []
    for row in frame.iter_rows(named=True):
        texts = [row[key] for key in keys]
        other = all(text is None for text in texts)
        cells = [OTHER if other else key_text(text) for text in texts]
        for number in numbers:
            value, _, low, high = released_columns(number)
            cells.append(number_with_error(row[value], row[low], row[high]))
        rows.append(cells)
    return Grid(grid_id, caption, names, len(keys), rows)
