"""What a release of a billion rows and more takes: the numbers of deploy/scale.md.

    python tests/bench/scale.py            # prints the table from what is noted here
    python tests/bench/scale.py --measure  # measures again, some minutes, and prints what to note

One element of the first shuffle holds what one batch of rows has for one unit shard. How many
bytes it has depends on how many (unit, partition) pairs are in it and on nothing else: not on the
rows of the whole input, not on how many shards there are. So bytes that are measured on a small
input, for elements of many sizes, give those of any other.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines import synthetic
from pipelines.plan import plan_release
from pipelines.run.sizes import task_bytes, unit_shards
from pipelines.sources.read_rows import TASK_BYTES
from pipelines.spec import load_release
from transforms.dofns import THREADS
from transforms.hashing import HashKey
from transforms.stages import Engine

KEY = HashKey(b"the same shards in every measurement")

CONFIG = """\
release: scale
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
output: {{folder: {folder}/published, staging: {folder}/staging}}
"""
COLUMNS = ["user_id", "country", "emoji", "dwell_s"]
PROFILES = ("together", "scattered")
"""All rows of a unit in one batch; or each in another one, where nothing can be added up before."""


@dataclass(frozen=True)
class Curve:
    """Bytes of an element by its pairs, measured.

    Attributes:
        pairs: Pairs per element, rising.
        bytes_per_pair: Bytes per pair in elements of that size.
    """

    pairs: tuple[float, ...]
    bytes_per_pair: tuple[float, ...]

    def at(self, pairs: float) -> float:
        """Returns bytes per pair; beyond what was measured they stay what they are there."""
        logs = np.log(self.pairs), np.log(self.bytes_per_pair)
        return float(np.exp(np.interp(math.log(max(pairs, 1)), *logs)))


@dataclass(frozen=True)
class Measured:
    """What is known of one profile of the emoji release.

    Attributes:
        curve: Bytes of elements.
        pairs_per_row: Pairs that a row of input makes, at most 1.
    """

    curve: Curve
    pairs_per_row: float


NOTED = {
    "together": Measured(
        Curve((44, 355, 2842, 22479, 89916), (60.09, 26.1, 20.85, 17.07, 14.81)), 0.36
    ),
    "scattered": Measured(
        Curve((122, 975, 7797, 62375, 249501), (46.66, 33.71, 29.05, 25.96, 26.45)), 0.998
    ),
}
"""What `--measure` printed: generated emoji events, seed 7, ten rows a unit."""

INPUT_BYTES_PER_ROW = 25.0
"""Parquet, the four columns of the release."""

BATCH_BYTES_PER_ROW = 24.0
"""Encoded rows, as they wait for their batch to be full."""

CPU_S_PER_ROW = 1.0e-6
"""Processor time of a whole local run: 49 s on two cores for 100 million rows (`make bench`)."""

CPU_S_PER_ELEMENT = 1.3e-3
"""Processor time of making, packing and unpacking one more element of the first shuffle."""

MEMORY_PER_SHARD_BYTE = 8.0
"""Memory for merging and bounding a shard, per byte of it in the shuffle."""

THREADS_OF_WORKER = 2
"""`threads` of the Dataflow file; each bundle has `transforms.dofns.THREADS` shards under way."""

PRICES = {"vCPU hour": 0.056, "GB hour": 0.003557, "GB shuffled": 0.011}
"""Dollars, list prices of Dataflow batch in a European region as of 2025; look yours up."""

GB_PER_VCPU = 8


@dataclass(frozen=True)
class Estimate:
    """What a release takes.

    Attributes:
        rows: Rows of the input.
        shards: Unit shards.
        elements: Elements of the first shuffle.
        shuffle_bytes: Bytes of the first shuffle.
        element_bytes: Bytes of an element, about; the largest is some 1.3 times that.
        shard_bytes: Bytes of a shard.
        bounding_bytes: Memory that a worker needs while it bounds shards.
        cpu_s: Processor time.
    """

    rows: float
    shards: int
    elements: float
    shuffle_bytes: float
    element_bytes: float
    shard_bytes: float
    bounding_bytes: float
    cpu_s: float

    @property
    def dollars(self) -> float:
        """Cost of workers and shuffle; every gigabyte of the shuffle is written and read."""
        hours = self.cpu_s / 3600
        per_hour = PRICES["vCPU hour"] + GB_PER_VCPU * PRICES["GB hour"]
        return hours * per_hour + 2 * self.shuffle_bytes / 1e9 * PRICES["GB shuffled"]


def estimate(rows: float, measured: Measured) -> Estimate:
    """Returns what a release of the emoji events takes.

    Args:
        rows: Rows of the input.
        measured: Its profile.
    """
    size = int(rows * INPUT_BYTES_PER_ROW)
    shards = unit_shards(size)
    batch_rows = min(rows, max(TASK_BYTES, task_bytes(size)) / BATCH_BYTES_PER_ROW)
    batches = math.ceil(rows / batch_rows)
    pairs = rows * measured.pairs_per_row
    elements = batches * shards
    per_element = pairs / elements
    total = pairs * measured.curve.at(per_element)
    return Estimate(
        rows,
        shards,
        elements,
        total,
        total / elements,
        total / shards,
        total / shards * MEMORY_PER_SHARD_BYTE * THREADS * THREADS_OF_WORKER,
        rows * CPU_S_PER_ROW + elements * CPU_S_PER_ELEMENT,
    )


def events(folder: Path, rows: int, profile: str) -> pa.Table:
    """Generates the columns of the release that it reads."""
    synthetic.write_emoji_events(folder, rows=rows, units=rows // 10, seed=7)
    frame = pl.read_parquet(folder / "*.parquet", columns=COLUMNS)
    if profile == "scattered":
        frame = frame.with_columns(user_id=pl.int_range(pl.len()).cast(pl.String))
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def pairs_of(table: pa.Table) -> int:
    """Returns how many (unit, partition) pairs are left after pruning to eight per unit."""
    frame = pl.DataFrame(table).drop_nulls(["user_id", "country", "emoji"])
    of_unit = frame.group_by("user_id").agg(pl.struct("country", "emoji").n_unique().alias("n"))
    return int(of_unit.select(pl.col("n").clip(0, 8).sum()).item())


def element_bytes(folder: Path, table: pa.Table, shards: int) -> list[int]:
    """Returns the bytes of the elements of one batch."""
    config = folder / "scale.yaml"
    config.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    plans = tuple(plan_release(load_release(config)).tables)
    engine = Engine(("user_id",), plans, KEY, shards, 4)
    batch = engine.batch([table])
    return [len(packed) for job in engine.shards([batch]) for _, packed in job()]


def measure(folder: Path, rows: int, profile: str, shards: Sequence[int]) -> Measured:
    """Measures elements of several sizes on one input.

    Args:
        folder: A folder to write to.
        rows: Rows of the input.
        profile: One of `PROFILES`.
        shards: Numbers of unit shards.
    """
    table = events(folder, rows, profile)
    pairs = pairs_of(table)
    points = {}
    for number in shards:
        sizes = element_bytes(folder, table, number)
        points[pairs / len(sizes)] = sum(sizes) / pairs
    ordered = sorted(points)
    curve = Curve(tuple(ordered), tuple(points[point] for point in ordered))
    return Measured(curve, pairs / rows)


def joined(parts: Sequence[Measured]) -> Measured:
    """Returns the curve of several inputs together."""
    points = sorted(
        point
        for part in parts
        for point in zip(part.curve.pairs, part.curve.bytes_per_pair, strict=True)
    )
    pairs, sizes = zip(*points, strict=True)
    return Measured(Curve(pairs, sizes), parts[-1].pairs_per_row)


def table() -> str:
    """Returns the table of deploy/scale.md."""
    lines = [
        "| rows | rows of a unit | shards | first shuffle | element | shard | memory to bound "
        "| vCPU hours | dollars |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rows in (1e9, 1e11, 1e12):
        for profile in PROFILES:
            one = estimate(rows, NOTED[profile])
            lines.append(
                f"| 1e{round(math.log10(rows))} | {profile} | {one.shards:,} "
                f"| {_bytes(one.shuffle_bytes)} | {_bytes(one.element_bytes)} "
                f"| {_bytes(one.shard_bytes)} | {_bytes(one.bounding_bytes)} "
                f"| {one.cpu_s / 3600:,.1f} | {one.dollars:,.2f} |"
            )
    return "\n".join(lines) + "\n"


def _bytes(number: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number / 1e3:.3g} kB"


def main() -> None:
    """Prints the table, or measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    if not parser.parse_args().measure:
        print(table(), end="")
        return
    for profile in PROFILES:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            parts = [
                measure(Path(folder) / str(rows), rows, profile, shards)
                for rows, shards in ((500_000, (64, 512, 4096)), (4_000_000, (16, 64)))
            ]
        found = joined(parts)
        curve = found.curve
        print(f'    "{profile}": Measured(')
        print(f"        Curve({tuple(round(one) for one in curve.pairs)},")
        print(f"              {tuple(round(one, 2) for one in curve.bytes_per_pair)}),")
        print(f"        {found.pairs_per_row:.3f},\n    ),  # {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
