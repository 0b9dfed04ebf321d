"""Checks a ledger from its first line to its last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.ledger.entries import Head, digest_of, head_of, parse_entries
from pipelines.ledger.errors import BrokenLedgerError, LedgerError
from pipelines.ledger.states import Book


def verify(lines: Sequence[str], remembered: Iterable[Head] = ()) -> Book:
    """Checks every entry, the chain, the order of events, and heads that somebody remembers.

    The chain alone does not show that the last entries are gone, or that all were written anew.
    A head in a published manifest does: its entry must still be there.

    Args:
        lines: The whole ledger.
        remembered: Heads that it had, from manifests.

    Returns:
        What the ledger says.

    Raises:
        BrokenLedgerError: Something does not hold; it names the entry.
    """
    book = Book()
    for entry in parse_entries(lines):
        try:
            book.add(entry)
        except LedgerError as error:
            raise BrokenLedgerError(entry.number, str(error)) from None
    _check_remembered(lines, list(remembered))
    book.head = head_of(lines)
    return book


def _check_remembered(lines: Sequence[str], heads: Sequence[Head]) -> None:
    most = max((head.entries for head in heads), default=0)
    if most > len(lines):
        raise BrokenLedgerError(
            len(lines) + 1,
            f"it is missing: {most} entries are remembered, and {len(lines)} are there; "
            "allowed: the ledger that published manifests remember, such as a copy of it",
        )
    for head in heads:
        if head.entries and digest_of(lines[head.entries - 1]) != head.digest:
            raise BrokenLedgerError(
                head.entries,
                f"its hash is not {head.digest}, as it is remembered, so it or one before it "
                "was written anew",
            )
