"""Seeded, realistic emoji keyboard telemetry as Parquet files, to try and to measure releases on.

Everybody who uses the keyboard is an *install*, the privacy unit. What is drawn:

- activity of an install: log-normal with sigma 1.5, so that one per cent of the installs make about
  a fifth of the events; the least active make none;
- country: 60 countries, Zipf with exponent 1; an install has a home, and 3 % of its events are from
  travel;
- emoji: Zipf with exponent 1.1 over some 2,200 emoji, in an order that differs by country (the own
  flag is high); half of an install's events are among its eight favourites;
- dwell: log-normal, median 1.5 s, sigma 1, rounded to a millisecond;
- time: uniform in one ISO week; files and rows are in the order of time;
- bots: 0.01 % of the installs, at least one, make 5 % of the events, uniform over countries and
  emoji, so that one bot has thousands of partitions;
- dirt: 0.1 % of the rows each has no user, no emoji, no country, or a dwell that is NaN, infinite,
  negative or absurdly large.

    python -m pipelines.synthetic --rows 1_000_000 --units 100_000 --seed 7 --out FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.emoji_catalogue import BEST_KNOWN, COUNTRIES, emoji_characters

DEFAULT_MONDAY = date(2026, 11, 9)
"""First day of 2026-W46."""

VERSIONS = ("7.1.2", "7.1.0", "7.0.3", "7.0.0", "6.9.1", "6.8.4")
"""Versions of the keyboard, the most frequent first."""

_SCHEMA = pa.schema(
    {
        "time": pa.timestamp("us", "UTC"),
        "user_id": pa.string(),
        "country": pa.string(),
        "emoji": pa.string(),
        "dwell_s": pa.float64(),
        "app_version": pa.string(),
    }
)

TRAVEL = 0.03
BOT_UNITS = 0.0001
BOT_EVENTS = 0.05
DIRT = 0.001
FAVOURITES = 8
OWN_FLAG_RANK = 12
ROW_GROUP = 2**20
_TABLE = 2**20


@dataclass(frozen=True)
class _Population:
    """Who exists: the draws that hold for every event of an install.

    Attributes:
        users: Install ids; the bots come first.
        emoji: All emoji.
        bots: Number of bots.
        activity: Cumulative share of the events, shape (units,).
        home: Position in COUNTRIES, shape (units,).
        version: Position in VERSIONS, shape (units,).
        favourites: Popularity ranks, shape (units, FAVOURITES).
        order: Emoji of each popularity rank per country, shape (countries, emoji).
    """

    users: pa.Array
    emoji: pa.Array
    bots: int
    activity: npt.NDArray[np.float64]
    home: npt.NDArray[np.uint8]
    version: npt.NDArray[np.uint8]
    favourites: npt.NDArray[np.uint16]
    order: npt.NDArray[np.uint16]


def write_emoji_events(
    folder: Path,
    *,
    rows: int,
    units: int,
    seed: int,
    files: int = 7,
    monday: date = DEFAULT_MONDAY,
    clean: bool = False,
) -> list[Path]:
    """Writes one week of events; the same arguments give the same rows.

    Args:
        folder: Where to write; it is created, and events that are there are replaced.
        rows: Number of events.
        units: Number of installs; those of little activity may have no event.
        seed: Seed of every draw.
        files: Number of files; each covers its part of the week.
        monday: First day of the week.
        clean: Leave out the bots and the dirty rows.

    Returns:
        The files, in the order of time.

    Raises:
        ValueError: A number is not positive, or the week does not start on a Monday.
    """
    for name, value in (("rows", rows), ("units", units), ("files", files)):
        if value < 1:
            raise ValueError(f"{name} is {value}; allowed: 1 or more")
    if files > rows:
        raise ValueError(f"files is {files}; allowed: at most one per row, {rows}")
    if monday.isoweekday() != 1:
        raise ValueError(f"monday is {monday}, a {monday:%A}; allowed: a Monday")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("events-*.parquet"):
        old.unlink()
    population = _population(np.random.default_rng(seed), units, clean)
    start = _microseconds(monday)
    week = timedelta(weeks=1) // timedelta(microseconds=1)
    paths = []
    done = 0
    for file in range(files):
        last = rows * (file + 1) // files
        groups = max(1, -(-(last - done) // ROW_GROUP))
        path = folder / f"events-{file:05d}.parquet"
        with pq.ParquetWriter(path, _SCHEMA) as writer:
            for group in range(groups):
                until = done + (last - done) // (groups - group)
                span = [start + week * row // rows for row in (done, until)]
                rng = np.random.default_rng((seed, file, group))
                events = _events(population, rng, until - done, *span)
                writer.write_table(events if clean else _soil(events, rng))
                done = until
        paths.append(path)
    return paths


def write_one_unit(folder: Path, *, rows: int, seed: int) -> Path:
    """Writes events of a single install, each in a partition of its own, with made-up emoji.

    Args:
        folder: Where to write; it is created.
        rows: Number of events and of distinct (country, emoji).
        seed: Seed of every draw.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = _microseconds(DEFAULT_MONDAY)
    path = folder / "events-one-unit.parquet"
    with pq.ParquetWriter(path, _SCHEMA) as writer:
        for first in range(0, rows, ROW_GROUP):
            numbers = np.arange(first, min(rows, first + ROW_GROUP))
            rng = np.random.default_rng((seed, first))
            columns = {
                "time": pa.array(start + numbers, pa.timestamp("us", "UTC")),
                "user_id": pa.repeat("ffffffffffffffff", len(numbers)),
                "country": _take(COUNTRIES, rng.integers(0, len(COUNTRIES), len(numbers))),
                "emoji": pa.array([f"emoji-{number}" for number in numbers.tolist()]),
                "dwell_s": pa.array(_dwell(rng, len(numbers))),
                "app_version": pa.repeat(VERSIONS[0], len(numbers)),
            }
            writer.write_table(pa.table(columns, schema=_SCHEMA))
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes events as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.synthetic",
        description="Write realistic, seeded emoji keyboard telemetry as Parquet files.",
    )
    parser.add_argument("--rows", type=int, required=True, help="number of events")
    parser.add_argument("--units", type=int, required=True, help="number of installs")
    parser.add_argument("--seed", type=int, default=1, help="seed of every draw")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument("--files", type=int, default=7, help="number of files")
    parser.add_argument("--monday", type=date.fromisoformat, default=DEFAULT_MONDAY)
    parser.add_argument("--clean", action="store_true", help="no bots and no dirty rows")
    parser.add_argument(
        "--one-unit-rows", type=int, default=0, metavar="ROWS", help="rows of one more install"
    )
    options = parser.parse_args(arguments)
    try:
        paths = write_emoji_events(
            options.out,
            rows=options.rows,
            units=options.units,
            seed=options.seed,
            files=options.files,
            monday=options.monday,
            clean=options.clean,
        )
    except ValueError as error:
        parser.error(str(error))
    if options.one_unit_rows:
        paths.append(write_one_unit(options.out, rows=options.one_unit_rows, seed=options.seed))
    total = options.rows + options.one_unit_rows
    print(f"wrote {total:,} rows to {len(paths)} files in {options.out}")


