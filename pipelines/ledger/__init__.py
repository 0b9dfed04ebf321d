"""The ledger: what has been spent on each dataset, and whether the next release fits.

An append-only list of entries, each with the SHA-256 of the one before it (`entries`), in an SQLite
file or an object in Google Cloud Storage (`store`, `sqlite_store`, `gcs_store`), where appending is
compare-and-set. Every use reads all of it, checks the chain and the order of events (`verify`,
`states`), decides, and appends one entry; if somebody else was faster, it begins again. So of 64
runs that race for room for one, one wins, and a kill at any moment leaves the ledger with the entry
or without it.

A release is *reserved* (charged), *drawing*, *drawn*, *published*; or *voided* while no worker was
told to draw, *abandoned* after that, *withdrawn* when it was published. `states` argues why one
draw at most is ever shown for one charge, and why only a voided one gives its charge back. All
steps can be repeated: the same series, period, version and plan is one release. Another plan is
refused, unless it is a correction: a new version with a reason and a charge of its own.

A charge (`charges`) lists the losses of each mechanism, the privacy unit with its time scope
(`units`), and the days of the input. Releases compose by the accountant of the plan
(`composition`). What counts together follows from data and not from clocks (`cells`): for one
user-day, the releases that read that day; for one user, all, where a charge for user-days counts
for as many units as its window has days, by group privacy.

The policy (`policy`) is a YAML file that the privacy team owns:

    datasets:
      keyboard_events:
        columns: [user_id, event_time, country, emoji]
        time: event_time
        min_pre_threshold: 10
        caps:
          - {unit: user_id, per: release, epsilon: 1, delta: 1e-8}
          - {unit: user_id, per: 28 days, epsilon: 3, delta: 1e-7}
          - {unit: user_id, every: day, epsilon: 1, delta: 1e-7}
          - {unit: user_id, rho: 4, delta: 1e-6}

A release that is not allowed or does not fit raises a `RefusedError` (exit 2), which names the
entries and days in the way, the largest epsilon that would fit, and when room returns (`decision`,
`refusal`). `budget` has what a person wants to see.

What a hash chain cannot show is that its end was cut off, or that all of it was written anew by
somebody who may write. So each manifest keeps the `Head` of its day, and a ledger that does not
contain a remembered head is refused. A ledger that disappeared is an empty one: give the heads.
"""

from pipelines.ledger.charges import Charge, ReleaseKey, Request
from pipelines.ledger.days import Days
from pipelines.ledger.entries import Head
from pipelines.ledger.errors import BrokenLedgerError, LedgerError, StoreError
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.policy import Policy, load_policy
from pipelines.ledger.refusal import Refusal, RefusedError
from pipelines.ledger.states import Book, Release
from pipelines.ledger.store import LedgerStore, open_store
from pipelines.ledger.units import PrivacyUnit
from pipelines.ledger.verify import verify

__all__ = [
    "Book",
    "BrokenLedgerError",
    "Charge",
    "Days",
    "Head",
    "Ledger",
    "LedgerError",
    "LedgerStore",
    "Policy",
    "PrivacyUnit",
    "Refusal",
    "RefusedError",
    "Release",
    "ReleaseKey",
    "Request",
    "StoreError",
    "load_policy",
    "open_store",
    "verify",
]
