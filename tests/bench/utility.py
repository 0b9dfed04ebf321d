"""Measures how exact our releases are against PipelineDP's: the second part of `make bench`.

    python tests/bench/utility.py [--seeds 30] [--epsilon 0.5 1 2 4] [--delta 1e-8] [--only NAME]

What is compared and how is in README.md beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from compare import BENCH, HERE, PEER_ROWS, SEED, Events
from utility_cases import METRICS, PARTITION, Case, cases, truth
from utility_ours import STRATEGIES, Ours, fast_noise
from utility_pipeline_dp import SELECTIONS, PipelineDp, bounded
from utility_release import Released
from utility_scores import (
    Estimate,
    Samples,
    difference,
    is_worse,
    mean,
    ratio_of_roots,
    root_mean_square,
    squared_errors,
    squared_errors_where,
    stack,
)

from transforms import Budget
from transforms.mechanisms import NoiseKind

REPOSITORY = HERE.parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"
EPSILONS = (0.5, 1.0, 2.0, 4.0)
DELTA = 1e-8
SEEDS = 30
README = HERE / "README.md"
README_EPSILON = 1.0
BEGIN, END = "<!-- utility: begin -->", "<!-- utility: end -->"

System = Ours | PipelineDp

OURS: dict[NoiseKind, tuple[str, ...]] = {
    "gaussian": ("auto", "truncated_geometric", "gaussian", "weighted_gaussian"),
    "laplace": STRATEGIES,
}
THEIRS: dict[NoiseKind, tuple[str, ...]] = {
    "gaussian": SELECTIONS,
    "laplace": ("default", "gaussian", "post_aggregation"),
}
NOTABLE = 1.001
"""Ratio of noise from which it is called more: rounding to whole numbers makes some 1.0003."""

SHOWN = "auto"
"""Our strategy in the tables, the default; the others are in the file of results."""


@dataclass(frozen=True)
class Scores:
    """What many draws of one system came to.

    Attributes:
        stds: Standard deviation of the noise by metric.
        released: Partitions released.
        mass: Share of all rows that are in released partitions.
        rmse: Root mean squared error over all partitions, by metric.
    """

    stds: dict[str, float]
    released: Estimate
    mass: Estimate
    rmse: dict[str, Estimate]


@dataclass(frozen=True)
class Comparison:
    """Ours against PipelineDP's.

    Attributes:
        std: Ratio of standard deviations of noise, by metric.
        released: How many more partitions ours releases.
        mass: How much larger our share of rows in released partitions is.
        rmse: Ratio of root mean squared errors over all partitions, by metric.
        rmse_both: The same over partitions that both release; None where there is none.
        noise_both: The same, but of errors from what each system has after bounding.
    """

    std: dict[str, float]
    released: Estimate
    mass: Estimate
    rmse: dict[str, Estimate | None]
    rmse_both: dict[str, Estimate | None]
    noise_both: dict[str, Estimate | None]

    @property
    def losses(self) -> list[str]:
        """What PipelineDP is better at, for sure."""
        worse = [
            f"noise of {name} x {ratio:.3f}" for name, ratio in self.std.items() if ratio > NOTABLE
        ]
        if self.released.high < 0:
            worse.append(f"{-self.released.value:.1f} fewer partitions")
        if self.mass.high < 0:
            worse.append(f"{-self.mass.value:.2%} less mass")
        for what, ratios in (
            ("error of {}", self.rmse),
            ("error of {} of both", self.rmse_both),
            ("noise of {} of both", self.noise_both),
        ):
            for name, ratio in ratios.items():
                if is_worse(ratio):
                    assert ratio is not None
                    worse.append(f"{what.format(name)} x {ratio.value:.3f}")
        return worse


@dataclass(frozen=True)
class Result:
    """All systems on one case under one budget.

    Attributes:
        case: Name of the case.
        partitions: Number of partitions that there are.
        budget: The budget.
        noise: Distribution of the noise.
        scores: By the name of the system.
        comparisons: By the names of our strategy and of PipelineDP's.
    """

    case: str
    partitions: int
    budget: Budget
    noise: NoiseKind
    scores: dict[str, Scores]
    comparisons: dict[str, dict[str, Comparison]]

    def to_dict(self) -> dict[str, object]:
        losses = {
            ours: {theirs: comparison.losses for theirs, comparison in pairs.items()}
            for ours, pairs in self.comparisons.items()
        }
        return {**asdict(self), "losses": losses}


@dataclass(frozen=True)
class Data:
    """A case with all that is computed once.

    Attributes:
        case: The case.
        true: True numbers, shape (3, p).
        theirs: Numbers as PipelineDP bounds them, shape (3, p).
        ours: Our bounded sums.
    """

    case: Case
    true: Samples
    theirs: Samples
    ours: pl.DataFrame

    @property
    def ours_bounded(self) -> Samples:
        """Our bounded numbers, shape (3, p)."""
        numbers = np.zeros_like(self.true)
        steps = {"sum": self.case.granularity}
        for row, metric in enumerate(METRICS):
            column = self.ours[metric].to_numpy() * steps.get(metric, 1.0)
            numbers[row, self.ours[PARTITION].to_numpy()] = column
        return numbers

    @classmethod
    def of(cls, case: Case) -> Data:
        """Reads and bounds; PipelineDP's bounding takes minutes and is kept in a file."""
        rows = case.rows()
        # The weighted selection needs one column more than the others, which they do not read.
        weighted = Ours(case, "gaussian", "weighted_gaussian", Budget(1.0, DELTA))
        ours = weighted.bounded(rows, b"utility benchmark").sort(PARTITION)
        return cls(case, truth(case, rows), _kept_bounded(case, rows), ours)


