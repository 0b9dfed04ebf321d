"""Shows the top of a released table on a terminal, each number with its error."""

from __future__ import annotations

import math
from itertools import accumulate

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transforms.plan import TablePlan
from transforms.table import released_columns

_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")

_GAP = 2
"""Blanks between two columns."""

_NO_KEY = "(other)"
"""What is shown for the keys of the row of other partitions."""


class _Console(Console):
    """A console that leaves it to the caller what to do when nobody reads on."""

    def on_broken_pipe(self) -> None:
        """Raises the BrokenPipeError that is being handled."""
        raise


def show_table(plan: TablePlan, frame: pl.DataFrame, rows: int) -> None:
    """Prints the rows with the largest first metric.

    Of the metrics, those are shown that fit the terminal beside the keys, and always the first.

    Args:
        plan: The table.
        frame: What was published.
        rows: How many rows to print.

    Raises:
        BrokenPipeError: Nobody reads what is printed.
    """
    values = [name for name in frame.columns if set(released_columns(name)) <= set(frame.columns)]
    console = _Console()
    if values:
        head = f"[bold]{plan.name}[/bold], largest {values[0]} first, with 95 % intervals"
        top = frame.top_k(rows, by=values[0])
    else:
        head = f"[bold]{plan.name}[/bold], the first partitions"
        top = frame.head(rows)
    console.print(head, soft_wrap=True)
    keys = [_key_column(top, key) for key in plan.keys]
    numbers = [_number_column(top, name) for name in values]
    room = console.width - min(sum(map(_width, keys)), console.width // 2)
    widths = accumulate(map(_width, numbers))
    fitting = max(1, sum(width <= room for width in widths))
    table = Table(box=None, header_style="bold")
    for key in keys:
        table.add_column(key[0])
    for number in numbers[:fitting]:
        table.add_column(number[0], justify="right", no_wrap=True, min_width=_width(number) - _GAP)
    for cells in zip(*(column[1:] for column in (*keys, *numbers[:fitting])), strict=True):
        table.add_row(*cells)
    least = sum(map(_width, numbers[:fitting])) + len(keys) * (1 + _GAP)
    console.width = max(console.width, least)
    console.print(table)
    left = len(numbers) - fitting
    if left > 0:
        console.print(f" and {left} more column{'' if left == 1 else 's'}", soft_wrap=True)


def _key_column(rows: pl.DataFrame, key: str) -> list[Text]:
    """Returns the cells of a key, its name first."""
    return [_text(key), *(_text(_NO_KEY if value is None else value) for value in rows[key])]


def _number_column(rows: pl.DataFrame, metric: str) -> list[Text]:
    """Returns the cells of a metric, its name first."""
    numbers = rows.select(released_columns(metric)).iter_rows()
    return [Text(metric), *(Text(_cell(*number)) for number in numbers)]


def _width(cells: list[Text]) -> int:
    """Returns the characters that a column takes, with the gap to the next."""
    return max(cell.cell_len for cell in cells) + _GAP


def _text(key: object) -> Text:
    # A key is anybody's text: neither markup nor escape sequences of it reach the terminal.
    return Text(str(key).translate(_CONTROLS))


def _cell(value: float | None, std: float | None, low: float | None, high: float | None) -> str:
    """Returns a value with its 95 % interval, as `±` where the value is in the middle."""
    if value is None or std is None or low is None or high is None:
        return "-"
    half_width = (high - low) / 2
    digits = 0 if isinstance(value, int) else _digits(half_width)
    if abs((low + high) / 2 - value) > half_width / 10 or math.isinf(half_width):
        return f"{value:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"
    return f"{value:,.{digits}f} ± {half_width:,.{digits}f}"


def _digits(error: float) -> int:
    """Returns how many digits behind the point show the two first digits of an error."""
    if not 0 < error < math.inf:
        return 0
    return min(6, max(0, 1 - math.floor(math.log10(error))))
