"""Gates on the files of the input: by their names and sizes, before any of them is opened.

A day is missing when no file is of it, whatever files hold: one whose files have no rows is there.
Files of 0 bytes count as little as they do for reading: only JSON Lines have such files.

Names and sizes of files are seen by whoever runs a release, and come from the writer of the input.
They may follow from rows, even from those of one person (a writer that makes no folder for a day
without rows; a byte more or less), so what is decided on them is outside the guarantee: that there
is no release, or which days it calls missing, is a side channel, and is stated as one. Messages
have no sizes, and what is published has no sizes or numbers of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import polars as pl

from pipelines.gates.outcome import Outcome, Stop
from pipelines.gates.period_gates import oldest_day
from pipelines.publication.completeness import Completeness, Missing
from pipelines.run.periods import ReleasePeriod
from pipelines.sources.inputs import InputFile
from pipelines.spec import LoadedRelease
from pipelines.spec.gates_spec import days_column
from transforms.text_types import parse


def input_gates(
    release: LoadedRelease, period: ReleasePeriod, files: Sequence[InputFile], today: date
) -> Outcome:
    """Looks whether there are files of each day, none too old, and as many as there should be.

    Args:
        release: The release series.
        period: Period of the release.
        files: The files that would be read.
        today: Today.
    """
    column = days_column(release.spec)
    days = [] if column is None else file_days(release, column, files)
    found = Completeness()
    if column is not None and period.every is not None:
        found = _missing_days(period, {day for day in days if day is not None})
    stops = [*_none(period, files), *_too_old(release, days, today), *_sizes(release, files)]
    gates = release.spec.gates
    looked = [key for key in ("files", "bytes") if getattr(gates, key) is not None]
    return Outcome(found + Completeness(tuple(looked)), tuple(stops))


def file_days(release: LoadedRelease, column: str, files: Sequence[InputFile]) -> list[date | None]:
    """Returns the day that each file is of, by its folder; None where that does not say.

    Args:
        release: The release series.
        column: The column from folder names that has the days.
        files: The files.
    """
    kind = release.spec.input.types.get(column)
    texts = pl.Series("text", [dict(file.folders).get(column) for file in files], pl.String)
    as_type = parse(pl.col("text"), "timestamp" if kind == "timestamp" else "date")
    return texts.to_frame().select(as_type.dt.date()).to_series().to_list()


def _missing_days(period: ReleasePeriod, there: set[date]) -> Completeness:
    days = [period.days.first + timedelta(days=number) for number in range(period.days.length)]
    missing = [str(day) for day in days if day not in there]
    gap = (Missing.of("days", missing, len(days)),) if missing else ()
    return Completeness(("days",), gap)


def _none(period: ReleasePeriod, files: Sequence[InputFile]) -> Iterator[Stop]:
    if not files:
        yield Stop(
            "days",
            ("input", "files"),
            f"no file is of {period.days}; allowed: at least one, whatever gates say",
        )


def _too_old(release: LoadedRelease, days: Sequence[date | None], today: date) -> Iterator[Stop]:
    oldest = oldest_day(release, today)
    found = [day for day in days if day is not None]
    if oldest is not None and found and min(found) < oldest:
        yield Stop(
            "retention",
            ("gates", "retention"),
            f"is {release.spec.gates.retention}, and there are files of {min(found)}; "
            f"allowed: files of {oldest} and later",
        )


def _sizes(release: LoadedRelease, files: Sequence[InputFile]) -> Iterator[Stop]:
    gates = release.spec.gates
    sizes = {"files": len(files), "bytes": sum(file.size for file in files)}
    for key, size in sizes.items():
        expected = getattr(gates, key)
        if expected is None or expected[0] <= size <= expected[1]:
            continue
        what = "fewer" if size < expected[0] else "more"
        yield Stop(
            key,
            ("gates", key),
            f"the input has {what} {key} than expected; allowed: {expected[0]} to {expected[1]}",
        )
