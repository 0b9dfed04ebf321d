"""A release and the ledger: where it is, what the policy says, and what the release asks it for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.ledger import (
    Charge,
    Days,
    Ledger,
    Policy,
    PrivacyUnit,
    Release,
    ReleaseKey,
    Request,
    StoreError,
    open_store,
)
from pipelines.ledger.composition import composed, epsilon_at
from pipelines.ledger.entries import Head, head_of
from pipelines.ledger.losses_json import Mechanisms
from pipelines.ledger.policy import no_policy
from pipelines.ledger.states import NO_POLICY
from pipelines.plan import ReleasePlan
from pipelines.plan.file import PlanFile
from pipelines.policy_check import release_policy
from pipelines.publication.facts import LedgerPlace, Look
from pipelines.publication.gcs_series import heads_in_index
from pipelines.publication.series_index import Listed, release_in, releases_in
from pipelines.publication.withdrawn import Withdrawn
from pipelines.run.folders import series_storage
from pipelines.run.ledger_memory import remember_head, remembered_head
from pipelines.run.ledger_unit import identity, ledger_unit
from pipelines.run.periods import EVERY_DAY, ReleasePeriod
from pipelines.spec import LoadedRelease, ReleaseSpec
from pipelines.spec.partition_folders import chosen_columns
from pipelines.storage.durable import private_folder
from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import PATIENCE, GcsFolder
from pipelines.storage.storage import is_url


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
    def of(cls, release: LoadedRelease, patience: float = PATIENCE) -> ReleaseLedger:
        """Opens the ledger and the policy that a config names. Nothing is written.

        The ledger is refused when it lacks an entry that the staging, or the manifest of a
        published release of the series remembers: it is another one, or its end was cut off.

        Args:
            release: The release series.
            patience: Seconds for which the bucket of its releases is asked.

        Raises:
            ConfigError: The policy cannot be read.
            StoreError: The bucket of the releases cannot be read.
            LedgerError: The ledger cannot be opened.
        """
        policy = release_policy(release)
        ledger = Ledger(open_store(release.ledger), remembered=list(_heads(release, patience)))
        return cls(release, ledger, policy)

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
        losses = tuple(
            mechanism.losses for table in plan.tables for mechanism in table.mechanisms.values()
        )
        selected = [table.selection for table in plan.tables if table.selection is not None]
        return Request(
            ReleaseKey(self.release.spec.release, period.name, version),
            planned.plan_hash,
            self.charge(period, losses, plan.cost.prices[0].delta),
            self.columns,
            tuple(selection.pre_threshold or 0 for selection in selected),
            reason,
        )

    def charge(self, period: ReleasePeriod, losses: Mechanisms, delta: float) -> Charge:
        """Returns the charge for noise about the rows of a period.

        Args:
            period: The period.
            losses: The losses of each mechanism.
            delta: Delta that epsilon is stated for.
        """
        spec = self.release.spec
        window, unit = self._charged(spec, period)
        return Charge(spec.dataset, unit, window, losses, delta)

    @property
    def withdrawn(self) -> list[Withdrawn]:
        """Releases of the series that were published and are withdrawn now."""
        found = self.ledger.book().releases.values()
        series = self.release.spec.release
        return sorted(
            Withdrawn(series, one.key.period, one.key.version, one.publication, one.reason)
            for one in found
            if one.key.series == series and one.state == "withdrawn"
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, in order."""
        spec = self.release.spec
        columns = {named.column for named in spec.input_columns()}
        columns |= {name for glob in spec.input.files or () for name in chosen_columns(glob)}
        if spec.input.bigquery is not None:
            columns |= set(spec.input.bigquery.restricting_columns)
        return tuple(sorted(columns))

    def looks(self, place: LedgerPlace) -> tuple[Look, ...]:
        """Returns the looks at the dataset that a ledger knew then, beside releases, in order.

        Args:
            place: The ledger as a manifest remembers it; later entries are left out.
        """
        book, dataset = self.ledger.book(), self.release.spec.dataset
        notes = [Look(note.entry, note.reason) for note in book.notes if note.dataset == dataset]
        tunings = [
            Look(
                tuning.entries[0],
                tuning.reason,
                str(tuning.charge.unit),
                float(epsilon_at(composed(tuning.charge.losses), tuning.charge.delta)),
                float(tuning.charge.delta),
            )
            for tuning in book.tunings.values()
            if tuning.charge.dataset == dataset
        ]
        known = [look for look in (*notes, *tunings) if look.entry <= place.entries]
        return tuple(sorted(known, key=lambda look: look.entry))

    def place_of(self, release: Release) -> LedgerPlace:
        """Returns where a release stands in the ledger, for its manifest to remember."""
        lines = self.ledger.store.read().lines
        head = head_of(lines)
        entry = json.loads(lines[release.entries[0] - 1])
        policy = "" if entry["policy"] == NO_POLICY else entry["policy"]
        return LedgerPlace(entry["id"], head.entries, head.digest, policy)

    def remember(self, release: Release) -> None:
        """Has the staging remember the ledger, as a release is about to be drawn.

        Raises:
            OSError: That cannot be written.
        """
        place = self.place_of(release)
        remember_head(series_storage(self.release), Head(place.entries, place.digest))

    def make_folder(self) -> None:
        """Makes the folder of an SQLite ledger, which nobody else may look into.

        Raises:
            ConfigError: It cannot be made.
        """
        place = self.release.ledger
        if is_url(place):
            return
        folder = Path(place).parent
        try:
            private_folder(folder)
        except OSError as error:
            message = f"{folder} cannot be made: {error.strerror}"
            raise self.release.refusal(("ledger",), message) from None

    def _charged(self, spec: ReleaseSpec, period: ReleasePeriod) -> tuple[Days, PrivacyUnit]:
        """Returns days and unit; all days where those of the policy are of another column."""
        unit = ledger_unit(spec)
        dataset = None if self.policy is None else self.policy.datasets.get(spec.dataset)
        wanted = None if dataset is None else dataset.spec.time
        time = None if spec.input.time is None else identity(spec, spec.input.time)
        if wanted is not None and time != wanted:
            return EVERY_DAY, _without_time(unit, spec)
        return period.days, unit


