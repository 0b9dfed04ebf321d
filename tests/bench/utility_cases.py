"""What the utility benchmark releases: data sets, their partitions, bounds and clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms import Bounds

METRICS = ("count", "privacy_unit_count", "sum")
"""Released of every partition."""

UNIT = "unit"
PARTITION = "partition"
VALUE = "value"


@dataclass(frozen=True)
class Case:
    """One release: rows per partition, privacy units, and the sum of a clipped value.

    Attributes:
        name: Data set and keys, for people.
        files: Parquet files.
        keys: Key columns; `hour_of_week` is derived from `hour`.
        bounds: Contribution bounds of both systems.
        value: Column to sum; None to sum ones.
        clip: Smallest and largest value of a row.
        granularity: Step of our sums.
        unit: Column of the privacy unit.
    """

    name: str
    files: str
    keys: tuple[str, ...]
    bounds: Bounds
    value: str | None
    clip: tuple[float, float]
    granularity: float = 1.0
    unit: str = "user_id"

    def rows(self) -> pl.DataFrame:
        """Returns the rows with whole numbers for units and partitions.

        Rows without a unit or a key are dropped; a value that is missing or NaN counts as 0.

        Returns:
            Columns `UNIT` and `PARTITION`, Int64 and without gaps, and `VALUE`, Float64.
        """
        rows = pl.scan_parquet(self.files)
        if "hour_of_week" in self.keys:
            hour = pl.col("hour")
            weekday = hour.dt.weekday().cast(pl.Int32)
            rows = rows.with_columns(hour_of_week=weekday * 24 + hour.dt.hour())
        value = pl.lit(1.0) if self.value is None else pl.col(self.value)
        return (
            rows.drop_nulls([self.unit, *self.keys])
            .select(
                (pl.col(self.unit).rank("dense") - 1).cast(pl.Int64).alias(UNIT),
                (pl.struct(self.keys).rank("dense") - 1).cast(pl.Int64).alias(PARTITION),
                value.cast(pl.Float64).fill_null(0.0).fill_nan(0.0).alias(VALUE),
            )
            .collect()
        )


def cases(generated: Path, repository: Path, shared: Path) -> list[Case]:
    """Returns all cases, with the bounds that the data sets' README suggests.

    Args:
        generated: Folder of events of `pipelines.synthetic`.
        repository: Root of this project.
        shared: Folder of real data sets.
    """
    bike = str(repository / "configs" / "data" / "valleybike_trips.parquet")

    def real(name: str) -> str:
        return str(shared / f"{name}.parquet")

    return [
        Case(
            "generated emoji, country and emoji",
            f"{generated}/*.parquet",
            ("country", "emoji"),
            Bounds(8, 5),
            "dwell_s",
            (0, 60),
            0.001,
        ),
        Case(
            "bike trips, routes",
            bike,
            ("start_cell", "end_cell"),
            Bounds(4, 2),
            "duration_s",
            (0, 3600),
        ),
        Case(
            "valleybike_trips, station",
            real("valleybike_trips"),
            ("start_station",),
            Bounds(10, 20),
            "duration_s",
            (0, 7200),
        ),
        Case(
            "valleybike_cell_hours, cell",
            real("valleybike_cell_hours"),
            ("cell",),
            Bounds(50, 5),
            "n_points",
            (0, 500),
        ),
        Case(
            "valleybike_cell_hours, cell and hour",
            real("valleybike_cell_hours"),
            ("cell", "hour_of_week"),
            Bounds(50, 1),
            "n_points",
            (0, 500),
        ),
        Case("raku_irc_emoji", real("raku_irc_emoji"), ("emoji",), Bounds(20, 10), "n", (0, 5)),
        Case("raku_irc_words", real("raku_irc_words"), ("word",), Bounds(300, 1), "n", (0, 20)),
        Case(
            "raku_irc_activity, channel",
            real("raku_irc_activity"),
            ("channel",),
            Bounds(5, 100),
            "n_messages",
            (0, 100),
        ),
        Case(
            "raku_irc_activity, day",
            real("raku_irc_activity"),
            ("day",),
            Bounds(100, 1),
            "n_messages",
            (0, 100),
        ),
        Case(
            "msnbc_page_views",
            real("msnbc_page_views"),
            ("category",),
            Bounds(6, 10),
            "seq",
            (0, 50),
        ),
        Case("msweb_areas", real("msweb_areas"), ("area_id",), Bounds(5, 1), None, (0, 1)),
        Case(
            "codelab_restaurant_week (made up)",
            real("codelab_restaurant_week_SYNTHETIC"),
            ("day",),
            Bounds(3, 1),
            "money_spent_euros",
            (0, 50),
        ),
    ]


def truth(case: Case, rows: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Returns the true numbers: all rows and units, values clipped, nothing bounded.

    Args:
        case: The case.
        rows: Its rows.

    Returns:
        Shape (3, p) in the order of `METRICS`, for all p partitions.
    """
    grouped = (
        rows.group_by(PARTITION)
        .agg(
            pl.len().cast(pl.Float64).alias("count"),
            pl.col(UNIT).n_unique().cast(pl.Float64).alias("privacy_unit_count"),
            pl.col(VALUE).clip(*case.clip).sum().alias("sum"),
        )
        .sort(PARTITION)
    )
    return grouped.select(METRICS).to_numpy().T.copy()
