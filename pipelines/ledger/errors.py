"""What can go wrong with a ledger."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger cannot do what was asked; the text says why, and what is allowed."""


class StoreError(LedgerError):
    """The place where the ledger is kept cannot be read or written."""


class BrokenLedgerError(LedgerError):
    """The ledger was edited, cut off or damaged.

    Attributes:
        number: Number of the entry at fault, from 1.
        message: What is wrong with it.
    """

    def __init__(self, number: int, message: str, place: str = "") -> None:
        self.number = number
        self.message = message
        super().__init__(f"entry {number} of the ledger{place and f' {place}'}: {message}")

    def at(self, place: str) -> BrokenLedgerError:
        """Returns the error of a ledger at a place."""
        return BrokenLedgerError(self.number, self.message, place)


class HeadMovedError(Exception):
    """Somebody else appended an entry since the ledger was read; read it again."""
