"""The input window: of all rows, those of the days of a period.

It is a filter of its own, row by row, beside `where`, so that no row of another day is aggregated,
wherever it lies: that is what the ledger takes a release to cost nothing on other days for. A row
is on the day that its timestamp shows, in its own zone if it has one; a row without time is on no
day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.run.periods import ReleasePeriod
from pipelines.sources.inputs import Schema
from pipelines.spec import KeyPath, LoadedRelease, ProblemList
from pipelines.spec.declared_types import type_problems

if TYPE_CHECKING:
    from transforms.prepare.preparation import Preparation


@dataclass(frozen=True)
class Window:
    """The filter of a period.

    Attributes:
        preparation: The condition.
        after: Whether it is about a derived column, and so comes after the preparation.
    """

    preparation: Preparation
    after: bool


def input_window(release: LoadedRelease, period: ReleasePeriod) -> Window | None:
    """Returns the filter of the rows of a period; None where the series has no periods."""
    if period.every is None:
        return None
    from transforms.prepare.preparation import Preparation

    time = release.spec.input.time
    assert time is not None
    quoted = time.replace('"', '""')
    days = period.days
    where = f"date(\"{quoted}\") BETWEEN DATE '{days.first}' AND DATE '{days.last}'"
    return Window(Preparation({}, where), time in release.spec.derived_columns)


def check_window(
    release: LoadedRelease, window: Window | None, read: Schema, prepared: Schema
) -> None:
    """Checks that the column of the window has dates or timestamps.

    Args:
        release: The release series.
        window: Its window.
        read: Types of the columns that are read.
        prepared: Types of the columns of prepared rows.

    Raises:
        ConfigError: It does not.
    """
    if window is None:
        return
    problems = ProblemList(release.source)
    types = prepared if window.after else read
    paths: dict[str | None, KeyPath] = {None: ("input", "time")}
    found = type_problems(window.preparation, types, paths, release.spec.input)
    for path, message, _ in found:
        problems.add(path, message)
    problems.raise_if_any()