def _population(rng: np.random.Generator, units: int, clean: bool) -> _Population:
    emoji = emoji_characters()
    bots = 0 if clean or units == 1 else max(1, round(units * BOT_UNITS))
    activity = rng.lognormal(sigma=1.5, size=units)
    if bots:
        activity[:bots] = activity[bots:].sum() * BOT_EVENTS / (1 - BOT_EVENTS) / bots
    cumulative = np.cumsum(activity)
    ids = rng.integers(0, 2**64, units, np.uint64).astype(">u8").tobytes().hex()
    return _Population(
        users=pa.array([ids[first : first + 16] for first in range(0, len(ids), 16)]),
        emoji=pa.array(emoji),
        bots=bots,
        activity=cumulative / cumulative[-1],
        home=_zipf(rng, len(COUNTRIES), 1.0, (units,)).astype(np.uint8),
        version=_zipf(rng, len(VERSIONS), 1.0, (units,)).astype(np.uint8),
        favourites=_zipf(rng, len(emoji), 1.1, (units, FAVOURITES)),
        order=_popularity(rng, len(emoji)),
    )


def _popularity(rng: np.random.Generator, emoji: int) -> npt.NDArray[np.uint16]:
    """Orders the emoji for each country: a common order with its ranks jittered."""
    best = len(BEST_KNOWN)
    rank = np.concatenate([np.arange(best), best + rng.permutation(emoji - best)]) + 1.0
    score = np.log(rank) + rng.normal(scale=0.5, size=(len(COUNTRIES), emoji))
    own = np.arange(len(COUNTRIES))
    score[own, best + own] = np.log(OWN_FLAG_RANK)
    return np.argsort(score, axis=1).astype(np.uint16)


