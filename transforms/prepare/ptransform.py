"""The preparation of rows as a step of a Beam pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection

from transforms.prepare.preparation import Preparation


@dataclass
class Prepare(beam.PTransform[PCollection[pa.Table], PCollection[pa.Table]]):
    """Filters rows and adds derived columns, row by row.

    Example:
        >>> rows | dp.Prepare(
        ...     dp.Preparation({"emoji": "emoji(text)"}, where="app_version >= '7.0'"),
        ...     keep=["user_id", "country", "emoji"],
        ... )  # doctest: +SKIP

    Attributes:
        preparation: Filters and derived columns.
        keep: Columns of the prepared rows, of the input or derived.
    """

    preparation: Preparation
    keep: Sequence[str]

    def expand(self, rows: PCollection[pa.Table]) -> PCollection[pa.Table]:
        """Wires one step."""
        prepared: PCollection[pa.Table] = rows | "Prepare rows" >> beam.Map(
            self.preparation.apply, tuple(self.keep)
        ).with_output_types(pa.Table)
        return prepared
