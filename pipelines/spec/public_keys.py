"""Reads the public partitions of a table, as one frame or as a product of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.spec.date_ranges import DateRangeSpec
from pipelines.spec.errors import KeyPath, did_you_mean
from pipelines.spec.fields import Scalar
from pipelines.spec.key_files import MAX_PARTITIONS, inline_column, read_columns
from pipelines.spec.listed_keys import fit_listed
from pipelines.spec.partition_specs import PublicSpec
from pipelines.spec.source import ProblemList
from transforms.table import PublicKeys
from transforms.text_types import POLARS_TYPES, ColumnType

KeyListSpec = str | Sequence[Scalar] | DateRangeSpec
"""The values of one key: a file, a list, or a range of dates."""


@dataclass(frozen=True)
class PublicKeyReader:
    """Reads the `public` of one table and adds what is wrong with it to a list of problems.

    Attributes:
        keys: Key columns of the table.
        types: Type that the input has for a column, where it is known.
        resolve: Returns the full path of a file named in the config.
        path: Place of `public` in the config.
        problems: Where problems go.
        distinct: Whether a file or list has more keys than these, so that rows may repeat.
    """

    keys: tuple[str, ...]
    types: Mapping[str, ColumnType]
    resolve: Callable[[str], str]
    path: KeyPath
    problems: ProblemList
    distinct: bool = False

    def read(self, public: PublicSpec) -> PublicKeys | None:
        """Returns the public partitions, columns in the order of the keys; None after a problem."""
        match public:
            case str():
                frame = self._file(self.path, public, self.keys)
                return None if frame is None else PublicKeys(frame)
            case dict():
                return self._product(public)
            case _:
                return self._rows(public)

    def _file(self, path: KeyPath, file: str, columns: tuple[str, ...]) -> pl.DataFrame | None:
        full = self.resolve(file)
        with self.problems.at(path):
            frame = read_columns(full, columns, what="key file")
            try:
                return self._fitted(frame)
            except ValueError as error:
                raise ValueError(f"{full}: {error}") from None
        return None

    def _fitted(self, listed: pl.DataFrame) -> pl.DataFrame:
        """Returns a part of the public keys in the types of the input, where they are known."""
        keys = self._part(listed)
        fitted = pl.DataFrame([self._fit(column) for column in keys])
        return keys if fitted.schema == keys.schema else self._part(fitted)

    def _part(self, keys: pl.DataFrame) -> pl.DataFrame:
        return PublicKeys(keys.unique(maintain_order=True) if self.distinct else keys).parts[0]

    def _fit(self, keys: pl.Series) -> pl.Series:
        if keys.name not in self.types:
            return keys
        try:
            return fit_listed(keys, POLARS_TYPES[self.types[keys.name]])
        except ValueError as error:
            raise ValueError(f"{error}, or another type in input.types") from None

    def _rows(self, rows: Sequence[Mapping[str, Scalar]]) -> PublicKeys | None:
        complete = [self._has_all_keys((*self.path, i), row) for i, row in enumerate(rows)]
        if not all(complete):
            return None
        columns = []
        for key in self.keys:
            with self.problems.at(self.path):
                columns.append(self._column(key, [row[key] for row in rows]))
        if len(columns) == len(self.keys):
            with self.problems.at(self.path):
                return PublicKeys(self._fitted(pl.DataFrame(columns)))
        return None

    def _product(self, lists: Mapping[str, KeyListSpec]) -> PublicKeys | None:
        if not self._has_all_keys(self.path, lists):
            return None
        parts = [part for key in self.keys if (part := self._list(key, lists[key])) is not None]
        if len(parts) < len(self.keys):
            return None
        size = math.prod(part.height for part in parts)
        if size > MAX_PARTITIONS:
            message = f"makes {size} partitions; allowed: at most {MAX_PARTITIONS}"
            self.problems.add(self.path, message)
            return None
        return PublicKeys(*parts)

    def _list(self, key: str, values: KeyListSpec) -> pl.DataFrame | None:
        path = (*self.path, key)
        if isinstance(values, str):
            return self._file(path, values, (key,))
        with self.problems.at(path):
            if isinstance(values, DateRangeSpec):
                column = values.dates(key)
            else:
                column = self._column(key, values)
            return self._fitted(column.to_frame())
        return None

    def _column(self, key: str, values: Sequence[Scalar]) -> pl.Series:
        try:
            return inline_column(key, values)
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None

    def _has_all_keys(self, path: KeyPath, given: Mapping[str, object]) -> bool:
        unknown = [key for key in given if key not in self.keys]
        missing = [key for key in self.keys if key not in given]
        for key in unknown:
            message = f"is not a key of the table; allowed: {', '.join(self.keys)}"
            message += did_you_mean(key, self.keys)
            self.problems.add((*path, key), message, at_key=True)
        if missing and not unknown:
            self.problems.add(path, f"has nothing for the key {missing[0]!r}")
        return not missing and not unknown
