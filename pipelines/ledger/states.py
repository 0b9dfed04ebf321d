"""What may happen to a release, in which order, and what it proves.

    reserved -> drawing -> drawn -> published -> withdrawn
        |          |          |
      voided       +----------+-> abandoned

`reserved`: the charge counts. `drawing`: a worker is about to draw; it writes this before the first
noisy value leaves it, so a value that left a worker has a `drawing` entry before it. `drawn`: all
noisy values of one attempt lie in staging, frozen, with a digest. `published`: the public sees
them. All of these keep their charge, and so do `abandoned` (never published) and `withdrawn`.

Only `voided` gives the charge back, and only from `reserved`: there is no `drawing` entry, and
appending is compare-and-set, so no worker can have been told to draw, and none can be told later.
After `drawing` nobody can prove that nothing left; the release goes on, or is abandoned and spent.

A crash in `drawing` leaves parts of a draw in a private folder. A rerun starts attempt n + 1 by an
entry that names the attempt that it replaces. From then on `drawn` is refused to attempt n, should
it still be alive. So one attempt at most is ever `drawn`, only that one is published, and one draw
is shown for one charge. Once `drawn`, there is no other attempt: a rerun publishes the same bytes.

A correction is a release of its own: the next version, with a reason and its own charge, allowed
when the version before it is published, abandoned or withdrawn. A voided release may be reserved
again. `tuning` is spent as it is written. `unaccounted` is a note of something without a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pipelines.ledger.charges import Charge, ReleaseKey
from pipelines.ledger.entries import Entry, Head, Kind
from pipelines.ledger.errors import LedgerError

_BEFORE: Mapping[str, tuple[Kind, ...]] = {
    "drawing": ("reserved", "drawing"),
    "drawn": ("drawing",),
    "published": ("drawn",),
    "voided": ("reserved",),
    "abandoned": ("drawing", "drawn"),
    "withdrawn": ("published",),
}
"""Kinds in which each kind of entry may follow."""

NO_POLICY = "0" * 64
"""Digest of no policy."""

_CORRECTED: tuple[Kind, ...] = ("published", "abandoned", "withdrawn")


@dataclass(frozen=True)
class Release:
    """A release as the ledger knows it.

    Attributes:
        key: Which one.
        plan: SHA-256 of its plan.
        charge: What it costs.
        state: Kind of its last entry.
        attempt: Number of the last attempt to draw; 0 for none.
        staged: Digest of the staging that was drawn, or nothing.
        publication: Digest of what was published, or nothing.
        reason: Why there is a correction, or why it ended.
        entries: Numbers of its entries.
    """

    key: ReleaseKey
    plan: str
    charge: Charge
    state: Kind
    attempt: int = 0
    staged: str = ""
    publication: str = ""
    reason: str = ""
    entries: tuple[int, ...] = ()

    @property
    def is_charged(self) -> bool:
        """Whether its charge counts."""
        return self.state != "voided"


@dataclass(frozen=True)
class Note:
    """Something that was done without a price.

    Attributes:
        dataset: To which dataset.
        reason: What it was.
        entry: Number of the entry.
    """

    dataset: str
    reason: str
    entry: int


@dataclass
class Book:
    """The whole ledger, entry by entry.

    Attributes:
        head: The last entry.
        releases: The last life of each release.
        tunings: Tunings by name and plan.
        notes: Notes.
        has_policy: Whether something was ever charged under a policy.
    """

    head: Head = field(default_factory=Head)
    releases: dict[ReleaseKey, Release] = field(default_factory=dict)
    tunings: dict[tuple[ReleaseKey, str], Release] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    has_policy: bool = False

    def charged(self, dataset: str) -> list[Release]:
        """Returns what counts against a dataset, in the order of reservation."""
        every = [*self.releases.values(), *self.tunings.values()]
        counted = (r for r in every if r.is_charged and r.charge.dataset == dataset)
        return sorted(counted, key=lambda release: release.entries[0])

    def add(self, entry: Entry) -> None:
        """Takes an entry in.

        Raises:
            LedgerError: It cannot happen in the state that its release is in.
        """
        if entry.kind == "unaccounted":
            self.notes.append(Note(entry.fields["dataset"], entry.fields["reason"], entry.number))
            return
        assert entry.release is not None
        self.has_policy |= entry.fields.get("policy", NO_POLICY) != NO_POLICY
        if entry.kind == "tuning":
            place = (entry.release, str(entry.fields["plan"]))
            if place in self.tunings:
                raise LedgerError(f"tuning {entry.release} of this plan is there already")
            self.tunings[place] = _opened(entry, "tuning")
            return
        self.releases[entry.release] = self._after(entry, entry.release)

    def latest(self, key: ReleaseKey) -> Release | None:
        """Returns the last version of the series and period of a key that is not voided."""
        versions = (
            release
            for other, release in self.releases.items()
            if (other.series, other.period) == (key.series, key.period) and release.is_charged
        )
        return max(versions, key=lambda release: release.key.version, default=None)

    def _after(self, entry: Entry, key: ReleaseKey) -> Release:
        release = self.releases.get(key)
        if entry.kind == "reserved":
            check_reservation(self, key, str(entry.fields["reason"]))
            return _opened(entry, "reserved")
        if release is None:
            raise LedgerError(f"{key} is {entry.kind}, but it was never reserved")
        if release.state not in _BEFORE[entry.kind]:
            raise LedgerError(
                f"{key} cannot be {entry.kind}, as it is {release.state}; "
                f"allowed: after {' or '.join(_BEFORE[entry.kind])}"
            )
        fields = entry.fields
        expected = release.attempt + (1 if entry.kind == "drawing" else 0)
        if fields.get("attempt", expected) != expected:
            raise LedgerError(
                f"{key} cannot be {entry.kind} by attempt {fields['attempt']}; "
                f"allowed: attempt {expected}"
            )
        changed = replace(release, state=entry.kind, entries=(*release.entries, entry.number))
        match entry.kind:
            case "drawing":
                return replace(changed, attempt=fields["attempt"])
            case "drawn":
                return replace(changed, staged=fields["digest"])
            case "published":
                return replace(changed, publication=fields["digest"])
            case _:
                return replace(changed, reason=fields["reason"])


def check_reservation(book: Book, key: ReleaseKey, reason: str) -> None:
    """Checks that a release may be reserved now.

    Raises:
        LedgerError: It is there already, or it is a correction without reason or of nothing.
    """
    latest = book.latest(key)
    expected = 1 if latest is None else latest.key.version + 1
    if key.version != expected:
        raise LedgerError(
            f"{key} cannot be reserved; allowed: version {expected} of this series and period"
        )
    if latest is None:
        return
    if latest.state not in _CORRECTED:
        raise LedgerError(
            f"{key} cannot be reserved, as {latest.key} is {latest.state}; "
            f"allowed: after {' or '.join(_CORRECTED)}"
        )
    if not reason.strip():
        raise LedgerError(f"{key} is a correction without a reason; allowed: with one")


def replay(entries: Iterable[Entry]) -> Book:
    """Returns the book of entries that follow each other by the rules.

    Raises:
        LedgerError: An entry cannot happen where it stands.
    """
    book = Book()
    for entry in entries:
        book.add(entry)
    return book


def _opened(entry: Entry, state: Kind) -> Release:
    assert entry.release is not None
    assert entry.charge is not None
    return Release(
        entry.release,
        entry.fields["plan"],
        entry.charge,
        state,
        reason=entry.fields["reason"],
        entries=(entry.number,),
    )
