"""Measures our release against PipelineDP and DuckDB on generated events: `make bench`.

    python tests/bench/compare.py [--large] [--one-unit] [--repeat 3] [--systems ours duckdb]

What is compared and how is in README.md beside this file.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pipelines
import transforms
from pipelines import emoji_catalogue, synthetic

HERE = Path(__file__).parent
BENCH = HERE.parents[1] / ".bench"
RELEASE_COMMAND = (str(Path(sys.executable).with_name("dp-release")), "run", "--no-report")
SEED = 7
ROWS_PER_UNIT = 10
PEER_ROWS = 1_000_000
SIZES = (1_000_000, 10_000_000)
LARGE = 100_000_000
ONE_UNIT_ROWS = 10_000_000
WINDOW_FROM_ROWS = 50_000_000
"""From here on DuckDB is faster with one window than with a window over heavy users only."""

CONFIG = """\
release: bench
input: {{files: {folder}/*.parquet}}
privacy: {{unit: user_id, epsilon: 1.0, delta: 1e-8}}
tables:
  by_country:
    keys: [country, emoji]
    bounds: {{max_partitions_contributed: 8, max_contributions_per_partition: 5}}
    metrics:
      uses: count
      users: privacy_unit_count
      seconds: {{sum: dwell_s, clip: [0, 60], granularity: 0.001}}
    noise: gaussian
output: {{folder: {out}/published, staging: {out}/staging, formats: [parquet]}}
"""


@dataclass(frozen=True)
class Events:
    """Generated input.

    Attributes:
        rows: Ordinary events.
        one_unit_rows: Events of one more unit, each in a partition of its own.
    """

    rows: int
    one_unit_rows: int = 0

    @property
    def total(self) -> int:
        return self.rows + self.one_unit_rows

    @property
    def label(self) -> str:
        return f"{self.total:,}" + (" of one unit" if self.one_unit_rows else "")

    @property
    def folder(self) -> Path:
        """Named for all that the events depend on."""
        generator = hashlib.sha256()
        for module in (synthetic, emoji_catalogue):
            generator.update(Path(module.__file__).read_bytes())
        return BENCH / f"events-{self.rows}-{self.one_unit_rows}-{generator.hexdigest()[:8]}"

    def generate(self) -> None:
        if self.folder.exists():
            return
        print(f"generating {self.label} rows", flush=True)
        partial = self.folder.with_suffix(".partial")
        units = self.rows // ROWS_PER_UNIT
        synthetic.write_emoji_events(partial, rows=self.rows, units=units, seed=SEED)
        if self.one_unit_rows:
            synthetic.write_one_unit(partial, rows=self.one_unit_rows, seed=SEED)
        partial.rename(self.folder)


@dataclass(frozen=True)
class Run:
    """One run of a whole process.

    Attributes:
        wall_s: From start to exit.
        cpu_s: Processor time, all threads and children.
        peak_mb: Largest resident memory of the process, or of its largest child.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Result:
    """All runs of one system on one input."""

    system: str
    events: Events
    runs: tuple[Run, ...]

    @property
    def wall_s(self) -> float:
        return statistics.median(run.wall_s for run in self.runs)

    @property
    def cpu_s(self) -> float:
        return statistics.median(run.cpu_s for run in self.runs)

    @property
    def peak_mb(self) -> float:
        return max(run.peak_mb for run in self.runs)

    @property
    def rows_per_s(self) -> float:
        return self.events.total / self.wall_s

    def to_dict(self) -> dict[str, object]:
        return {
            **asdict(self),
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "rows_per_s": self.rows_per_s,
            "peak_mb": self.peak_mb,
        }


def command(system: str, events: Events, out: Path) -> list[str]:
    """Returns the command line that runs a system on events and writes to an empty folder."""
    files = f"{events.folder}/*.parquet"
    if system == "ours":
        config = out / "release.yaml"
        config.write_text(CONFIG.format(folder=events.folder, out=out))
        return [*RELEASE_COMMAND, str(config)]
    if system == "duckdb":
        formulation = "window" if events.total >= WINDOW_FROM_ROWS else "heavy"
        script = str(HERE / "duckdb_release.py")
        return [sys.executable, script, files, str(out / "released.parquet"), formulation]
    workers = str(cores()) if system == "pipeline_dp_workers" else "1"
    script = str(HERE / "pipeline_dp_release.py")
    return [sys.executable, script, files, str(out / "released"), workers]


def measure(system: str, events: Events) -> Run:
    """Runs a system once in a process of its own.

    Raises:
        SystemExit: The process failed.
    """
    out = BENCH / "out" / system
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    log = out / "log.txt"
    with log.open("wb") as stream:
        arguments = command(system, events, out)
        start = time.perf_counter()
        process = subprocess.Popen(
            arguments, stdout=stream, stderr=subprocess.STDOUT, cwd=HERE.parents[1]
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{system} failed on {events.label} rows:\n{log.read_text()[-3000:]}")
    run = Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)
    print(f"  {system} {events.label}: {wall:.2f} s, {run.peak_mb:,.0f} MB", flush=True)
    return run


def alternate(systems: list[str], events: Events, repeat: int) -> list[Result]:
    """Runs the systems in turns, in the reverse order each other time."""
    events.generate()
    runs: dict[str, list[Run]] = {system: [] for system in systems}
    for turn in range(repeat):
        for system in systems if turn % 2 == 0 else systems[::-1]:
            runs[system].append(measure(system, events))
    return [Result(system, events, tuple(runs[system])) for system in systems]


def ratios(results: list[Result]) -> dict[str, float]:
    """Returns our throughput over PipelineDP's, and our time over DuckDB's and over itself."""
    found = {}
    by_case = {(result.system, result.events): result for result in results}
    for (system, events), result in by_case.items():
        ours = by_case.get(("ours", events))
        if ours and system == "duckdb":
            found[f"time of ours / DuckDB, {events.label} rows"] = ours.wall_s / result.wall_s
        elif system.startswith("pipeline_dp"):
            for other in (case for case in results if case.system == "ours"):
                name = f"rows per second of ours at {other.events.label} / {system}"
                found[name] = other.rows_per_s / result.rows_per_s
    one_unit = by_case.get(("ours", Events(PEER_ROWS // 10, ONE_UNIT_ROWS)))
    ordinary = by_case.get(("ours", Events(ONE_UNIT_ROWS)))
    if one_unit and ordinary:
        found["time of ours, one unit / ordinary rows"] = one_unit.wall_s / ordinary.wall_s
        found["memory of ours, one unit / ordinary rows"] = one_unit.peak_mb / ordinary.peak_mb
    return found


def machine() -> dict[str, object]:
    """Returns what the numbers depend on."""
    packages = ("apache-beam", "pipeline-dp", "polars", "pyarrow", "duckdb", "numpy")
    return {
        "cores": cores(),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "load_at_end": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
    }


def cores() -> int:
    return len(os.sched_getaffinity(0))


def show(results: list[Result], found: dict[str, float]) -> None:
    """Prints the results and ratios as tables."""
    print(
        f"\n{'system':20} {'rows':>24} {'median s':>9} {'min - max':>15} {'rows/s':>11} {'MB':>7}"
    )
    for result in results:
        walls = [run.wall_s for run in result.runs]
        spread = f"{min(walls):.2f} - {max(walls):.2f}"
        print(
            f"{result.system:20} {result.events.label:>22} {result.wall_s:9.2f} {spread:>14} "
            f"{result.cpu_s:7.1f} {result.rows_per_s:10,.0f} {result.peak_mb:7,.0f}"
        )
    print()
    for name, ratio in found.items():
        print(f"{ratio:8.2f}  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure our release, PipelineDP and DuckDB.")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE:,} rows")
    parser.add_argument(
        "--one-unit", action="store_true", help="also one unit with 10 million partitions"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours and DuckDB")
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=["ours", "duckdb", "pipeline_dp"],
        default=["ours", "duckdb", "pipeline_dp"],
    )
    options = parser.parse_args()
    in_turns = [system for system in ("ours", "duckdb") if system in options.systems]
    inputs = [Events(rows) for rows in (*SIZES, *([LARGE] if options.large else []))]
    if options.one_unit:
        inputs.append(Events(PEER_ROWS // 10, ONE_UNIT_ROWS))
    print("warming up")
    # As an installed package is: an editable one is compiled in each run where nothing is written.
    for package in (pipelines, transforms):
        compileall.compile_dir(Path(package.__file__).parent, quiet=1)
    alternate(in_turns, inputs[0], 1)
    results = [
        result for events in inputs for result in alternate(in_turns, events, options.repeat)
    ]
    if "pipeline_dp" in options.systems:
        results += alternate(["pipeline_dp", "pipeline_dp_workers"], Events(PEER_ROWS), 1)
    found = ratios(results)
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "release": CONFIG,
        "results": [result.to_dict() for result in results],
        "ratios": found,
    }
    (BENCH / "results.json").write_text(json.dumps(report, indent=2) + "\n")
    show(results, found)
    print(f"\nwrote {BENCH / 'results.json'}")


if __name__ == "__main__":
    main()
