"""The preparation of rows as a step of a Beam pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection

from transforms.prepare.preparation import Preparation
from transforms.same_code import OnSameCode
from transforms.worker_errors import without_texts


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
        prepare = _PrepareRows(self.preparation, tuple(self.keep))
        prepared: PCollection[pa.Table] = rows | "Prepare rows" >> beam.ParDo(
            prepare
        ).with_output_types(pa.Table)
        return prepared


@without_texts
class _PrepareRows(OnSameCode):
    """Prepares the rows of each table."""

    def __init__(self, preparation: Preparation, keep: tuple[str, ...]) -> None:
        super().__init__()
        self._preparation = preparation
        self._keep = keep

    def process(self, table: pa.Table) -> Iterator[pa.Table]:
        """Yields one table for each."""
        yield self._preparation.apply(table, self._keep)
