"""`dp-release tune`: from the command line to what is printed and written."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.plan import plan_release
from pipelines.spec import LoadedRelease, load_release
from pipelines.tune.options import TuneError, TuneOptions
from pipelines.tune.patch import changes, patch_text
from pipelines.tune.plan import TuningPlan, plan_tuning
from pipelines.tune.plot import check_plot, plot_tuning
from pipelines.tune.recommend import Recommendation, recommend, table_errors
from pipelines.tune.text import UNACCOUNTED, report_lines, to_dict, tuning_record


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        plan: What was done.
        found: What is recommended.
        patch: The same as YAML.
        files: What was written.
    """

    plan: TuningPlan
    found: Sequence[Recommendation]
    patch: str
    files: Sequence[Path]


def tune(config: Path, options: TuneOptions, beam_options: Sequence[str]) -> Tuned:
    """Tunes a release and writes what was asked for.

    On private data, a record is written before any row is read.

    Args:
        config: The release YAML.
        options: The command line.
        beam_options: Options of the Beam runner.

    Raises:
        ConfigError: The config cannot be used.
        TuneError: The command line is wrong, or tuning failed.
    """
    mode, candidates = options.mode(), options.candidates()
    if options.plot is not None:
        try:
            check_plot(options.plot)
        except ValueError as error:
            raise TuneError(str(error)) from None
    release = load_release(config)
    plan = plan_tuning(release, plan_release(release), mode, candidates, options.table)
    files = []
    if mode.declaration != "public":
        when = datetime.now(UTC)
        record = options.record or _default_record(release, when)
        _write(record, json.dumps(tuning_record(plan, when), indent=2) + "\n")
        files.append(record)
    # Beam's log repeats exception texts, which may hold private values; they go to a private file.
    logging.basicConfig(level=logging.CRITICAL)
    from pipelines.run import RunError
    from pipelines.tune.measure import measure

    gc.freeze()
    gc.enable()
    try:
        measured = measure(plan, beam_options)
    except RunError as error:
        raise TuneError(str(error)) from None
    totals = {name: table_errors(plan, name, found) for name, found in measured.items()}
    found = recommend(plan, totals)
    patch = patch_text(release, changes(plan, found), _comment(config, plan))
    if options.out is not None:
        _write(options.out, patch)
        files.append(options.out)
    if options.plot is not None:
        try:
            plot_tuning(found, options.plot)
        except OSError as error:
            raise TuneError(f"{options.plot} cannot be written: {error.strerror}") from None
        files.append(options.plot)
    return Tuned(plan, found, patch, files)


def text(tuned: Tuned, options: TuneOptions) -> str:
    """Returns what is printed."""
    if options.json:
        return json.dumps({**to_dict(tuned.plan, tuned.found), "patch": tuned.patch}, indent=2)
    written = [f"written: {path}" for path in tuned.files]
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


def _default_record(release: LoadedRelease, when: datetime) -> Path:
    folder = Path(release.staging_folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TuneError(f"{folder} cannot be made: {error.strerror}") from None
    return folder / f"tuning-{when:%Y%m%dT%H%M%S%fZ}.json"


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise TuneError(f"{path} cannot be written: {error.strerror}") from None
