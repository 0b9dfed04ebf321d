"""Columns that come from the names of folders: `events/dt=2026-11-01/a.parquet` has a column `dt`.

A glob says which: each of its folders that begins with a name and `=` gives a column of that name,
whatever follows (`dt=*`, `dt=2026-11-*`, `dt=2026-11-01`). Other folders on the path of a file give
none, so that the columns of a release stand in its config and not in its data. Of two folders with
one name the deeper one counts. A column that is in the file too is taken from the folder, as by
Hive, Spark and DuckDB: else it would depend on the file which of the two is read.

| folder | value |
|---|---|
| `dt=2026-11-01` | what follows `=`, `%xx` decoded, as the type in `input.types`, else text |
| `dt=__HIVE_DEFAULT_PARTITION__`, `dt=` | null |
| text that does not parse as its declared type | null; refused if it is so in every file |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

FolderValues = tuple[tuple[str, str | None], ...]
"""Columns and values that a file has from its folders."""

_NAMED = re.compile(r"([^*?\[\]=]+)=(.*)", re.DOTALL)
_NULLS = ("", "__HIVE_DEFAULT_PARTITION__")


def folder_columns(glob: str) -> tuple[str, ...]:
    """Returns the columns that a glob takes from folder names, in its order.

    Args:
        glob: Glob of files, relative or not.

    Returns:
        The names, `%xx` decoded. One that stands between two `**` is left out: which folder of a
        path it is cannot be told.
    """
    return tuple(name for name, _ in _named_folders(glob))


def chosen_columns(glob: str) -> tuple[str, ...]:
    """Returns the columns of folder names by whose values a glob chooses rows (`dt=2026-*`)."""
    folders = glob.split("/")
    return tuple(name for name, at in _named_folders(glob) if not folders[at].endswith("=*"))


def folder_values(glob: str, path: str) -> FolderValues:
    """Returns the columns of a file that come from its folders.

    Args:
        glob: A glob.
        path: Path or URL of a file that it matches.

    Returns:
        Columns with the text of their values, in the order of the glob.
    """
    folders = path.split("/")
    found = []
    for name, position in _named_folders(glob):
        match = _NAMED.fullmatch(folders[position])
        if match is not None:
            found.append((name, _value(match[2])))
    return tuple(found)


def _named_folders(glob: str) -> Iterator[tuple[str, int]]:
    """Yields names with their place on a path, from its end where `**` stands before them."""
    *folders, _ = steps = glob.split("/")
    deep = [number for number, step in enumerate(steps) if "**" in step]
    for number, step in enumerate(folders):
        match = _NAMED.fullmatch(step)
        if match is None or "**" in step:
            continue
        if not deep or number < deep[0]:
            yield unquote(match[1]), number
        elif number > deep[-1]:
            yield unquote(match[1]), number - len(steps)


def _value(text: str) -> str | None:
    return None if text in _NULLS else unquote(text)
