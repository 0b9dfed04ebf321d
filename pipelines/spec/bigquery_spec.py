"""A BigQuery table as the input of a release."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pipelines.spec.fields import Model, Number, Text

_TABLE = re.compile(r"[a-z][a-z0-9.:-]*[a-z0-9]\.\w+\.[^.`\s]+")


def _table(value: str) -> str:
    if not _TABLE.fullmatch(value):
        raise ValueError(f"table is {value!r}; allowed: project.dataset.table")
    return value


def _gigabytes(value: float) -> float:
    if value <= 0:
        raise ValueError(f"gigabytes is {value:g}; allowed: a number above 0")
    return value


class BigQuerySpec(Model):
    """Rows of a BigQuery table.

    There is no query. A row may count for one privacy unit only, and must not depend on the rows of
    others: a query that aggregates, ranks, samples or limits would break the bounds without anyone
    noticing. A restriction is applied to one row at a time.
    """

    table: Annotated[Text, AfterValidator(_table)]
    """The table: project.dataset.table."""
    row_restriction: Text | None = None
    """Condition on the columns of one row, in BigQuery's SQL; other rows are not read. {period},
    {first} and {last} stand for the period of the release, and its first and last day. Default: all
    rows."""
    gigabytes: Annotated[
        Number, AfterValidator(_gigabytes), Field(json_schema_extra={"exclusiveMinimum": 0})
    ] = 8.0
    """About how much the columns that are read hold; decides into how many parts work is cut."""

    @property
    def restricting_columns(self) -> tuple[str, ...]:
        """Columns that the restriction looks at; the whole text where that cannot be told."""
        if self.row_restriction is None:
            return ()
        from sqlglot import exp, parse_one
        from sqlglot.errors import SqlglotError

        try:
            tree = parse_one(self.row_restriction, read="bigquery")
        except (SqlglotError, RecursionError):
            return (self.row_restriction,)
        return tuple(dict.fromkeys(column.parts[0].name for column in tree.find_all(exp.Column)))
