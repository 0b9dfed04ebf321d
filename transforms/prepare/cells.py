"""Cells of the H3 grid: `h3(latitude, longitude, resolution)`, by the `polars-h3` package."""

from __future__ import annotations

import polars as pl
from polars_h3 import latlng_to_cell

from transforms.prepare.function import Function, always, constant, of, whole_from_to
from transforms.prepare.kinds import NUMBERS, TEXT, Typed

_DEGREES = of(*NUMBERS)


def _cell(latitude: Typed, longitude: Typed, resolution: int) -> pl.Expr:
    """Returns the name of the cell, such as 881f1d4889fffff.

    It is null where a coordinate is null or beyond 90 or 180 degrees.
    """
    north, east = latitude.expr.cast(pl.Float64), longitude.expr.cast(pl.Float64)
    on_earth = north.is_between(-90, 90) & east.is_between(-180, 180)
    cell = latlng_to_cell(
        pl.when(on_earth).then(north).otherwise(0.0),
        pl.when(on_earth).then(east).otherwise(0.0),
        resolution,
        return_dtype=pl.String,
    )
    return pl.when(on_earth).then(cell)


CELLS = (
    Function(
        "h3",
        "h3(latitude, longitude, 7)",
        (_DEGREES, _DEGREES, constant(whole_from_to(0, 15))),
        always(TEXT),
        _cell,
    ),
)