def _heads(release: LoadedRelease, patience: float) -> Iterator[Head]:
    """Yields the heads that manifests of published releases of a series remember, and staging."""
    if is_url(release.output_folder):
        yield from _heads_in_bucket(release, patience)
    for published in _published(release):
        place = published.content.facts.ledger
        if published.content.series == release.spec.release and place is not None:
            yield Head(place.entries, place.digest)
    if (last := remembered_head(series_storage(release))) is not None:
        yield last


def _published(release: LoadedRelease) -> list[Listed]:
    folder = Path(release.output_folder)
    if is_url(release.output_folder) or not folder.is_dir():
        return []
    if release.spec.period is not None:
        return releases_in(folder)
    found = release_in(folder)
    return [] if found is None else [found]


def _heads_in_bucket(release: LoadedRelease, patience: float) -> list[Head]:
    """Returns the heads that the index in the bucket has: it is one object, not one per release."""
    try:
        folder = replace(GcsFolder.of(release.output_folder), patience=patience)
        index = folder.parent if release.spec.period is None else folder
        return heads_in_index(index, release.spec.release)
    except StorageError as error:
        raise StoreError(f"the ledger is not held against what is published: {error}") from None


def _without_time(unit: PrivacyUnit, spec: ReleaseSpec) -> PrivacyUnit:
    """Returns a unit whose time scope is a column like others."""
    if unit.every is None:
        return unit
    columns = {identity(spec, column) for column in spec.privacy.unit}
    return replace(unit, columns=tuple(sorted(columns)), every=None)
