"""Entries of the ledger: one line of canonical JSON each, chained by SHA-256.

A line is the JSON object with sorted keys, no spaces, ASCII only. Each has the SHA-256 of the line
before it, so the hash of the last line, the head, stands for the whole ledger. Times are for people
to read; nothing is decided by them. The id makes each line unique: two writers that append at the
same place never write the same line, so each can tell whether its own entry is in.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pipelines.ledger.charges import Charge, ReleaseKey
from pipelines.ledger.errors import BrokenLedgerError

Kind = Literal[
    "reserved",
    "drawing",
    "drawn",
    "published",
    "voided",
    "abandoned",
    "withdrawn",
    "tuning",
    "unaccounted",
]

FIELDS: Mapping[Kind, Mapping[str, type]] = {
    "reserved": {
        "plan": str,
        "charge": dict,
        "columns": list,
        "pre_thresholds": list,
        "policy": str,
        "reason": str,
    },
    "drawing": {"attempt": int},
    "drawn": {"attempt": int, "digest": str},
    "published": {"digest": str},
    "voided": {"reason": str},
    "abandoned": {"reason": str},
    "withdrawn": {"reason": str},
    "tuning": {"plan": str, "charge": dict, "columns": list, "policy": str, "reason": str},
    "unaccounted": {"dataset": str, "reason": str},
}
"""What entries of each kind have, beside the release that all but `unaccounted` are about."""

_EVERY_ENTRY = {"format": int, "number": int, "previous": str, "id": str, "time": str, "kind": str}
_RELEASE = {"series": str, "period": str, "version": int}
FORMAT = 1


@dataclass(frozen=True)
class Head:
    """The state of a ledger in two values, for a manifest to remember.

    Attributes:
        entries: Number of entries.
        digest: SHA-256 of the last line, in hexadecimal digits; zeros for none.
    """

    entries: int = 0
    digest: str = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        head: The ledger before it.
        id: Unique text.
        time: When it was written, by the clock of the writer; ISO 8601 in UTC.
        kind: What happened.
        release: The release; None for `unaccounted`.
        fields: The other values, by `FIELDS`.
        charge: The charge among the values; None where the kind has none.
    """

    head: Head
    id: str
    time: str
    kind: Kind
    release: ReleaseKey | None
    fields: Mapping[str, Any]
    charge: Charge | None = None

    @property
    def number(self) -> int:
        """Number of the entry, from 1."""
        return self.head.entries + 1

    def line(self) -> str:
        """Returns the canonical line."""
        release = self.release
        about = {} if release is None else {name: getattr(release, name) for name in _RELEASE}
        return canonical_json(
            {
                "format": FORMAT,
                "number": self.number,
                "previous": self.head.digest,
                "id": self.id,
                "time": self.time,
                "kind": self.kind,
                **about,
                **self.fields,
            }
        )


def new_entry(
    head: Head,
    time: str,
    kind: Kind,
    release: ReleaseKey | None,
    fields: Mapping[str, Any],
    charge: Charge | None = None,
) -> Entry:
    """Returns an entry that follows a head."""
    values = dict(fields) if charge is None else {**fields, "charge": charge.to_json()}
    return Entry(head, uuid.uuid4().hex, time, kind, release, values, charge)


def canonical_json(value: Any) -> str:
    """Returns JSON as it is hashed: sorted keys, no spaces, ASCII, shortest exact floats.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(line: str) -> str:
    """Returns the SHA-256 of a line, in hexadecimal digits."""
    return hashlib.sha256(line.encode()).hexdigest()


def head_of(lines: Sequence[str]) -> Head:
    """Returns the head of a ledger."""
    return Head(len(lines), digest_of(lines[-1])) if lines else Head()


def parse_entries(lines: Sequence[str]) -> list[Entry]:
    """Reads lines back and checks that each is canonical and follows the one before it.

    Args:
        lines: The whole ledger.

    Returns:
        Its entries.

    Raises:
        BrokenLedgerError: An entry is no entry, was edited, moved, repeated or taken out.
    """
    entries: list[Entry] = []
    head = Head()
    for number, line in enumerate(lines, 1):
        try:
            entry = _parse(line, head)
        except (ValueError, RecursionError) as error:
            raise BrokenLedgerError(number, str(error)) from None
        entries.append(entry)
        head = Head(number, digest_of(line))
    return entries


def _parse(line: str, head: Head) -> Entry:
    try:
        values = json.loads(line)
        canonical = canonical_json(values)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if canonical != line or not isinstance(values, dict):
        raise ValueError("it is not canonical JSON, so it was edited")
    kind: Any = values.get("kind")
    if values.get("format") != FORMAT or kind not in get_args(Kind):
        raise ValueError(
            f"it has format {values.get('format')!r} and kind {kind!r}; allowed: format {FORMAT} "
            f"and {', '.join(get_args(Kind))}"
        )
    about = {} if kind == "unaccounted" else _RELEASE
    wanted = {**_EVERY_ENTRY, **about, **FIELDS[kind]}
    if {name: type(value) for name, value in values.items()} != wanted:
        raise ValueError(f"its values are not those of {kind}: {', '.join(sorted(wanted))}")
    if values["number"] != head.entries + 1:
        raise ValueError(f"it has the number {values['number']}, so entries are missing or moved")
    if values["previous"] != head.digest:
        raise ValueError("its hash of the entry before it is another, so one of the two was edited")
    release = ReleaseKey(*(values[name] for name in _RELEASE)) if about else None
    charge = Charge.from_json(values["charge"]) if "charge" in values else None
    fields = {name: values[name] for name in FIELDS[kind]}
    return Entry(head, values["id"], values["time"], kind, release, fields, charge)
