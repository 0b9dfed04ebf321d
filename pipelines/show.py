"""Shows the top of a released table on a terminal, each number with its error."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transforms.plan import MetricPlan, TablePlan

_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


def show_table(plan: TablePlan, frame: pl.DataFrame, rows: int) -> None:
    """Prints the rows with the largest first metric.

    Args:
        plan: The table.
        frame: What was published.
        rows: How many rows to print.
    """
    first = plan.metrics[0].name
    console = Console()
    console.print(f"[bold]{plan.name}[/bold], largest {first} first, with 95 % intervals")
    table = Table(box=None, header_style="bold")
    for key in plan.keys:
        table.add_column(_text(key))
    for metric in plan.metrics:
        table.add_column(metric.name, justify="right")
    for row in frame.top_k(rows, by=first).iter_rows(named=True):
        table.add_row(
            *(_text(row[key]) for key in plan.keys),
            *(_cell(row, metric) for metric in plan.metrics),
        )
    console.print(table)


def _text(key: object) -> Text:
    # A key is anybody's text: neither markup nor escape sequences of it reach the terminal.
    return Text(str(key).translate(_CONTROLS))


def _cell(row: dict[str, float], metric: MetricPlan) -> str:
    half_width = (row[f"{metric.name}_high"] - row[f"{metric.name}_low"]) / 2
    digits = 0 if metric.noise_std >= 10 else 1
    return f"{row[metric.name]:,.{digits}f} ± {half_width:,.{digits}f}"
