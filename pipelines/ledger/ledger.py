"""The ledger as a run uses it.

Each step is read, verify, decide, append; again if somebody else appended in between. All steps but
`draw` may be repeated: what has happened already is returned, not done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.clock import now
from pipelines.ledger.charges import Charge, ReleaseKey, Request
from pipelines.ledger.decision import check_request
from pipelines.ledger.entries import Head, Kind, digest_of, new_entry
from pipelines.ledger.errors import BrokenLedgerError, HeadMovedError, LedgerError
from pipelines.ledger.policy import Policy
from pipelines.ledger.states import Book, Note, Release, check_reservation
from pipelines.ledger.store import LedgerStore
from pipelines.ledger.verify import verify

_MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Ledger:
    """A ledger in a store.

    Attributes:
        store: Where it is.
        remembered: Heads that manifests remember; a ledger without them is refused.
        clock: Returns the time that entries are stamped with.
    """

    store: LedgerStore
    remembered: Sequence[Head] = ()
    clock: Callable[[], datetime] = now

    def book(self) -> Book:
        """Reads and verifies the ledger.

        Raises:
            BrokenLedgerError: It was edited, cut off or damaged.
            StoreError: It cannot be read.
        """
        return self._verified(self.store.read().lines)

    def reserve(self, request: Request, policy: Policy) -> Release:
        """Charges a release before its noise is drawn.

        Asking again for what is reserved, or further on, returns it and charges nothing, even if
        the policy has become stricter.

        Args:
            request: The release and what it costs.
            policy: The policy that it must fit.

        Returns:
            The release in the state that it is in.

        Raises:
            RefusedError: The policy does not allow it, or it does not fit.
            LedgerError: Another plan is there for the same series and period, or it is a correction
                without reason or of nothing.
        """
        key = request.key
        fields = {
            "plan": request.plan,
            "columns": list(request.columns),
            "pre_thresholds": list(request.pre_thresholds),
            "policy": policy.digest,
            "reason": request.reason,
        }

        def decide(book: Book) -> _Wanted | None:
            found = book.releases.get(key)
            if found is None or not found.is_charged:
                check_reservation(book, key, request.reason)
                check_request(policy, book, request)
                return _Wanted("reserved", key, fields, request.charge)
            if found.plan != request.plan:
                raise LedgerError(
                    f"{key} is {found.state} with another plan ({found.plan[:12]}...); allowed: "
                    "that plan, or a correction, which is a new version with a reason"
                )
            if found.charge != request.charge:
                raise LedgerError(f"{key} is {found.state} with another charge for this plan")
            return None

        return self._append(decide).releases[key]

    def tune(self, request: Request, policy: Policy) -> Release:
        """Charges a look at private data that settles a plan; it is spent at once.

        Args:
            request: What is looked at; the period of its key names the tuning.
            policy: The policy that it must fit.

        Raises:
            RefusedError: The policy does not allow it, or it does not fit.
        """
        fields = {
            "plan": request.plan,
            "columns": list(request.columns),
            "policy": policy.digest,
            "reason": request.reason,
        }

        def decide(book: Book) -> _Wanted | None:
            if (request.key, request.plan) in book.tunings:
                return None
            check_request(policy, book, request)
            return _Wanted("tuning", request.key, fields, request.charge)

        return self._append(decide).tunings[request.key, request.plan]

    def draw(self, reserved: Release, replaces: int = 0) -> Release:
        """Records that a worker is about to draw; only its caller may draw, and not if it raises.

        Args:
            reserved: What `reserve` returned to this run. A release that was voided since, and
                reserved again, is another one, perhaps with another plan.
            replaces: Number of the attempt that is known to be dead and whose values were deleted;
                0 for none.

        Returns:
            The release; its `attempt` is the number that `drawn` must name.

        Raises:
            LedgerError: It is not reserved, it was drawn already, or another attempt is under way.
        """
        key = reserved.key

        def decide(book: Book) -> _Wanted | None:
            found = _known(book, key)
            if found.entries[0] != reserved.entries[0]:
                raise LedgerError(
                    f"{key} was voided since this run reserved it (entry {reserved.entries[0]}), "
                    f"and reserved again (entry {found.entries[0]}); allowed: to begin again"
                )
            if found.attempt != replaces:
                raise LedgerError(
                    f"attempt {found.attempt} to draw {key} is under way, or died; "
                    "allowed: to wait, or to replace that attempt when it is dead"
                    if found.attempt
                    else f"{key} has no attempt {replaces} to replace; allowed: 0"
                )
            return _Wanted("drawing", key, {"attempt": found.attempt + 1})

        return self._append(decide).releases[key]

    def drawn(self, key: ReleaseKey, attempt: int, digest: str) -> Release:
        """Freezes the draw of an attempt: all its values are in staging, and no other counts.

        Args:
            key: The release.
            attempt: Number from `draw`.
            digest: SHA-256 over the staging.

        Raises:
            LedgerError: Another attempt has taken over, or other values were drawn.
        """
        wanted = {"attempt": attempt, "digest": digest}
        return self._step(
            "drawn", key, wanted, lambda r: (r.attempt, r.staged) == (attempt, digest)
        )

    def publish(self, key: ReleaseKey, digest: str) -> Release:
        """Records that the public may see the release; `digest` is the SHA-256 over its files."""
        return self._step("published", key, {"digest": digest}, lambda r: r.publication == digest)

    def void(self, key: ReleaseKey, reason: str) -> Release:
        """Gives the charge back, while no worker was told to draw."""
        return self._step("voided", key, {"reason": reason}, lambda r: r.state == "voided")

    def abandon(self, key: ReleaseKey, reason: str) -> Release:
        """Gives a release up that may have been drawn; its charge is spent."""
        return self._step("abandoned", key, {"reason": reason}, lambda r: r.state == "abandoned")

    def withdraw(self, key: ReleaseKey, reason: str) -> Release:
        """Marks a published release as not to be used any more; its charge is spent."""
        return self._step("withdrawn", key, {"reason": reason}, lambda r: r.state == "withdrawn")

    def note(self, dataset: str, reason: str) -> Note:
        """Notes something that was done with a dataset and has no price.

        Args:
            dataset: The dataset.
            reason: What it was; manifests of later releases of the dataset repeat it.
        """
        wanted = _Wanted("unaccounted", None, {"dataset": dataset, "reason": reason})
        return self._append(lambda _: wanted).notes[-1]

    def _step(
        self,
        kind: Kind,
        key: ReleaseKey,
        fields: Mapping[str, Any],
        is_done: Callable[[Release], bool],
    ) -> Release:
        def decide(book: Book) -> _Wanted | None:
            found = _known(book, key)
            return None if is_done(found) else _Wanted(kind, key, fields)

        return self._append(decide).releases[key]

    def _verified(self, lines: Sequence[str]) -> Book:
        try:
            return verify(lines, self.remembered)
        except BrokenLedgerError as error:
            raise error.at(self.store.place) from None

    def _append(self, decide: Callable[[Book], _Wanted | None]) -> Book:
        """Appends what a decision wants, by compare-and-set, and returns the book after it."""
        for _ in range(_MOST_ROUNDS):
            snapshot = self.store.read()
            book = self._verified(snapshot.lines)
            wanted = decide(book)
            if wanted is None:
                return book
            at = self.clock().astimezone(UTC).isoformat(timespec="microseconds")
            entry = new_entry(book.head, at, wanted.kind, wanted.key, wanted.fields, wanted.charge)
            line = entry.line()
            book.add(entry)
            book.head = Head(entry.number, digest_of(line))
            try:
                self.store.append(snapshot, line)
            except HeadMovedError:
                continue
            return book
        raise LedgerError(f"ledger {self.store.place} changes all the time; try again")


@dataclass(frozen=True)
class _Wanted:
    kind: Kind
    key: ReleaseKey | None
    fields: Mapping[str, Any]
    charge: Charge | None = None


def _known(book: Book, key: ReleaseKey) -> Release:
    release = book.releases.get(key)
    if release is None:
        raise LedgerError(f"{key} was never reserved; allowed: to reserve it first")
    return release
