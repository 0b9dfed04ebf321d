"""Leaves out files whose folder says that none of their rows is in the input window.

`events/dt=2026-11-01/a.parquet` has the day of all its rows in its name, where `input.time` is
`dt`. Of such a file the window keeps all rows or none: each row has the value of the folder,
whatever the file holds. So the window itself is asked once per folder, about a row with its value,
and the rows of files of which it keeps none are not read. Those that are aggregated are the same.

Nothing is left out where that does not hold: the time is derived or is no column from folders, its
type is none that the window reads, or the glob of a file does not give the column.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.run.window import Window
from pipelines.sources.inputs import Input, InputFile
from transforms.text_types import parse

_WITH_DAYS = ("date", "timestamp")


def files_in_window(
    files: Sequence[InputFile], source: Input, window: Window | None, time: str | None
) -> list[InputFile]:
    """Returns the files that may have rows in a window.

    Args:
        files: All files of the input.
        source: What is read.
        window: The filter of the period; None for none.
        time: The column that the window is about.

    Returns:
        The files in order, without those of which the window keeps no row.
    """
    if window is None or window.after or source.folders.get(str(time)) not in _WITH_DAYS:
        return list(files)
    column, kind = str(time), source.folders[str(time)]
    texts = sorted({dict(file.folders).get(column) for file in files} - {None}, key=str)
    text = pl.Series(f"{column} text", texts, pl.String)
    rows = text.to_frame().with_columns(parse(pl.col(text.name), kind).alias(column))
    kept = set(window.preparation.apply_to_frame(rows)[text.name])
    return [
        file
        for file in files
        if column not in dict(file.folders) or dict(file.folders)[column] in kept
    ]
