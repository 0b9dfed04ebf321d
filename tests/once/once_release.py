"""A small release, runs of it in this process and as a command, and what is left of them."""

from datetime import date
from unittest.mock import patch

from commands import command_here, command_in_process
from small_series import config_text, rows

from pipelines.plan import plan_release
from pipelines.run.exactly_once import run_release
from pipelines.spec import load_release

TODAY = date(2027, 1, 4)
"""What the clock shows in tests, so that the periods of their releases are over."""


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
    """Runs `dp-release` here, or a program that calls its `main` in a process of its own."""
    if program is None:
        return command_here(*arguments, today=TODAY)
    return command_in_process(*arguments, program=program)


def files(folder):
    """The files below a folder by their paths in it; none where there is no folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
