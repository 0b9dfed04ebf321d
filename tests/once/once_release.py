"""A small release, runs of it in this process and as a command, and what is left of them."""

import subprocess
import sys
from datetime import date
from unittest.mock import patch

from small_series import SECONDS, config_text, environment, rows

from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release

TODAY = date(2027, 1, 4)
"""What the clock shows in tests, so that the periods of their releases are over."""


_ON_THAT_DAY = f"""
from datetime import date
from pipelines import cli, clock
clock.today = lambda: date({TODAY.year}, {TODAY.month}, {TODAY.day})
cli.main()
"""


def write_release(folder, *, epsilon=1.0, metrics="n: count", input_more="", more=""):
    """Writes a release of public keys, whose noise differs from draw to draw."""
    rows().write_parquet(folder / "in.parquet")
    config = folder / "release.yaml"
    config.write_text(
        config_text(
            f"in.parquet{input_more}", "folder: out", epsilon=epsilon, metrics=metrics, more=more
        )
    )
    return config


def write_weekly(folder, **more):
    """The same with a release per week, and days after the time column."""
    return write_release(
        folder, input_more=", time: at", more=f"period: week\n{more.pop('more', '')}", **more
    )


def run(config, **options):
    """Runs it here."""
    today = options.pop("today", TODAY)
    release = load_release(config)
    with patch("pipelines.clock.today", lambda: today):
        return run_release(release, plan_release(release), **options)


def command(*arguments, program=None):
    """Runs `dp-release`, or a program that calls its `main`."""
    start = [sys.executable, "-c", program or _ON_THAT_DAY]
    return subprocess.run(
        [*start, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        timeout=SECONDS,
    )


def files(folder):
    """The files below a folder by their paths in it; none where there is no folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
