"""Memory, processor time and disk of local releases that are larger than the memory of a shuffle.

    python tests/bench/local_memory.py --copies 1 3 [--where disk memory]
    python tests/bench/local_memory.py --copies 1 --gather-mb 64 --shards 1024

Each copy names the same files again, in a folder whose name makes other units of their users, so
that a billion rows are ten copies of one hundred million. What is measured is in README.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from compare import CONFIG, Events

RELEASE = """
import logging, sys
logging.basicConfig(level=logging.CRITICAL)  # as the command does before it imports Beam
from pipelines.run import drawing
from pipelines.run import local_blocks
local_blocks.SPILL_BYTES = {spill_bytes}
settings, draw_tables = {settings}, drawing.DrawTables
drawing.DrawTables = lambda *given, **named: draw_tables(*given, **{{**named, **settings}})
from pipelines.cli import main
sys.argv[1:] = ["run", "--no-report", {config!r}]
main()
"""


@dataclass
class Samples:
    """What a process holds, looked at twice a second.

    Attributes:
        anonymous: Its memory but for mapped files, in bytes.
        blocks: Files of blocks on the disk, in bytes.
    """

    anonymous: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)

    def take(self, process: subprocess.Popen[bytes], staging: Path) -> None:
        """Looks until the process is done."""
        while process.returncode is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
                self.anonymous.append(1024 * int(status.split("RssAnon:")[1].split()[0]))
                sizes = [file.stat().st_size for file in staging.rglob("*.blocks")]
            except (FileNotFoundError, ProcessLookupError, IndexError):
                continue
            self.blocks.append(sum(sizes))
            time.sleep(0.5)


def link_copies(events: Events, copies: int, folder: Path) -> None:
    """Makes folders of links to the files of events, one for each copy."""
    for copy in range(copies):
        part = folder / f"copy={copy}"
        part.mkdir(parents=True)
        for file in events.folder.glob("*.parquet"):
            (part / file.name).symlink_to(file)


def release(events: Events, copies: int, spill_bytes: int, settings: dict[str, int]) -> str:
    """Runs a release of copies of events and returns what it took, as a row of a table."""
    with TemporaryDirectory(dir=events.folder.parent) as work:
        folder = Path(work)
        link_copies(events, copies, folder / "in")
        config = folder / "release.yaml"
        text = CONFIG.format(folder=folder / "in/copy=*", out=folder)
        config.write_text(text.replace("unit: user_id", "unit: [user_id, copy]"))
        program = RELEASE.format(spill_bytes=spill_bytes, settings=settings, config=str(config))
        log = (folder / "log.txt").open("wb")
        process = subprocess.Popen([sys.executable, "-c", program], stdout=log, stderr=log)
        samples = Samples()
        thread = threading.Thread(target=samples.take, args=(process, folder / "staging"))
        thread.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        thread.join()
        if process.returncode:
            sys.exit(f"the release failed:\n{(folder / 'log.txt').read_text()[-2000:]}")
    cells = (
        f"{events.total * copies:,}",
        "memory" if spill_bytes else "disk",
        f"{usage.ru_maxrss * 1024 / 1e9:.2f}",
        f"{max(samples.anonymous) / 1e9:.2f}",
        f"{usage.ru_utime + usage.ru_stime:.0f}",
        f"{max(samples.blocks, default=0) / 1e9:.2f}",
    )
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the memory of large local releases.")
    parser.add_argument("--rows", type=int, default=100_000_000, help="rows of one copy")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--gather-mb", type=int, help="rows that are pre-aggregated together")
    parser.add_argument("--shards", type=int, help="unit shards")
    parser.add_argument("--where", nargs="+", choices=["disk", "memory"], default=["disk"])
    options = parser.parse_args()
    events = Events(options.rows)
    events.generate()
    settings: dict[str, int] = {}
    if options.gather_mb:
        gather = options.gather_mb << 20
        settings = {"gather_bytes": gather, "batch_bytes": min(64 << 20, gather // 4)}
    if options.shards:
        settings["unit_shards"] = options.shards
    print("rows | shuffle in | peak GB | anonymous GB | processor s | blocks GB", flush=True)
    for copies in options.copies:
        for where in options.where:
            spill_bytes = 0 if where == "disk" else 1 << 62
            print(release(events, copies, spill_bytes, settings), flush=True)


if __name__ == "__main__":
    main()
