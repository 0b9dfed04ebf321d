"""Where a ledger is kept: the one thing that a store must do, and which store a place means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Snapshot:
    """A ledger as it was read.

    Attributes:
        lines: Its entries in order.
        generation: What the store needs to tell whether it has changed since.
    """

    lines: tuple[str, ...] = ()
    generation: int = 0


class LedgerStore(Protocol):
    """A list of lines that only grows, by compare-and-set."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    def read(self) -> Snapshot:
        """Returns all lines; none where there is no ledger yet.

        Raises:
            StoreError: It cannot be read.
        """

    def append(self, snapshot: Snapshot, line: str) -> None:
        """Appends a line if nobody else has appended since a snapshot was read.

        When it returns, the line is on durable storage. When it raises `HeadMovedError`, the line
        is not there and never will be. When it raises `StoreError`, the line is there or not, whole
        in either case; reading again tells.

        Args:
            snapshot: What the caller has seen.
            line: The entry that follows.

        Raises:
            HeadMovedError: Somebody else has appended.
            StoreError: It cannot be written.
        """


def open_store(place: str) -> LedgerStore:
    """Returns the store for a place: `gs://bucket/object`, or the path of an SQLite file."""
    if place.startswith("gs://"):
        from pipelines.ledger.gcs_store import GcsStore

        return GcsStore(place)
    from pipelines.ledger.sqlite_store import SqliteStore

    return SqliteStore(place)
