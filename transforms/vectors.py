"""Vectors of several columns, clipped to a norm, in whole granules."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

import numpy as np
import polars as pl

from transforms.arrays import FloatArray, Int64Array

Norm = Literal["l1", "l2", "linf"]
Array = TypeVar("Array", FloatArray, Int64Array)

_SLACK = 2.0**-40
"""More than the rounding error of a norm of up to a thousand coordinates."""

_HUGE = 1e150
"""Largest coordinate: the squares of a thousand of them can be added up."""


@dataclass(frozen=True)
class Vector:
    """A vector whose norm is clipped.

    Attributes:
        columns: The coordinates.
        norm: The norm that is clipped.
        limit: Bound on the norm, in granules.
        step: One granule, in the columns' unit.
    """

    columns: tuple[str, ...]
    norm: Norm
    limit: int
    step: Decimal

    def granules(self, values: pl.DataFrame) -> Int64Array:
        """Clips the vector of each row.

        A vector beyond the bound keeps its direction and is scaled down to it; an infinite
        coordinate is taken to be a huge one. Coordinates are rounded half to even where the rounded
        vector is within the bound as well, which whole numbers tell exactly, and towards zero where
        it is not.

        Args:
            values: The coordinates, Float64, in order, n rows and d columns.

        Returns:
            Whole granules, shape (n, d); zeros for a vector with a missing coordinate.
        """
        raw = values.select(pl.all().fill_null(np.nan)).to_numpy()
        complete = ~np.isnan(raw).any(axis=1)
        scaled = np.clip(np.where(complete[:, None], raw, 0) * float(1 / self.step), -_HUGE, _HUGE)
        length = self._power(scaled)
        if self.norm == "l2":
            length = np.sqrt(length)
        scaled *= np.where(length > self.limit, self.limit / np.maximum(length, 1), 1)[:, None]
        rounded = np.rint(scaled).astype(np.int64)
        bound = self.limit**2 if self.norm == "l2" else self.limit
        fits = self._power(rounded) <= bound
        shortened = (scaled * (1 - _SLACK)).astype(np.int64)
        return np.where(fits[:, None], rounded, shortened)

    def _power(self, vectors: Array) -> Array:
        """Returns the norm of each vector, squared for L2, shape (n,)."""
        match self.norm:
            case "l1":
                return np.abs(vectors).sum(axis=1)  # type: ignore[no-any-return]
            case "l2":
                return (vectors * vectors).sum(axis=1)  # type: ignore[no-any-return]
            case "linf":
                return np.abs(vectors).max(axis=1)  # type: ignore[no-any-return]
