"""A ledger in an SQLite file.

An append is one transaction that takes the write lock first (`BEGIN IMMEDIATE`), compares the last
line, inserts, and commits. Writers wait for each other.

The rollback journal is used and not the write-ahead log: the log keeps committed entries in a
second file that is lost when somebody copies the first alone, and needs shared memory, which
network file systems do not have. `synchronous = EXTRA` is FULL and also syncs the folder after
the journal is deleted; with FULL a loss of power can bring the journal back and undo an append
that was reported as done, which would be a draw without a charge.

A kill at any moment leaves the file with the entry or without it; the next reader rolls a half
written one back. Locks of network file systems (NFS, SMB) are not to be trusted with any of this:
keep the file on a local disk, or the ledger in a bucket.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipelines.ledger.errors import HeadMovedError, StoreError
from pipelines.ledger.store import Snapshot

WAIT_SECONDS = 60.0
"""How long a writer waits for others."""

_TABLE = "CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, line TEXT NOT NULL)"
_LAST = "SELECT number, line FROM entries ORDER BY number DESC LIMIT 1"


class SqliteStore:
    """A ledger in an SQLite file, which the first append makes."""

    def __init__(self, path: str | Path) -> None:
        """Args: the file."""
        self._path = Path(path)

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def read(self) -> Snapshot:
        """Returns all lines; see `LedgerStore`."""
        if not self._path.exists():
            return Snapshot()
        with self._errors("read"), closing(self._connect("rw")) as connection:
            if not _has_table(connection):
                return Snapshot()
            rows = connection.execute("SELECT line FROM entries ORDER BY number").fetchall()
        if not all(isinstance(line, str) for (line,) in rows):
            raise StoreError(f"ledger {self.place} cannot be read: it holds what is no text")
        return Snapshot(tuple(line for (line,) in rows), len(rows))

    def append(self, snapshot: Snapshot, line: str) -> None:
        """Appends a line; see `LedgerStore`."""
        last = (len(snapshot.lines), snapshot.lines[-1]) if snapshot.lines else None
        with self._errors("written"), closing(self._connect("rwc")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            if connection.execute(_LAST).fetchone() != last:
                raise HeadMovedError
            row = (len(snapshot.lines) + 1, line)
            connection.execute("INSERT INTO entries VALUES (?, ?)", row)
            connection.execute("COMMIT")

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("PRAGMA synchronous = EXTRA")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeError, OSError) as error:
            raise StoreError(
                f"ledger {self.place} cannot be {verb}: {error}{self._hint()}"
            ) from None

    def _hint(self) -> str:
        nearest = self._path if self._path.exists() else self._path.parent
        if not nearest.exists():
            return f"; {nearest} does not exist"
        if not os.access(nearest, os.W_OK) or not os.access(self._path.parent, os.W_OK):
            return "; allowed: a file and a folder that can be written to"
        return ""


def _has_table(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'entries'")
    return bool(found.fetchone()[0])
