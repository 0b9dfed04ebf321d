"""The steps of a run: look, reserve, draw, publish; see `pipelines.run.exactly_once`.

The last one has a module of its own, `pipelines.run.publishing`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import log
from pipelines.gates.release_gates import ReleaseGates
from pipelines.ledger import LedgerError, Release, ReleaseKey, StoreError
from pipelines.plan import ReleasePlan
from pipelines.plan.file import PlanFile
from pipelines.publication.completeness import Completeness
from pipelines.run.drawing import (
    CheckedInput,
    KeepMetrics,
    check_release_input,
    collect,
    draw,
    drawn_keys,
    start,
)
from pipelines.run.folders import check_folders, release_staging
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.local_blocks import check_disk
from pipelines.run.outlet import Outlet
from pipelines.run.output import Published
from pipelines.run.periods import ReleasePeriod
from pipelines.run.publishing import Publishing
from pipelines.run.shards import DrawnTwiceError
from pipelines.run.staged_list import is_listed
from pipelines.run.staging import Launched, ReleaseStaging, StagingError
from pipelines.run.versions import Aim, under_way
from pipelines.storage.storage import Where
from transforms.hashing import HashKey

DRAWS = 3
"""Attempts of one run to draw, where workers are lost while they stage values."""


@dataclass
class RunSteps:
    """A run of a release, under the lock of its staging.

    Attributes:
        ledger: The ledger, with the release series.
        plan: The plan.
        planned: Its file, as it was before the input was looked at.
        gates: What has to be there; they know the period of the release.
        outlet: Where it is published.
        with_report: Whether an HTML page is published with the tables.
        detach: Whether it ends when workers are launched; `take_up` goes on when they are done.
        keep_metrics: Told of the metrics of workers that were waited for; None for nobody.
        without_report: Why there is none, or no list of releases, though there should be; None
            otherwise.
        put_back: Whether what was published had been changed since, and is as it was again.
        key: Which release it is; its version is known after `aim`.
        reason: Why it is a correction; empty for none.
        found: The release in the ledger; None while it is not reserved.
    """

    ledger: ReleaseLedger
    plan: ReleasePlan
    planned: PlanFile
    gates: ReleaseGates
    outlet: Outlet
    with_report: bool = False
    detach: bool = False
    keep_metrics: KeepMetrics | None = None
    without_report: str | None = field(default=None, init=False)
    put_back: bool = field(default=False, init=False)
    key: ReleaseKey = field(init=False)
    reason: str = field(default="", init=False)
    found: Release | None = field(default=None, init=False)
    _is_known: bool = field(default=False, init=False)
    _earlier: tuple[ReleaseKey, ...] = field(default=(), init=False)
    _checked: CheckedInput | None = field(default=None, init=False)
    _passed: Completeness = field(default_factory=Completeness, init=False)

    @property
    def period(self) -> ReleasePeriod:
        """Period of the release."""
        return self.gates.period

    @property
    def staging(self) -> ReleaseStaging:
        """The staging of the release."""
        return release_staging(self.ledger.release, self.period, self.key.version)

    def aim(self, correct: str | None) -> None:
        """Finds out which version the run is about, and how far it is.

        Args:
            correct: Why there is a new version; None for the latest one, or the first.

        Raises:
            LedgerError: That version cannot go on.
        """
        book = self.ledger.ledger.book()
        first = ReleaseKey(self.ledger.release.spec.release, self.period.name)
        aim = Aim.of(book, first, self.planned.plan_hash, correct)
        self.key, self.reason, self.found = aim.key, aim.reason, aim.found
        self._is_known, self._earlier = aim.is_known, aim.earlier
        log.is_about(self.key)

    def look(self, correct: str | None) -> None:
        """Finds out what there is to do, and whether it can be done; changes nothing.

        Args:
            correct: As of `aim`.

        Raises:
            ConfigError: The config does not fit the folders, or the input where that is needed, or
                a gate stops the release.
            LedgerError: As of `aim`.
        """
        self.aim(correct)
        self.check_folders()
        if self._is_drawn or self._is_frozen or self._checked is not None:
            return
        passed = self.gates.before_input(self.ledger.ledger.book())
        self._checked = check_release_input(self.ledger.release, self.plan, self.period, self.gates)
        self._passed = passed + self._checked.completeness

    def check_folders(self) -> None:
        """Checks that the release can be published to its folder; see `pipelines.run.folders`."""
        check_folders(
            self.ledger.release, self.outlet, known=self._is_known, writes=not self.detach
        )

    def check_disk(self, options: PipelineOptions) -> None:
        """Checks that there is room for what a local run keeps on the disk.

        Raises:
            ConfigError: There is not.
        """
        if self._checked is not None and not self._is_drawn:
            check_disk(self.ledger.release, self._checked.size, options)

    def reserve(self) -> None:
        """Charges the release.

        Raises:
            RefusedError: The policy does not allow the release, or it does not fit.
        """
        if self._is_drawn:
            return
        was = self.found
        request = self.ledger.request(
            self.plan, self.planned, self.period, self.key.version, self.reason
        )
        self.ledger.make_folder()
        self.found = self.ledger.ledger.reserve(request, self.ledger.policy_for(request))
        if was is not None:
            return
        log.say(
            "charged",
            f"{self.key} is charged",
            epsilon=self.plan.cost.prices[0].epsilon,
            delta=self.plan.cost.prices[0].delta,
            plan_sha256=self.planned.plan_hash,
            ledger_entries=list(self.found.entries),
        )

    def draw(self, options: PipelineOptions, replaces: int | None = None) -> None:
        """Draws the release, or takes up what a dead run or a launched job has drawn.

        A runner that loses a worker late draws again what was staged already. Nobody has seen
        either draw, so this attempt is over, all of it is deleted, and the next one draws: what is
        charged is one draw, and one is frozen. Whether that happens does not depend on the values.

        Args:
            options: Beam options.
            replaces: Number of an attempt that the caller knows to be dead; None for none.

        Raises:
            LedgerError: Somebody else draws it, or a job that was launched.
            DrawnTwiceError: Workers were lost in all attempts.
        """
        for _ in range(DRAWS - 1):
            with suppress(DrawnTwiceError):
                self._draw_once(options, replaces)
                return
            self.found = self.ledger.ledger.book().releases[self.key]
        self._draw_once(options, replaces)

    def _draw_once(self, options: PipelineOptions, replaces: int | None) -> None:
        found, ledger, staging = self._known(), self.ledger.ledger, self.staging
        if self._is_drawn:
            return
        dead = found.attempt
        if (frozen := staging.drawn_digest(dead)) is not None:
            self._tell_drawn(dead, frozen)
            return
        if self.take_up(replaces):
            return
        if dead and not staging.is_over(dead) and not self._may_replace(dead, replaces):
            raise under_way(self.key, dead, staging)
        assert self._checked is not None
        secret = staging.hash_key(found.entries[0])
        staging.empty(dead)
        attempt = dead + 1
        staging.begin(attempt)
        try:
            ledger.draw(found, replaces=dead)
        except StoreError:  # Whether the entry is there is not known, so the folder has to stay.
            raise
        except LedgerError:
            staging.forget(attempt)
            raise
        staging.remove(dead)
        self.ledger.remember(found)
        log.say("drawing", f"attempt {attempt} to draw {self.key} begins", attempt=attempt)
        try:
            shards = staging.shards(attempt)
            if self.detach:
                self._launch(attempt, secret, shards, options)
                return
            drawn = draw(self._checked, secret, shards, options, self.keep_metrics)
            staging.freeze(attempt, drawn, self.planned, self._passed)
        except BaseException:
            staging.end(attempt)
            staging.drop_shards(attempt)
            raise
        self._tell_drawn(attempt, staging.drawn_digest(attempt))

    def take_up(self, replaces: int | None = None) -> bool:
        """Freezes what a launched job has drawn.

        What was drawn twice is over, as in `draw`, and the next run draws or launches anew.

        Args:
            replaces: Number of an attempt whose job the caller knows to have failed; None for none.

        Returns:
            Whether there is a launched job whose values are frozen now.

        Raises:
            LedgerError: There is one that is not done.
            StagingError: It is done, and files that it staged are not there.
        """
        found, staging = self._known(), self.staging
        attempt = found.attempt
        if found.state != "drawing" or (launched := staging.launched(attempt)) is None:
            return False
        if staging.drawn_digest(attempt) is None:
            shards = staging.shards(attempt)
            try:
                if not is_listed(shards):
                    raise under_way(self.key, attempt, staging)
                drawn = collect(shards, self.plan.tables, launched.keys)
            except DrawnTwiceError:
                staging.end(attempt)
                return False
            except (LedgerError, StagingError) as error:
                if self._may_replace(attempt, replaces):
                    return False
                if isinstance(error, LedgerError):
                    raise
                raise StagingError(f"{error}, with --replace-attempt {attempt}") from None
            staging.freeze(attempt, drawn, self.planned, launched.completeness)
        self._tell_drawn(attempt, staging.drawn_digest(attempt))
        return True

    def publish(self) -> list[Published]:
        """Publishes what is drawn, and withdraws the versions that it corrects.

        Returns:
            The tables; none where the release was published before and the drawn values are gone.

        Raises:
            GateError: A gate stops it.
            StagingError: The values or files are gone, or are others.
        """
        publishing = Publishing(
            self.ledger, self.plan, self.gates, self.outlet, self.staging, self.with_report
        )
        self.found, published = publishing.publish(self._known(), self._earlier)
        self.without_report = publishing.without_report or publishing.without_index
        self.put_back = publishing.put_back
        return published

    def _launch(
        self, attempt: int, secret: HashKey, shards: Where, options: PipelineOptions
    ) -> None:
        """Starts the workers and notes it; without the note, the attempt is over."""
        assert self._checked is not None
        start(self._checked, secret, shards, options)
        self.staging.note_launch(attempt, Launched(drawn_keys(self._checked), self._passed))
        log.say("launched", f"{self.key} is launched", attempt=attempt)
        self.found = self.ledger.ledger.book().releases[self.key]

    def _tell_drawn(self, attempt: int, digest: str | None) -> None:
        """Tells the ledger of frozen values."""
        assert digest is not None
        self.staging.drop_shards(attempt)
        self.found = self.ledger.ledger.drawn(self.key, attempt, digest)
        log.say("drawn", f"{self.key} is frozen", attempt=attempt, draw_sha256=digest)

    @property
    def _is_drawn(self) -> bool:
        return self.found is not None and self.found.state in ("drawn", "published")

    def _known(self) -> Release:
        assert self.found is not None
        return self.found

    def _may_replace(self, attempt: int, replaces: int | None) -> bool:
        """Returns whether the caller says that an attempt is dead, where that can be settled."""
        staging = self.staging
        can_be = staging.storage.is_shared or staging.is_launched(attempt)
        return can_be and attempt == replaces

    @property
    def _is_frozen(self) -> bool:
        """Whether a dead attempt has left all its values, so that no input is needed."""
        found = self.found
        if found is None or found.state != "drawing":
            return False
        return self.staging.drawn_digest(found.attempt) is not None
