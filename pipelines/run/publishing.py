"""Publishes what a run has drawn: renders, tells the ledger, puts in place, lists.

The ledger is told of the files, by their digest, before readers see them, and what it was told of
is what is put in place, then and in each rerun. See `pipelines.run.exactly_once`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipelines import log
from pipelines.gates.release_gates import ReleaseGates
from pipelines.ledger import LedgerError, Release, ReleaseKey, StoreError
from pipelines.plan import ReleasePlan
from pipelines.publication.content import Content
from pipelines.report.files import add_report
from pipelines.run.baselines import fit_plan
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.outlet import Outlet
from pipelines.run.output import Published, published_tables, render_release, write_publication
from pipelines.run.release_facts import release_facts
from pipelines.run.staging import ReleaseStaging, StagingError


@dataclass
class Publishing:
    """The publication of one release.

    Attributes:
        ledger: The ledger, with the release series.
        plan: The plan.
        gates: What has to be there; they know the period of the release.
        outlet: Where it is published.
        staging: The staging of the release.
        with_report: Whether an HTML page is published with the tables.
        without_report: Why there is none, though there should be; None otherwise.
        without_index: Why the list of releases beside it is not as it should be; None if it is.
        put_back: Whether what was published had been changed since, and is as it was again.
    """

    ledger: ReleaseLedger
    plan: ReleasePlan
    gates: ReleaseGates
    outlet: Outlet
    staging: ReleaseStaging
    with_report: bool
    without_report: str | None = field(default=None, init=False)
    without_index: str | None = field(default=None, init=False)
    put_back: bool = field(default=False, init=False)

    def publish(
        self, found: Release, earlier: Sequence[ReleaseKey]
    ) -> tuple[Release, list[Published]]:
        """Publishes what is drawn, and withdraws the versions that it corrects.

        Args:
            found: The release in the ledger, drawn or published.
            earlier: The versions that it corrects, as far as they are published.

        Returns:
            The release in the ledger, and its tables; none where it was published before and the
            drawn values are gone.

        Raises:
            GateError: A gate stops it.
            StagingError: The values or files are gone, or are others.
        """
        staging = self.staging
        was_published = found.state == "published"
        staging.forget_hash_key(found.entries[0])
        rendered: dict[str, pl.DataFrame] = {}
        if found.state == "drawn" or staging.drawn_digest(found.attempt) is not None:
            names = [table.name for table in self.plan.tables]
            drawn, planned, passed = staging.drawn(found.attempt, found.staged, names)
            rendered = render_release(fit_plan(self.ledger.release, self.plan, drawn), drawn)
        if found.state == "drawn":
            passed += self.gates.before_publication(rendered)
            formats = self.plan.spec.output.formats
            facts = release_facts(self.ledger, self.gates.period, found, passed)
            content = Content(planned, facts)
            with staging.rendering(found.attempt) as building:
                digest = write_publication(rendered, content, formats, building, self._add_pages)
            found = self._decided(found.key, digest)
        if (there := self.outlet.digest()) != found.publication:
            self.put_back = was_published and there is None and self.outlet.holds_release()
            self._put(found)
        for key in earlier:
            reason = f"corrected by version {found.key.version}: {found.reason}"
            self.ledger.ledger.withdraw(key, reason)
            log.say("withdrawn", f"{key} is withdrawn", key)
        self.without_index = self.outlet.list_releases(self.ledger.withdrawn)
        if self.with_report and self.gates.period.every is not None:
            self.without_report = self.without_report or self.outlet.add_index_page()
        if not rendered:
            return found, []
        return found, published_tables(self.plan, rendered, self.outlet.files)

    def _decided(self, key: ReleaseKey, digest: str) -> Release:
        """Tells the ledger of a publication, or returns what another run has told it meanwhile."""
        ledger = self.ledger.ledger
        try:
            return ledger.publish(key, digest)
        except StoreError:
            raise
        except LedgerError:
            found = ledger.book().releases[key]
            if found.state != "published":
                raise
            return found

    def _put(self, found: Release) -> None:
        with ExitStack() as stack:
            try:
                files = self.staging.publication(found.attempt, found.publication)
                folder = stack.enter_context(files)
            except StagingError as error:
                raise StagingError(
                    f"the files of {found.key} are neither in {self.outlet.place} nor {error}, "
                    "as they were published; allowed: a copy of them, or a correction"
                ) from None
            self.outlet.put(folder, found.key)
        log.say(
            "published",
            f"{found.key} is in {self.outlet.place}",
            place=str(self.outlet.place),
            publication_sha256=found.publication,
        )

    def _add_pages(self, building: Path) -> None:
        if self.with_report:
            self.without_report = add_report(building, self.outlet.name, self.outlet.beside)