def _kept_bounded(case: Case, rows: pl.DataFrame) -> Samples:
    content = hashlib.sha256(repr(case.bounds).encode() + repr(case.clip).encode())
    content.update(rows.hash_rows().sort().to_numpy().tobytes())
    file = BENCH / "utility" / f"pipeline_dp-{content.hexdigest()[:16]}.npy"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        np.save(file, bounded(case, rows, SEED))
        print(
            f"  PipelineDP bounded {case.name} in {time.perf_counter() - start:.0f} s", flush=True
        )
    kept: Samples = np.load(file)
    return kept


def measure(data: Data, noise: NoiseKind, budget: Budget, seeds: int) -> Result:
    """Draws from all systems and compares them."""
    partitions = data.true.shape[1]
    systems: list[System] = [
        *(Ours(data.case, noise, selection, budget) for selection in OURS[noise]),
        *(PipelineDp(data.case, noise, selection, budget) for selection in THEIRS[noise]),
    ]
    ours = [system for system in systems if isinstance(system, Ours)]
    theirs = [system for system in systems if isinstance(system, PipelineDp)]
    released: dict[str, list[float]] = {system.name: [] for system in systems}
    mass: dict[str, list[float]] = {system.name: [] for system in systems}
    squares: dict[str, list[Samples]] = {system.name: [] for system in systems}
    both: dict[tuple[str, str], list[tuple[Samples, ...]]] = {
        (one.name, other.name): [] for one in ours for other in theirs
    }
    own = data.ours_bounded
    entropy = [SEED, zlib.crc32(f"{data.case.name} {noise} {budget}".encode())]
    rows = data.true[METRICS.index("count")]
    for stream in np.random.SeedSequence(entropy).spawn(seeds):
        rng = np.random.default_rng(stream)
        draws: dict[str, Released] = {}
        with fast_noise(rng):
            for mine in ours:
                draws[mine.name] = mine.release(data.ours, partitions)
        for other in theirs:
            draws[other.name] = other.release(data.theirs, rng)
        for name, drawn in draws.items():
            released[name].append(float(drawn.kept.sum()))
            mass[name].append(float(rows[drawn.kept].sum() / rows.sum()))
            squares[name].append(squared_errors(drawn, data.true))
        for (one, its), found in both.items():
            shown = draws[one].kept & draws[its].kept
            found.append(
                (
                    squared_errors_where(draws[one], data.true, shown),
                    squared_errors_where(draws[its], data.true, shown),
                    squared_errors_where(draws[one], own, shown),
                    squared_errors_where(draws[its], data.theirs, shown),
                )
            )
    counts = {name: np.array(values) for name, values in released.items()}
    shares = {name: np.array(values) for name, values in mass.items()}
    errors = {name: stack(values) for name, values in squares.items()}
    scores = {
        system.name: Scores(
            system.stds,
            mean(counts[system.name]),
            mean(shares[system.name]),
            {metric: root_mean_square(errors[system.name][i]) for i, metric in enumerate(METRICS)},
        )
        for system in systems
    }
    comparisons = {
        one.selection: {
            other.selection: Comparison(
                {metric: one.stds[metric] / other.stds[metric] for metric in METRICS},
                difference(counts[one.name], counts[other.name]),
                difference(shares[one.name], shares[other.name]),
                _ratios(errors[one.name], errors[other.name]),
                *_ratios_of_both(both[one.name, other.name]),
            )
            for other in theirs
        }
        for one in ours
    }
    return Result(data.case.name, partitions, budget, noise, scores, comparisons)


