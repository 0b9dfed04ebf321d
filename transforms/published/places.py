"""Keys that are places: H3 cells, coordinates in two columns or in one text, as in `42.1,-72.6`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl
import polars_h3

_NUMBER = r"\s*[-+]?\d{1,3}(?:\.\d{1,20})?\s*"
_PAIR = f"^({_NUMBER}),({_NUMBER})$"

_LATITUDES = ("latitude", "lat")
_LONGITUDES = ("longitude", "lon", "lng", "long")

Kind = Literal["h3", "pair", "columns"]


@dataclass(frozen=True)
class PlaceKey:
    """The key, or the two keys, that name a place.

    Attributes:
        columns: One column, or those of latitude and longitude.
        kind: How places are written.
    """

    columns: tuple[str, ...]
    kind: Kind


def place_keys(frame: pl.DataFrame, keys: Sequence[str]) -> list[PlaceKey]:
    """Returns the places that rows have, in the order of the keys.

    Args:
        frame: Published rows with keys as text, without the row of other partitions.
        keys: Key columns.
    """
    if frame.is_empty():
        return []
    found = [PlaceKey((key,), kind) for key in keys if (kind := _kind(frame[key])) is not None]
    lat = next((key for key in keys if _last_word(key) in _LATITUDES), None)
    lon = next((key for key in keys if _last_word(key) in _LONGITUDES), None)
    if lat is not None and lon is not None:
        place = PlaceKey((lat, lon), "columns")
        if frame.select(_on_earth(*_degrees(place))).to_series().all():
            found.append(place)
    return found


def points(frame: pl.DataFrame, place: PlaceKey) -> pl.DataFrame:
    """Returns rows with the `latitude` and `longitude` of their places, in degrees."""
    lat, lon = _degrees(place)
    return frame.with_columns(lat.alias("latitude"), lon.alias("longitude"))


def outlines(frame: pl.DataFrame, place: PlaceKey) -> pl.DataFrame:
    """Returns rows with the `outline` of their H3 cells: a list of [latitude, longitude]."""
    (column,) = place.columns
    return frame.with_columns(polars_h3.cell_to_boundary(pl.col(column)).alias("outline"))


def _kind(values: pl.Series) -> Kind | None:
    column = pl.col(values.name)
    frame = values.to_frame()
    if frame.select(polars_h3.is_valid_cell(column)).to_series().all():
        return "h3"
    place = PlaceKey((values.name,), "pair")
    return "pair" if frame.select(_on_earth(*_degrees(place))).to_series().all() else None


def _degrees(place: PlaceKey) -> tuple[pl.Expr, pl.Expr]:
    first = pl.col(place.columns[0])
    match place.kind:
        case "h3":
            return polars_h3.cell_to_lat(first), polars_h3.cell_to_lng(first)
        case "pair":
            parts = [first.str.extract(_PAIR, group).str.strip_chars() for group in (1, 2)]
        case "columns":
            parts = [pl.col(column) for column in place.columns]
    lat, lon = (part.cast(pl.Float64, strict=False) for part in parts)
    return lat, lon


def _on_earth(lat: pl.Expr, lon: pl.Expr) -> pl.Expr:
    return (lat.is_between(-90, 90) & lon.is_between(-180, 180)).fill_null(False)


def _last_word(name: str) -> str:
    return name.lower().rpartition("_")[2]
