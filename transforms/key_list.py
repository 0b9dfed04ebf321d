"""Lists of public partitions, which may be too long for the graph of a pipeline.

A list is every combination of the rows of its parts, so a product of lists takes the memory of the
lists and not of the product. A part is held in the plan (`InlineKeys`) or in a file (`KeyFile`),
of which a worker process holds one copy, however many steps of the pipeline use it.
"""

from __future__ import annotations

import hashlib
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.hashing import Hash128, HashKey
from transforms.key_set import KeySet
from transforms.partitions import PartitionSet, hash_keys

SLICE = 250_000
"""Partitions of a list that are listed together."""

_loaded: WeakValueDictionary[str, _LoadedKeys] = WeakValueDictionary()
_loading = threading.Lock()


class _LoadedKeys:
    """Rows of one part in memory, with the set of their identities, which is made once."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self._lock = threading.Lock()
        self._sets: dict[bytes, KeySet] = {}

    def key_set(self, key: HashKey) -> KeySet:
        """Returns the identities of the rows under a secret."""
        with self._lock:
            if key.secret not in self._sets:
                self._sets = {key.secret: KeySet.of(hash_keys(self.frame, key))}
            return self._sets[key.secret]


class KeyPart(ABC):
    """Distinct values of one or more key columns."""

    @property
    @abstractmethod
    def schema(self) -> pl.Schema:
        """Key columns with their types."""

    @property
    @abstractmethod
    def height(self) -> int:
        """Number of rows."""

    @property
    @abstractmethod
    def loaded(self) -> _LoadedKeys:
        """The rows in the memory of this process."""

    @property
    def frame(self) -> pl.DataFrame:
        """The rows."""
        return self.loaded.frame


@dataclass(frozen=True, eq=False)
class InlineKeys(KeyPart):
    """A short list.

    Attributes:
        rows: The rows.
    """

    rows: pl.DataFrame

    @property
    def schema(self) -> pl.Schema:
        """Key columns with their types."""
        return self.rows.schema

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.rows.height

    @cached_property
    def loaded(self) -> _LoadedKeys:
        """The rows."""
        return _LoadedKeys(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return InlineKeys, (self.rows,)


@dataclass(frozen=True, eq=False)
class KeyFile(KeyPart):
    """A list in an Arrow IPC file, which is read when it is first needed.

    Attributes:
        path: Where it is.
        digest: SHA-256 of its bytes, in hexadecimal digits.
        columns: Key columns with their types.
        rows: Number of rows.
        open: Opens a path for reading; a function of a module, so that it can be pickled.
    """

    path: str
    digest: str
    columns: pl.Schema
    rows: int
    open: Callable[[str], BinaryIO]

    @property
    def schema(self) -> pl.Schema:
        """Key columns with their types."""
        return self.columns

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.rows

    @cached_property
    def loaded(self) -> _LoadedKeys:
        """The rows, one copy per process.

        Raises:
            ValueError: The file is not the one that was written.
        """
        with _loading:
            found = _loaded.get(self.digest)
            if found is None:
                found = _loaded[self.digest] = _LoadedKeys(self._read())
            return found

    def _read(self) -> pl.DataFrame:
        with self.open(self.path) as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise ValueError(f"the list of public keys {self.path} has changed")
        return pl.read_ipc(content)

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyFile, (self.path, self.digest, self.columns, self.rows, self.open)


@dataclass(frozen=True, eq=False)
class KeyList:
    """The public partitions of a table.

    Attributes:
        keys: Key columns in the order of the table.
        parts: Lists of which every combination is a partition, each with key columns of its own.
    """

    keys: tuple[str, ...]
    parts: tuple[KeyPart, ...]

    @classmethod
    def of(cls, keys: Sequence[str], frames: Sequence[pl.DataFrame]) -> KeyList:
        """Returns every combination of the rows of frames, held in memory."""
        return cls(tuple(keys), tuple(InlineKeys(frame) for frame in frames))

    @property
    def schema(self) -> pl.Schema:
        """Key columns with their types."""
        types = {name: dtype for part in self.parts for name, dtype in part.schema.items()}
        return pl.Schema({name: types[name] for name in self.keys})

    @property
    def height(self) -> int:
        """Number of partitions."""
        return math.prod(part.height for part in self.parts)

    @property
    def frame(self) -> pl.DataFrame:
        """All partitions, one row each."""
        return self.slice(0, self.height)

    def slice(self, start: int, stop: int) -> pl.DataFrame:
        """Returns some partitions, the last part's rows changing fastest.

        Args:
            start: Position of the first.
            stop: Position after the last; at most `height`.

        Returns:
            One row per partition.
        """
        if len(self.parts) == 1:
            return self.parts[0].frame[start:stop].select(self.keys)
        position = np.arange(start, stop)
        columns: list[pl.Series] = []
        for part in reversed(self.parts):
            position, row = np.divmod(position, part.height)
            columns += part.frame[row].get_columns()
        return pl.DataFrame(columns).select(self.keys)

    def slices(self) -> Iterator[tuple[int, int]]:
        """Yields the bounds of consecutive slices of up to `SLICE` partitions."""
        for start in range(0, self.height, SLICE):
            yield start, min(start + SLICE, self.height)

    def contains(self, partitions: PartitionSet, key: HashKey) -> npt.NDArray[np.bool_]:
        """Returns whether each of some partitions is listed.

        It compares identities, which are made of the list once in a process.

        Args:
            partitions: p partitions of the table, with the types of `schema`.
            key: The secret with which their identities were made.

        Returns:
            A mask, shape (p,).
        """
        listed = np.ones(len(partitions), np.bool_)
        for part in self.parts:
            listed &= part.loaded.key_set(key).contains(self._identities(partitions, part, key))
        return listed

    def _identities(self, partitions: PartitionSet, part: KeyPart, key: HashKey) -> Hash128:
        columns = part.schema.names()
        if tuple(columns) == self.keys:
            return partitions.identities
        return hash_keys(partitions.keys.select(columns), key)