def _ratios_of_both(
    found: Sequence[tuple[Samples, ...]],
) -> tuple[dict[str, Estimate | None], dict[str, Estimate | None]]:
    ours, theirs, our_noise, their_noise = (stack(column) for column in zip(*found, strict=True))
    return _ratios(ours, theirs), _ratios(our_noise, their_noise)


def _ratios(ours: Samples, theirs: Samples) -> dict[str, Estimate | None]:
    return {metric: ratio_of_roots(ours[i], theirs[i]) for i, metric in enumerate(METRICS)}


def lines(result: Result) -> Iterator[str]:
    """Yields the rows of the table of one result: our shown strategy against each of theirs."""
    mine = SHOWN
    own = result.scores[f"ours {mine}"]
    for theirs, found in result.comparisons[mine].items():
        other = result.scores[f"PipelineDP {theirs}"]
        yield (
            f"{result.budget.epsilon:4g}  {result.noise:8}  {theirs:16}  "
            f"{'  '.join(f'{ratio:5.3f}' for ratio in found.std.values())}   "
            f"{own.released.value:8.1f} {other.released.value:8.1f}   "
            f"{own.mass.value:6.1%} {other.mass.value:6.1%}   "
            f"{_in_columns(found.rmse)}   {_in_columns(found.rmse_both)}   "
            f"{_in_columns(found.noise_both)}"
        )


def _in_columns(ratios: dict[str, Estimate | None]) -> str:
    return "  ".join("    -" if r is None else f"{r.value:5.3f}" for r in ratios.values())


HEADER = (
    f"{'eps':>4}  {'noise':8}  {'PipelineDP':16}  {'noise std, ours/theirs':19}   "
    f"{'released: ours, theirs':>17}   {'mass':>13}   {'error, all':19}   {'error, of both':19}   "
    f"{'noise, of both':19}"
)


def show(results: Sequence[Result]) -> None:
    """Prints the table, what else is released by our other strategies, and what is lost."""
    for name in dict.fromkeys(result.case for result in results):
        of_case = [result for result in results if result.case == name]
        print(f"\n{name}: {of_case[0].partitions:,} partitions\n{HEADER}")
        for result in of_case:
            for line in lines(result):
                print(line)
    for noise in OURS:
        print(f"\nPartitions released, {noise} noise\n{_released_header(noise)}")
        for result in results:
            if result.noise == noise:
                print(_released_line(result))
    print("\nWhere PipelineDP is better: its whole 95 % interval, or its noise")
    for result in results:
        for theirs, comparison in result.comparisons[SHOWN].items():
            if comparison.losses:
                print(
                    f"{result.case}, {result.noise}, epsilon {result.budget.epsilon:g}, "
                    f"{SHOWN} against {theirs}: {'; '.join(comparison.losses)}"
                )


