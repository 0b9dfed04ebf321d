"""Shows the top of a released table on a terminal, each number with its error."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transforms.plan import TablePlan

_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


def show_table(plan: TablePlan, frame: pl.DataFrame, rows: int) -> None:
    """Prints the rows with the largest first metric.

    Args:
        plan: The table.
        frame: What was published.
        rows: How many rows to print.
    """
    values = [name for metric in plan.metrics for name in metric.released]
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
            *(_cell(row, name) for name in values),
        )
    console.print(table)


def _text(key: object) -> Text:
    # A key is anybody's text: neither markup nor escape sequences of it reach the terminal.
    return Text(str(key).translate(_CONTROLS))


def _cell(row: dict[str, float], name: str) -> str:
    half_width = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
    digits = 0 if row[f"{name}_std"] >= 10 else 1
    return f"{row[name]:,.{digits}f} ± {half_width:,.{digits}f}"
