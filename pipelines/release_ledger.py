"""A release and the ledger: where it is, what the policy says, and what the release asks it for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.ledger import (
    Charge,
    Days,
    Ledger,
    Policy,
    PrivacyUnit,
    ReleaseKey,
    Request,
    load_policy,
    open_store,
)
from pipelines.ledger.policy import no_policy
from pipelines.ledger_unit import identity, ledger_unit
from pipelines.periods import EVERY_DAY, ReleasePeriod
from pipelines.plan import ReleasePlan
from pipelines.plan.file import PlanFile
from pipelines.spec import ConfigError, LoadedRelease, ReleaseSpec


@dataclass(frozen=True)
class ReleaseLedger:
    """The ledger of a release series.

    Attributes:
        release: The release series.
        ledger: The ledger.
        policy: What the privacy team allows; None where there is no policy file.
    """

    release: LoadedRelease
    ledger: Ledger
    policy: Policy | None

    @classmethod
    def of(cls, release: LoadedRelease) -> ReleaseLedger:
        """Opens the ledger and the policy that a config names. Nothing is written.

        Raises:
            ConfigError: The policy cannot be read, or the ledger's folder cannot be made.
            LedgerError: The ledger cannot be opened.
        """
        policy = None if release.policy is None else load_policy(release.policy)
        return cls(release, Ledger(open_store(release.ledger)), policy)

    def policy_for(self, request: Request) -> Policy:
        """Returns what a request is held to."""
        return no_policy(request) if self.policy is None else self.policy

    def request(
        self,
        plan: ReleasePlan,
        planned: PlanFile,
        period: ReleasePeriod,
        version: int = 1,
        reason: str = "",
    ) -> Request:
        """Returns what a run asks the ledger for.

        Args:
            plan: The plan.
            planned: Its file, whose hash identifies it.
            period: Period of the release.
            version: 1, or more for a correction.
            reason: Why there is a correction.
        """
        spec = self.release.spec
        window, unit = self._charged(spec, period)
        mechanisms = tuple(
            mechanism.losses for table in plan.tables for mechanism in table.mechanisms.values()
        )
        charge = Charge(spec.dataset, unit, window, mechanisms, plan.cost.prices[0].delta)
        columns = sorted({named.column for named in spec.input_columns()})
        selected = [table.selection for table in plan.tables if table.selection is not None]
        return Request(
            ReleaseKey(spec.release, period.name, version),
            planned.plan_hash,
            charge,
            tuple(columns),
            tuple(selection.pre_threshold or 0 for selection in selected),
            reason,
        )

    def make_folder(self) -> None:
        """Makes the folder of an SQLite ledger, which nobody else may look into.

        Raises:
            ConfigError: It cannot be made.
        """
        place = self.release.ledger
        if "://" in place:
            return
        folder = Path(place).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = f"{folder} cannot be made: {error.strerror}"
            raise ConfigError([self.release.source.problem(("ledger",), message)]) from None

    def _charged(self, spec: ReleaseSpec, period: ReleasePeriod) -> tuple[Days, PrivacyUnit]:
        """Returns days and unit; all days where those of the policy are of another column."""
        unit = ledger_unit(spec)
        dataset = None if self.policy is None else self.policy.datasets.get(spec.dataset)
        wanted = None if dataset is None else dataset.spec.time
        time = None if spec.input.time is None else identity(spec, spec.input.time)
        if wanted is not None and time != wanted:
            return EVERY_DAY, _without_time(unit, spec)
        return period.days, unit


def _without_time(unit: PrivacyUnit, spec: ReleaseSpec) -> PrivacyUnit:
    """Returns a unit whose time scope is a column like others."""
    if unit.every is None:
        return unit
    columns = {identity(spec, column) for column in spec.privacy.unit}
    return replace(unit, columns=tuple(sorted(columns)), every=None)
