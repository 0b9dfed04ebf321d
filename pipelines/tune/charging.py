"""What a look at private data leaves in the ledger, before any row is read.

Tuning with a budget is charged as releases are: the losses of all its noisy histograms, about the
privacy unit of the config and the days of the period, held to the caps of the policy. The charge is
spent as it is written, whatever happens afterwards. Nothing goes on from where a killed tuning was:
workers may have drawn noise, and nobody can prove that none did. So every tuning has a name of its
own, and pays for a draw of its own.

Tuning without accounting has no price. It leaves a note, whose text stands in the manifests of
later releases of the dataset: it says nothing that the public may not read.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from pipelines.ledger import ReleaseKey, Request
from pipelines.ledger.entries import canonical_json
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.periods import ReleasePeriod
from pipelines.tune.plan import TuningPlan


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger has of a look.

    Attributes:
        place: Where the ledger is.
        number: Number of the entry.
    """

    place: str
    number: int


def enter(plan: TuningPlan, period: ReleasePeriod, when: datetime) -> LedgerEntry | None:
    """Charges a look to the ledger of the config, or notes it there.

    Args:
        plan: What is to be done.
        period: Period whose rows are looked at.
        when: When, in UTC.

    Returns:
        The entry; None for public data, which no ledger is asked about.

    Raises:
        ConfigError: The policy cannot be read, or the folder of the ledger cannot be made.
        RefusedError: The policy does not allow it, or it does not fit.
        LedgerError: The ledger cannot be read or written.
    """
    if plan.mode.declaration == "public":
        return None
    own = ReleaseLedger.of(plan.release)
    if plan.charge is None:
        own.make_folder()
        note = own.ledger.note(plan.release.spec.dataset, note_text(plan, period, when))
        return LedgerEntry(own.ledger.store.place, note.entry)
    request = tuning_request(plan, own, period, when)
    own.make_folder()
    charged = own.ledger.tune(request, own.policy_for(request))
    return LedgerEntry(own.ledger.store.place, charged.entries[0])


def tuning_request(
    plan: TuningPlan, own: ReleaseLedger, period: ReleasePeriod, when: datetime
) -> Request:
    """Returns what tuning with a budget asks the ledger for.

    Args:
        plan: What is to be done; it has a charge.
        own: The ledger.
        period: Period whose rows are looked at.
        when: When, in UTC.
    """
    charge = plan.charge
    assert charge is not None
    losses = tuple(mechanism.losses for mechanism in charge.mechanisms.values())
    name = f"tuning-{when:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}"
    return Request(
        ReleaseKey(plan.release.spec.release, name),
        tuning_hash(plan),
        own.charge(period, losses, charge.budget.delta),
        own.columns,
        reason=f"{_what(plan, period)}; config sha256 {_config_hash(plan)}",
    )


def tuning_hash(plan: TuningPlan) -> str:
    """Returns the SHA-256 of the config and of all noise of a tuning with a budget."""
    assert plan.charge is not None
    mechanisms = plan.charge.mechanisms.items()
    what = {
        "config_sha256": _config_hash(plan),
        "mechanisms": {name: mechanism.to_dict() for name, mechanism in mechanisms},
    }
    return sha256(canonical_json(what).encode()).hexdigest()


def note_text(plan: TuningPlan, period: ReleasePeriod, when: datetime) -> str:
    """Returns what the ledger is told of a look without accounting."""
    return (
        f"{_what(plan, period)}, looked at exactly, which is not differentially private, on "
        f"{when:%Y-%m-%dT%H:%M:%SZ}; config sha256 {_config_hash(plan)}"
    )


def _what(plan: TuningPlan, period: ReleasePeriod) -> str:
    rows = "all rows" if period.every is None else f"rows of {period.days}"
    return f"tuning of {plan.release.spec.release} ({', '.join(plan.tables)}) on {rows}"


def _config_hash(plan: TuningPlan) -> str:
    return sha256(plan.release.source.content).hexdigest()
