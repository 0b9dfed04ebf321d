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
from pipelines.spec import LoadedRelease, did_you_mean, load_release
from pipelines.tune_patch import changes, patch_text
from pipelines.tune_plot import check_plot, plot_tuning
from pipelines.tune_text import UNACCOUNTED, report_lines, to_dict, tuning_record
from pipelines.tuning import (
    Recommendation,
    TuningMode,
    TuningPlan,
    plan_tuning,
    recommend,
    table_errors,
)
from transforms.budget import Budget
from transforms.tuning.grid import Candidates

WHICH_DATA = (
    "tuning looks at the data, so say which data they are, with exactly one of: --public-data, if "
    "they are public or synthetic; --epsilon, to pay for it with a budget of its own: noisy "
    "histograms; --unaccounted, to look at private data exactly, which is not private and is noted "
    "down as unaccounted"
)
_WHOLE = ("l0", "linf", "l1")


class TuneError(Exception):
    """A wrong command line, or a tuning that failed. The text has no data."""


@dataclass(frozen=True)
class TuneOptions:
    """The command line.

    Attributes:
        public_data: The data are public or synthetic.
        unaccounted: The data are private and looked at without accounting.
        epsilon: Budget of accounted tuning.
        delta: Its delta.
        table: The one table to tune.
        grid: What to try: `l0=1,2,4`.
        out: File for the patch.
        plot: File for the plot.
        record: File for the record.
        json: Whether to print JSON.
    """

    public_data: bool = False
    unaccounted: bool = False
    epsilon: float | None = None
    delta: float | None = None
    table: str | None = None
    grid: Sequence[str] = ()
    out: Path | None = None
    plot: Path | None = None
    record: Path | None = None
    json: bool = False

    def mode(self) -> TuningMode:
        """Returns what the user says about the data.

        Raises:
            TuneError: Nothing, several things, or a budget out of range.
        """
        if [self.public_data, self.unaccounted, self.epsilon is not None].count(True) != 1:
            raise TuneError(WHICH_DATA)
        if self.epsilon is None:
            if self.delta is not None:
                raise TuneError("--delta is given without --epsilon; allowed: both, or neither")
            return TuningMode("public" if self.public_data else "unaccounted")
        try:
            return TuningMode("accounted", Budget(self.epsilon, self.delta or 0.0))
        except ValueError as error:
            raise TuneError(f"--{error}") from None

    def candidates(self) -> Candidates:
        """Returns what to try.

        Raises:
            TuneError: A grid cannot be read, or is out of range.
        """
        found: dict[str, tuple[float, ...]] = {}
        for given in self.grid:
            name, _, values = given.partition("=")
            allowed = [*_WHOLE, "clip"]
            if name not in allowed:
                meant = did_you_mean(name, allowed)
                raise TuneError(
                    f"--grid is {given!r}; allowed: l0=1,2,4, linf=, l1= or clip={meant}"
                )
            kind = int if name in _WHOLE else float
            try:
                found[name] = tuple(kind(value) for value in values.split(","))
            except ValueError:
                raise TuneError(f"--grid is {given!r}; allowed: numbers with commas") from None
        try:
            return Candidates(**found)  # type: ignore[arg-type]
        except ValueError as error:
            raise TuneError(f"--grid: {error}") from None


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
    from pipelines.tune_run import measure

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
