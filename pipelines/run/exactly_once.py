"""Runs a release, exactly once: reserve, draw, publish, each resumable.

The ledger says how far a release is, and each step moves it on by one state, or does nothing where
that is done (`RunSteps`). So a rerun goes on where a killed run was, and a rerun of a published
release does nothing.

What a kill leaves, and what the next run does:

| killed | the ledger says | the next run |
|---|---|---|
| before it is reserved | nothing | begins |
| before the ledger is told of an attempt | `reserved` | draws, as attempt 1 |
| while it draws | `drawing` | deletes the attempt and draws again, as the next one |
| never: it launched a job and left (`detach`) | `drawing` | takes up what the job has drawn |
| after all values are frozen | `drawing` | says `drawn` of these |
| before the publication is decided on | `drawn` | renders the frozen values |
| before the files are in place | `published` | puts the frozen files in place |

Only `drawing` without frozen values draws again, and then no value of the attempt before has been
seen: it was never `drawn`, the ledger refuses that to it from now on, and what it wrote is deleted.
That it is dead is known as its folder is in this staging, whose lock this run holds. An attempt
whose folder is not here is somebody else's and left alone. Staging in a bucket has no lock, so
there somebody has to say that an attempt is dead (`pipelines.run.staging`).

The ledger is told of a publication before readers see it: a release that is given up in between
cannot come out any more, and one that is out cannot be given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from apache_beam.options.pipeline_options import StandardOptions

from pipelines import clock, log
from pipelines.gates.release_gates import ReleaseGates
from pipelines.ledger import LedgerError, Release, ReleaseKey
from pipelines.plan import ReleasePlan
from pipelines.plan.file import plan_file
from pipelines.publication.completeness import NOT_LOOKED_AT, Completeness
from pipelines.report.published import REPORT_FILE
from pipelines.run.drawing import KeepMetrics
from pipelines.run.failures import RunError, failures
from pipelines.run.folders import one_at_a_time, release_outlet, series_storage
from pipelines.run.ledger import ReleaseLedger
from pipelines.run.options import pipeline_options
from pipelines.run.output import Published
from pipelines.run.periods import PeriodError, read_period
from pipelines.run.steps import RunSteps
from pipelines.spec import LoadedRelease
from pipelines.storage.storage import Where


@dataclass(frozen=True)
class Run:
    """What a run came to.

    Attributes:
        release: The release in the ledger.
        folder: Where it is published.
        published: The released tables; none where the values as drawn are gone.
        is_new: Whether it was not published before this run, which published it unless it was to
            leave that to another.
        completeness: What gates found, as it is published.
        without_report: Why there is no page where one was asked for, or no list of releases; None
            otherwise.
        report: The page; None if there is none.
        put_back: Whether what was published had been changed since, and is as it was again.
    """

    release: Release
    folder: Where
    published: list[Published]
    is_new: bool
    completeness: Completeness
    without_report: str | None = None
    report: Where | None = None
    put_back: bool = False


def run_release(
    release: LoadedRelease,
    plan: ReleasePlan,
    beam_options: Sequence[str] = (),
    *,
    period: str | None = None,
    correct: str | None = None,
    report: bool = False,
    detach: bool = False,
    incomplete: bool = False,
    replace_attempt: int | None = None,
    keep_metrics: KeepMetrics | None = None,
) -> Run:
    """Reserves, draws and publishes a release, or what of it is left to do.

    Args:
        release: The release series.
        plan: Its plan.
        beam_options: Command line options of the Beam runner.
        period: Period of the release; None where the series has none.
        correct: Why a published release is replaced by a new version; None for no correction. The
            same reason for the same plan is the same correction.
        report: Publish an HTML page with the tables.
        detach: Whether to start the workers and leave; `publish_release` goes on when they are
            done.
        incomplete: Publish with a status what a gate would stop as incomplete.
        replace_attempt: Number of an attempt to draw that the caller knows to be dead, where
            that cannot be told: it is a launched job, or staging is in a bucket; None for none.
        keep_metrics: Told of the metrics of workers, which are exact numbers about private rows;
            None for nobody.

    Returns:
        What there is.

    Raises:
        ConfigError: The config does not fit the input or the folders, a gate stops the release
            (`GateError`), or another run is under way.
        RefusedError: The policy does not allow it, or it does not fit.
        LedgerError: The release cannot go on from where it is.
        StagingError: Values that should be in staging are not there.
        RunError: The period or a Beam option is wrong, or the pipeline or the publication failed,
            or took longer than its options allow.
    """
    options = pipeline_options(beam_options)
    if detach:
        options.view_as(StandardOptions).no_wait_until_finish = True
    steps = _steps(release, plan, period, incomplete=incomplete, report=report, detach=detach)
    steps.keep_metrics = keep_metrics
    steps.look(correct)  # What is refused leaves no trace, so a first look is before the lock.
    with one_at_a_time(steps.ledger.release), _failures(steps):
        steps.look(correct)
        steps.check_disk(options)
        is_new = steps.found is None or steps.found.state != "published"
        state = "not reserved" if steps.found is None else steps.found.state
        log.say("looked", f"{steps.key} is {state}", state=state)
        steps.reserve()
        steps.draw(options, replace_attempt)
        if detach:
            assert steps.found is not None
            return Run(steps.found, steps.outlet.place, [], is_new, NOT_LOOKED_AT)
        return _published(steps, is_new=is_new)


def publish_release(
    release: LoadedRelease,
    plan: ReleasePlan,
    *,
    period: str | None = None,
    incomplete: bool = False,
    report: bool = False,
) -> Run:
    """Publishes a release whose values are drawn; reads no input and draws nothing.

    What a launched job has drawn is frozen first.

    Raises:
        LedgerError: They are not.
        ConfigError, RunError: As `run_release`.
    """
    steps = _steps(release, plan, period, incomplete=incomplete, report=report)
    with one_at_a_time(steps.ledger.release), _failures(steps):
        steps.aim(None)
        is_new = steps.found is not None and steps.found.state != "published"
        if steps.found is not None:
            steps.take_up()
        if steps.found is None or steps.found.state not in ("drawn", "published"):
            state = "not reserved" if steps.found is None else steps.found.state
            raise LedgerError(
                f"{steps.key} is {state}; allowed: drawn or published, which dp-release run does"
            )
        steps.check_folders()
        return _published(steps, is_new=is_new)


def _steps(
    release: LoadedRelease,
    plan: ReleasePlan,
    text: str | None,
    *,
    incomplete: bool,
    report: bool,
    detach: bool = False,
) -> RunSteps:
    try:
        period = read_period(release.spec.period, text)
    except PeriodError as error:
        raise RunError(str(error)) from None
    log.is_about(ReleaseKey(release.spec.release, period.name))
    release = replace(release, placeholders=period.placeholders)
    outlet = release_outlet(release, period)
    planned = plan_file(release, plan)
    gates = ReleaseGates(release, period, clock.today(), incomplete)
    return RunSteps(ReleaseLedger.of(release), plan, planned, gates, outlet, report, detach)


def _published(steps: RunSteps, *, is_new: bool) -> Run:
    published = steps.publish()
    assert steps.found is not None
    found = steps.outlet.listed()
    completeness = NOT_LOOKED_AT if found is None else found.content.facts.completeness
    page = next(iter(steps.outlet.files([REPORT_FILE])), None)
    place = steps.outlet.place
    return Run(
        steps.found,
        place,
        published,
        is_new,
        completeness,
        steps.without_report,
        page,
        steps.put_back,
    )


def _failures(steps: RunSteps) -> AbstractContextManager[None]:
    return failures(series_storage(steps.ledger.release), "the run", "nothing was published")