def _events(
    population: _Population, rng: np.random.Generator, rows: int, start: int, end: int
) -> pa.Table:
    """Draws events from `start` up to `end`, in microseconds since 1970."""
    unit = np.searchsorted(population.activity, rng.random(rows), side="right")
    bot = unit < population.bots
    country = population.home[unit]
    away = rng.random(rows) < TRAVEL
    country[away] = _zipf(rng, len(COUNTRIES), 1.0, (int(away.sum()),))
    country[bot] = rng.integers(0, len(COUNTRIES), int(bot.sum()))
    rank = population.favourites[unit, rng.integers(0, FAVOURITES, rows)]
    other = rng.random(rows) < 0.5
    rank[other] = _zipf(rng, len(population.emoji), 1.1, (int(other.sum()),))
    rank[bot] = rng.integers(0, len(population.emoji), int(bot.sum()))
    columns = {
        "time": pa.array(np.sort(rng.integers(start, end, rows)), _SCHEMA.field("time").type),
        "user_id": population.users.take(pa.array(unit)),
        "country": _take(COUNTRIES, country),
        "emoji": population.emoji.take(pa.array(population.order[country, rank])),
        "dwell_s": pa.array(_dwell(rng, rows)),
        "app_version": _take(VERSIONS, population.version[unit]),
    }
    return pa.table(columns, schema=_SCHEMA)


def _soil(events: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Spoils a share DIRT of the rows in each of seven ways."""
    for name in ("user_id", "country", "emoji"):
        position = events.schema.get_field_index(name)
        spoilt = pa.array(rng.random(len(events)) < DIRT)
        cleared = pc.if_else(spoilt, pa.scalar(None, pa.string()), events[name])
        events = events.set_column(position, name, cleared)
    dwell = events["dwell_s"].to_numpy().copy()
    for value in (np.nan, np.inf, -1.0, 1e15):
        dwell[rng.random(len(dwell)) < DIRT] = value
    return events.set_column(events.schema.get_field_index("dwell_s"), "dwell_s", pa.array(dwell))


def _dwell(rng: np.random.Generator, rows: int) -> npt.NDArray[np.float64]:
    return np.round(rng.lognormal(np.log(1.5), 1.0, rows), 3)


def _zipf(
    rng: np.random.Generator, values: int, exponent: float, shape: tuple[int, ...]
) -> npt.NDArray[np.uint16]:
    """Draws numbers below `values` with probability proportional to (number + 1) ** -exponent."""
    return _zipf_table(values, exponent)[rng.integers(0, _TABLE, shape)]


@cache
def _zipf_table(values: int, exponent: float) -> npt.NDArray[np.uint16]:
    share = np.arange(1, values + 1) ** -exponent
    edges = np.cumsum(share) / share.sum()
    return np.searchsorted(edges, (np.arange(_TABLE) + 0.5) / _TABLE).astype(np.uint16)


def _microseconds(day: date) -> int:
    return (day - date(1970, 1, 1)) // timedelta(microseconds=1)


def _take(values: Sequence[str], positions: npt.NDArray[np.integer]) -> pa.Array:
    return pa.array(values).take(pa.array(positions))


if __name__ == "__main__":
    main()
