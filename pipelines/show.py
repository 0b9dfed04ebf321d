"""Shows the top of a released table on a terminal, each number with its error."""

from __future__ import annotations

import math

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transforms.plan import TablePlan
from transforms.table import released_columns

_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")

_NO_KEY = "(other)"
"""What is shown for the keys of the row of other partitions."""


class _Console(Console):
    """A console that leaves it to the caller what to do when nobody reads on."""

    def on_broken_pipe(self) -> None:
        """Raises the BrokenPipeError that is being handled."""
        raise


def show_table(plan: TablePlan, frame: pl.DataFrame, rows: int) -> None:
    """Prints the rows with the largest first metric.

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
        console.print(f"[bold]{plan.name}[/bold], largest {values[0]} first, with 95 % intervals")
        top = frame.top_k(rows, by=values[0])
    else:
        console.print(f"[bold]{plan.name}[/bold], the first partitions")
        top = frame.head(rows)
    table = Table(box=None, header_style="bold")
    for key in plan.keys:
        table.add_column(_text(key))
    for name in values:
        table.add_column(name, justify="right")
    for row in top.iter_rows(named=True):
        table.add_row(
            *(_text(_NO_KEY if row[key] is None else row[key]) for key in plan.keys),
            *(_cell(*(row[column] for column in released_columns(name))) for name in values),
        )
    console.print(table)


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
