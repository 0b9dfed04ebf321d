"""`dp-release tune`: from the command line to what is printed and written."""

from __future__ import annotations

import gc
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl

from pipelines import clock
from pipelines.plan import plan_release
from pipelines.run.folders import scratch_folder
from pipelines.run.periods import PeriodError, ReleasePeriod, read_period
from pipelines.spec import load_release
from pipelines.storage.local import LocalStorage
from pipelines.tune.charging import LedgerEntry, enter
from pipelines.tune.options import TuneError, TuneOptions
from pipelines.tune.patch import changes, patch_text
from pipelines.tune.plan import TuningPlan, plan_tuning
from pipelines.tune.plot import plot_tuning
from pipelines.tune.recommend import Recommendation, recommend, table_errors
from pipelines.tune.text import UNACCOUNTED, report_lines, to_dict


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        plan: What was done.
        found: What is recommended.
        patch: The same as YAML.
        files: What was written.
        entry: What the ledger has of it; None for public data.
    """

    plan: TuningPlan
    found: Sequence[Recommendation]
    patch: str
    files: Sequence[Path]
    entry: LedgerEntry | None


def tune(config: Path, options: TuneOptions, beam_options: Sequence[str]) -> Tuned:
    """Tunes a release and writes what was asked for.

    On private data, the ledger is told before any row is read.

    Args:
        config: The release YAML.
        options: The command line.
        beam_options: Options of the Beam runner.

    Raises:
        ConfigError: The config cannot be used, or another run of the series is under way.
        RefusedError: The policy does not allow the budget, or it does not fit.
        LedgerError: The ledger cannot be read or written.
        TuneError: The command line is wrong, or tuning failed.
    """
    mode, candidates = options.mode(), options.candidates()
    options.check_files()
    release = load_release(config)
    try:
        period = read_period(release.spec.period, options.period)
    except PeriodError as error:
        raise TuneError(str(error)) from None
    plan = plan_tuning(release, plan_release(release), mode, candidates, options.table)
    measured, entry = _look(plan, period, beam_options)
    totals = {name: table_errors(plan, name, found) for name, found in measured.items()}
    found = recommend(plan, totals)
    patch = patch_text(release, changes(plan, found), _comment(config, plan))
    files = []
    if options.out is not None:
        with _writing(options.out):
            options.out.write_text(patch, encoding="utf-8")
        files.append(options.out)
    if options.plot is not None:
        with _writing(options.plot):
            plot_tuning(found, options.plot)
        files.append(options.plot)
    return Tuned(plan, found, patch, files, entry)


def _look(
    plan: TuningPlan, period: ReleasePeriod, beam_options: Sequence[str]
) -> tuple[dict[str, pl.DataFrame], LedgerEntry | None]:
    """Tells the ledger and reads the input of a period, under the lock of the series."""
    # Beam's log repeats exception texts, which may hold private values; they go to a private file.
    logging.basicConfig(level=logging.CRITICAL)
    from pipelines.run.drawing import check_release_input
    from pipelines.run.failures import RunError, failures
    from pipelines.run.options import pipeline_options
    from pipelines.tune.measure import measure

    gc.freeze()
    gc.enable()
    release = replace(plan.release, placeholders=period.placeholders)
    try:
        runner = pipeline_options(beam_options)
        checked = check_release_input(release, plan.plan, period)
        with scratch_folder(release) as folder:
            entry = enter(plan, period, clock.now())
            spent = "" if plan.charge is None else ", and its charge is spent"
            with failures(LocalStorage(folder), "tuning", f"nothing was written{spent}"):
                measured = measure(plan, checked, folder, runner)
            shutil.rmtree(folder)
    except RunError as error:
        raise TuneError(str(error)) from None
    return measured, entry


def text(tuned: Tuned, options: TuneOptions) -> str:
    """Returns what is printed."""
    entry = tuned.entry
    if options.json:
        more = {"ledger": None if entry is None else asdict(entry), "patch": tuned.patch}
        return json.dumps({**to_dict(tuned.plan, tuned.found), **more}, indent=2)
    written = [f"written: {path}" for path in tuned.files]
    if entry is not None:
        how = "noted as unaccounted" if tuned.plan.charge is None else "charged"
        written.append(f"{how}: entry {entry.number} of the ledger {entry.place}")
    return "\n".join([*report_lines(tuned.plan, tuned.found), "", tuned.patch.rstrip(), *written])


def _comment(config: Path, plan: TuningPlan) -> str:
    head = f"dp-release tune: to be merged into {config.name}, key by key; nothing else changes"
    match plan.mode.declaration:
        case "public":
            return f"{head}\nfrom data that were declared public or synthetic"
        case "unaccounted":
            return f"{head}\n{UNACCOUNTED}"
        case "accounted":
            assert plan.charge is not None
            price = plan.charge.calibration.price
            assert price is not None
            cost = f"epsilon {price.epsilon:.4g}, delta {price.delta:g}"
            return f"{head}\nfrom private data, for {cost} beside the release"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TuneError(f"{path} cannot be written: {error.strerror}") from None
