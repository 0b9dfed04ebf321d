"""Shows the top of a released table on a terminal, each number with its error."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transforms.plan import TablePlan
from transforms.table import released_columns

_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


def show_table(plan: TablePlan, frame: pl.DataFrame, rows: int) -> None:
    """Prints the rows with the largest first metric.

    Args:
        plan: The table.
        frame: What was published.
        rows: How many rows to print.
    """
    values = [name for name in frame.columns if set(released_columns(name)) <= set(frame.columns)]
    console = Console()
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
            *(_text(row[key]) for key in plan.keys),
            *(_cell(*(row[column] for column in released_columns(name))) for name in values),
        )
    console.print(table)


def _text(key: object) -> Text:
    # A key is anybody's text: neither markup nor escape sequences of it reach the terminal.
    return Text(str(key).translate(_CONTROLS))


def _cell(value: float | None, std: float | None, low: float | None, high: float | None) -> str:
    """Returns a value with half the width of its interval, which need not be symmetric."""
    if value is None or std is None or low is None or high is None:
        return "-"
    digits = 0 if std >= 10 else 1
    return f"{value:,.{digits}f} ± {(high - low) / 2:,.{digits}f}"