def _released_header(noise: NoiseKind) -> str:
    names = (*OURS[noise], *THEIRS[noise])
    above = f"{'':45}{'ours':{20 * len(OURS[noise])}}PipelineDP"
    return f"{above}\n{'':38}{'eps':>4}   {''.join(name.ljust(20) for name in names)}".rstrip()


def _released_line(result: Result) -> str:
    counts = "".join(f"{score.released.value:<20,.1f}" for score in result.scores.values())
    return f"{result.case:38}{result.budget.epsilon:4g}   {counts}".rstrip()


def summary(results: Sequence[Result], seeds: int) -> str:
    """Returns the table for the README: Gaussian noise, one epsilon, PipelineDP's default."""
    rows = [
        "| data | partitions | released: ours, theirs | share of rows | error, all: count, units, "
        "sum | error, released by both | noise, released by both |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        if result.noise != "gaussian" or result.budget.epsilon != README_EPSILON:
            continue
        ours = result.scores[f"ours {SHOWN}"]
        theirs = result.scores["PipelineDP default"]
        found = result.comparisons[SHOWN]["default"]
        rows.append(
            f"| {result.case} | {result.partitions:,} | {ours.released.value:,.1f}, "
            f"{theirs.released.value:,.1f} | {ours.mass.value:.1%}, {theirs.mass.value:.1%} | "
            f"{_in_cell(found.rmse)} | {_in_cell(found.rmse_both)} | "
            f"{_in_cell(found.noise_both)} |"
        )
    return "\n".join(rows) + f"\n\nMeans of {seeds} draws.\n"


def _in_cell(ratios: dict[str, Estimate | None]) -> str:
    return ", ".join("-" if r is None else f"{r.value:.2f}" for r in ratios.values())


def write_readme(text: str) -> None:
    """Puts the summary between its marks."""
    whole = README.read_text()
    marks = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    README.write_text(marks.sub(lambda _: f"{BEGIN}\n{text}{END}", whole))


def generated() -> Path:
    """Returns the folder of the generated events that the speed is compared on."""
    events = Events(PEER_ROWS)
    events.generate()
    return events.folder


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare our errors with PipelineDP's.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws of each system")
    parser.add_argument("--epsilon", type=float, nargs="+", default=list(EPSILONS))
    parser.add_argument("--delta", type=float, default=DELTA)
    parser.add_argument("--only", default="", help="part of the names of the cases to measure")
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of real data sets")
    parser.add_argument("--write-readme", action="store_true", help="put the summary in README.md")
    options = parser.parse_args(arguments)
    results = []
    for case in cases(generated(), REPOSITORY, options.data):
        if options.only not in case.name:
            continue
        if "*" not in case.files and not Path(case.files).exists():
            print(f"{case.name}: skipped, as {case.files} is not there", flush=True)
            continue
        start = time.perf_counter()
        data = Data.of(case)
        results += [
            measure(data, noise, Budget(epsilon, options.delta), options.seeds)
            for noise in OURS
            for epsilon in options.epsilon
        ]
        print(f"{case.name}: {time.perf_counter() - start:.0f} s", flush=True)
    show(results)
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seeds": options.seeds,
        "shown": SHOWN,
        "results": [result.to_dict() for result in results],
    }
    file = BENCH / "utility.json"
    file.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nwrote {file}")
    if options.write_readme:
        write_readme(summary(results, options.seeds))


if __name__ == "__main__":
    main()
