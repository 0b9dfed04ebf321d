"""What a manifest says that neither the plan nor the tables have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from pipelines import clock
from pipelines.publication.completeness import NOT_LOOKED_AT, Completeness

PROGRAM = "dp-release"

_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class LedgerPlace:
    """Where a release stands in the ledger.

    Attributes:
        entry: Unique id of the entry that charged it.
        entries: Number of entries of the ledger when the manifest was written.
        digest: SHA-256 of the last of them, in hexadecimal digits.
        policy: SHA-256 of the policy that the charge was held to; empty for none.
    """

    entry: str
    entries: int
    digest: str
    policy: str = ""


@dataclass(frozen=True)
class Look:
    """A look at the same dataset that settled a plan, as the ledger has it.

    Attributes:
        entry: Number of its entry.
        what: What was looked at, when, and for which config.
        unit: The privacy unit that `epsilon` is about; None without accounting.
        epsilon: What it cost; None without accounting.
        delta: Delta that epsilon is stated for; None without accounting.

    Raises:
        ValueError: Some of the price is there and some is not, or is no number.
    """

    entry: int
    what: str
    unit: str | None = None
    epsilon: float | None = None
    delta: float | None = None

    def __post_init__(self) -> None:
        price = (self.unit, self.epsilon, self.delta)
        if type(self.entry) is not int or not isinstance(self.what, str):
            raise ValueError(f"entry and what are {self.entry!r} and {self.what!r}")
        kinds = tuple(map(type, price))
        if kinds not in ((str, float, float), (type(None),) * 3):
            raise ValueError(f"unit, epsilon and delta are {price}; allowed: all of them, or none")

    @property
    def is_accounted(self) -> bool:
        """Whether it was charged."""
        return self.epsilon is not None

    def __str__(self) -> str:
        if self.epsilon is None:
            return f"UNACCOUNTED (entry {self.entry}): {self.what}"
        cost = f"epsilon {self.epsilon:.4g} at delta {self.delta:g} for one {self.unit}"
        return f"charged {cost} (entry {self.entry}): {self.what}"


@dataclass(frozen=True)
class Facts:
    """What is known only when a release is published.

    Attributes:
        title: Title for people.
        published: Time of publication, in UTC, whole seconds.
        about: What the publisher says (`pipelines.spec.about_spec`), as JSON values.
        software: Versions of the program and of what it needs, by package.
        period: The period of the release, such as `2026-W46`; None where it has none.
        window: First and last day of the input; None where they are not known.
        version: From 1; corrections are later versions.
        reason: Why there is a correction; empty for version 1.
        run: Id of the run that drew the release; empty where there is none.
        ledger: Where it stands in the ledger; None without a ledger.
        looks: The looks at the dataset that the ledger had until then, beside releases.
        completeness: What gates found.

    Raises:
        ValueError: The time is not in UTC, the version is no whole number from 1, or the window
            ends before it begins.
    """

    title: str
    published: datetime
    about: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None
    window: tuple[date, date] | None = None
    version: int = 1
    reason: str = ""
    run: str = ""
    ledger: LedgerPlace | None = None
    looks: tuple[Look, ...] = ()
    completeness: Completeness = NOT_LOOKED_AT

    def __post_init__(self) -> None:
        if self.published.tzinfo != UTC or self.published.microsecond:
            raise ValueError(f"published is {self.published}; allowed: whole seconds in UTC")
        if type(self.version) is not int or self.version < 1:
            raise ValueError(f"version is {self.version!r}; allowed: a whole number from 1")
        if self.window is not None and self.window[1] < self.window[0]:
            raise ValueError(f"window is {self.window}; allowed: not ending before it begins")

    def to_dict(self) -> dict[str, Any]:
        """Returns the facts as JSON values."""
        return {
            "title": self.title,
            "published": self.published.strftime(_TIME),
            "period": self.period,
            "window": None if self.window is None else [str(day) for day in self.window],
            "version": self.version,
            "reason": self.reason,
            "run": self.run,
            "ledger": None if self.ledger is None else asdict(self.ledger),
            "looks": [asdict(look) for look in self.looks],
            "completeness": self.completeness.to_dict(),
            "software": dict(self.software),
            "about": dict(self.about),
        }

    def _check_types(self) -> None:
        texts = [self.title, self.reason, self.run, *self.software, *self.software.values()]
        if self.period is not None:
            texts.append(self.period)
        if self.ledger is not None:
            texts += [self.ledger.entry, self.ledger.digest, self.ledger.policy]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("these are no facts of a publication: a text is no text")
        if self.ledger is not None and type(self.ledger.entries) is not int:
            raise ValueError("these are no facts of a publication: entries is no number")

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Facts:
        """Returns the facts that JSON values stand for.

        Raises:
            ValueError: They stand for none.
        """
        try:
            fields = dict(value)
            first_last = fields.pop("window")
            ledger = fields.pop("ledger")
            passed = fields.pop("completeness", NOT_LOOKED_AT.to_dict())
            software = dict(fields.pop("software"))
            published = datetime.strptime(fields.pop("published"), _TIME).replace(tzinfo=UTC)
            facts = cls(
                published=published,
                window=first_last and (_day(first_last[0]), _day(first_last[1])),
                ledger=ledger and LedgerPlace(**ledger),
                looks=tuple(Look(**look) for look in fields.pop("looks", ())),
                completeness=Completeness.from_dict(passed),
                software=software,
                **fields,
            )
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"these are no facts of a publication: {error}") from None
        facts._check_types()
        return facts


def _day(text: str) -> date:
    return date.fromisoformat(text)


def now() -> datetime:
    """Returns the time in UTC, in whole seconds."""
    return clock.now().replace(microsecond=0)


@lru_cache(maxsize=1)
def software() -> dict[str, str]:
    """Returns the version of this program and of each package that it is declared to need."""
    names = [PROGRAM, *sorted(_name(line) for line in requires(PROGRAM) or () if ";" not in line)]
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _name(requirement: str) -> str:
    letters = (index for index, sign in enumerate(requirement) if sign in "<>=!~[ (")
    return requirement[: next(letters, len(requirement))]
