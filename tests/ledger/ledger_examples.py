"""Requests, policies and a store in memory, for tests of the ledger."""

from datetime import date

from pipelines.ledger import Charge, Days, Policy, PrivacyUnit, Release, ReleaseKey, Request
from pipelines.ledger.errors import HeadMovedError
from pipelines.ledger.policy_spec import PolicySpec
from pipelines.ledger.store import Snapshot
from transforms.accounting import ApproximateLoss, FailureLoss, GaussianLoss, LaplaceLoss

USER = PrivacyUnit(("user_id",))
USER_DAY = PrivacyUnit(("user_id",), "day")
ONE_OF_EACH = (
    (GaussianLoss(0.1),),
    (LaplaceLoss(0.07),),
    (ApproximateLoss(0.05, 1e-10, 4),),
    (LaplaceLoss(0.03), FailureLoss(1e-10)),
)


class MemoryStore:
    """A store without a place."""

    def __init__(self, lines=()):
        self.lines = tuple(lines)
        self.place = "memory"

    def read(self):
        return Snapshot(self.lines, len(self.lines))

    def append(self, snapshot, line):
        if snapshot.lines != self.lines:
            raise HeadMovedError
        self.lines = (*self.lines, line)


def days(first, last=None):
    """Days as text."""
    return Days(date.fromisoformat(first), date.fromisoformat(last or first))


def laplace(*epsilons):
    """Mechanisms of Laplace noise."""
    return tuple((LaplaceLoss(epsilon),) for epsilon in epsilons)


def charge(window="2026-11-09", mechanisms=None, *, unit=USER, dataset="events", delta=1e-6):
    """A charge for a day, or for days such as `2026-11-09 2026-11-15`."""
    mechanisms = laplace(0.5) if mechanisms is None else mechanisms
    return Charge(dataset, unit, days(*window.split()), mechanisms, delta)


def request(period="2026-W46", charged=None, *, version=1, plan="a" * 64, reason="", **more):
    """A request for a release of the series `weekly`."""
    return Request(
        ReleaseKey("weekly", period, version),
        plan,
        charged or charge(),
        more.get("columns", ("user_id",)),
        more.get("pre_thresholds", ()),
        reason,
    )


def policy(*caps, **more):
    """The policy of the dataset `events`, with caps such as `{"epsilon": 1}` for one user."""
    units = [{"unit": "user_id"} if cap.get("bounding") != "row" else {} for cap in caps]
    merged = [{**unit, **cap} for unit, cap in zip(units, caps, strict=True)]
    dataset = {"columns": ["user_id", "country"], "time": "at", "caps": merged, **more}
    return Policy.of(PolicySpec.model_validate({"datasets": {"events": dataset}}))


KEY = ReleaseKey("weekly", "2026-W46")
ROOMY = policy({"epsilon": 1000, "delta": 1e-6})


def fire(ledger, event, key=KEY, attempt=1):
    """Has something happen to a release."""
    match event:
        case "reserve":
            asked = request(key.period, version=key.version, reason="a wrong file")
            return ledger.reserve(asked, ROOMY)
        case "draw":
            return draw(ledger, key)
        case "redraw":
            return draw(ledger, key, replaces=attempt or 7)
        case "drawn":
            return ledger.drawn(key, attempt, "d" * 64)
        case "publish":
            return ledger.publish(key, "e" * 64)
        case _:
            return getattr(ledger, event)(key, "because")


def draw(ledger, key=KEY, replaces=0):
    """Draws what is reserved under a key."""
    never = Release(key, "", charge(), "reserved", entries=(1,))
    return ledger.draw(ledger.book().releases.get(key, never), replaces)
