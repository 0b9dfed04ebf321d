"""Reads a BigQuery table as Arrow tables, through Beam's connector.

The storage API sends only the columns and rows that are asked for. The connector gives rows as
dicts; they are batched before anything else happens to them. A value of another type than the
declared one is read as its text would be in a text file:

| what | rule |
|---|---|
| null, text that does not parse as the declared type | null |
| number, boolean, date, time as a string | its text |
| DATETIME as a timestamp | in UTC |
| BYTES | the text; bytes that are not UTF-8 are replaced by U+FFFD |
| STRUCT, ARRAY | null |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.pvalue import PCollection

from pipelines.same_code import OnSameCode
from pipelines.sources.files import InputError
from transforms.text_types import POLARS_TYPES, ColumnType, parse
from transforms.worker_errors import without_texts

BATCH_ROWS = 50_000
"""Most rows in one table."""


@dataclass(frozen=True)
class BigQueryInput:
    """What a release reads from BigQuery.

    Attributes:
        table: `project.dataset.table`.
        columns: Columns to read.
        types: Type that each column is read as.
        row_restriction: Condition on the columns of one row, in BigQuery's SQL.
        size: Bytes of the columns, about.
    """

    table: str
    columns: Sequence[str]
    types: Mapping[str, ColumnType]
    row_restriction: str | None
    size: int


@dataclass
class ReadBigQuery(beam.PTransform[beam.Pipeline, PCollection[pa.Table]]):
    """Reads the columns of a release from BigQuery, as a `PCollection` of `pyarrow.Table`.

    Attributes:
        source: What to read.
    """

    source: BigQueryInput

    def expand(self, pipeline: beam.Pipeline) -> PCollection[pa.Table]:
        """Wires the connector and the batching of its rows."""
        source = self.source
        project, _, table = source.table.partition(".")
        tables: PCollection[pa.Table] = (
            pipeline
            | "Read rows"
            >> beam.io.ReadFromBigQuery(
                method=beam.io.ReadFromBigQuery.Method.DIRECT_READ,
                table=f"{project}:{table}",
                selected_fields=list(source.columns),
                row_restriction=source.row_restriction,
                use_native_datetime=True,
            )
            | "Batch rows"
            >> beam.BatchElements(min_batch_size=BATCH_ROWS // 10, max_batch_size=BATCH_ROWS)
            | "To columns" >> beam.ParDo(_ToColumns(dict(source.types))).with_output_types(pa.Table)
        )
        return tables


@without_texts
class _ToColumns(OnSameCode):
    """Makes an Arrow table of rows."""

    def __init__(self, types: Mapping[str, ColumnType]) -> None:
        super().__init__()
        self._types = types

    def process(self, rows: list[dict[str, Any]]) -> Iterator[pa.Table]:
        yield rows_to_table(rows, self._types)


def check_bigquery(source: BigQueryInput) -> dict[str, pl.DataType]:
    """Returns the columns that a release reads, with their types; does not ask BigQuery.

    Raises:
        InputError: Beam's connector is not installed.
    """
    try:
        import_module("google.cloud.bigquery_storage")
    except ImportError:
        raise InputError(
            "needs Beam's connector, which is missing: pip install 'dp-release[gcp]'"
        ) from None
    return {name: POLARS_TYPES[source.types[name]] for name in source.columns}


def rows_to_table(rows: Sequence[Mapping[str, Any]], types: Mapping[str, ColumnType]) -> pa.Table:
    """Makes columns of rows.

    Args:
        rows: Values by column; a column that is missing is null.
        types: Columns, and the type that each gets.

    Returns:
        The columns.
    """
    frame = pl.DataFrame(
        [
            _typed(pl.Series(name, [row.get(name) for row in rows], strict=False), kind)
            for name, kind in types.items()
        ]
    )
    return frame.to_arrow(compat_level=pl.CompatLevel.newest())


def _typed(values: pl.Series, kind: ColumnType) -> pl.Series:
    wanted = POLARS_TYPES[kind]
    found = values.dtype
    if found.is_nested() or found == pl.Object:
        return pl.repeat(None, len(values), dtype=wanted, eager=True).alias(values.name)
    if isinstance(found, pl.Datetime) and kind == "timestamp":
        zoned = values if found.time_zone else values.dt.replace_time_zone("UTC")
        return zoned.cast(wanted)
    if found == wanted:
        return values
    if found == pl.Binary:
        decoded = (value if value is None else value.decode(errors="replace") for value in values)
        text = pl.Series(values.name, decoded, dtype=pl.String)
    else:
        text = values.cast(pl.String, strict=False)
    return text.to_frame().select(parse(pl.col(values.name), kind)).to_series()
