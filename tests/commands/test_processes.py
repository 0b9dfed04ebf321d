"""Each command in a process of its own does what it does in the process of the tests."""

import gc
import logging
import re
import shutil
import sys
import warnings

import pytest
import typer
from commands import command_here, command_in_process
from once_release import write_weekly

WEEK = "2026-W46"
COMMANDS = {
    "run": ["release.yaml", "--period", WEEK],
    "publish": ["release.yaml", "--period", "2026-W45"],
    "backfill": ["release.yaml", "--from", "2026-W45", "--to", WEEK],
    "verify": ["out"],
    "report": ["out/2026-W45"],
    "budget": ["release.yaml"],
    "withdraw": ["release.yaml", "--period", "2026-W45", "--reason", "a test"],
    "tune": ["release.yaml", "--period", WEEK, "--unaccounted"],
}
"""Each command but those of which other tests start processes: `validate`, `plan`, `doctor`."""

OTHER_EACH_TIME = re.compile(r"[0-9a-f]{8,}|-?\d[\d,.]*")


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A series whose first week is published."""
    folder = tmp_path_factory.mktemp("series")
    config = write_weekly(folder)
    assert command_here("run", config, "--period", "2026-W45").returncode == 0
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_does_in_a_process_what_it_does_here(tmp_path, series, name):
    seen = []
    for run in (command_in_process, command_here):
        folder = tmp_path / run.__name__ / "series"
        shutil.copytree(series, folder)
        done = run(name, *COMMANDS[name], cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        shown = OTHER_EACH_TIME.sub("#", done.stdout.replace(str(folder), "."))
        files = sorted(str(path.relative_to(folder)) for path in (folder / "out").rglob("*"))
        seen.append((sorted(shown.split()), files))
    assert seen[0] == seen[1]
    assert seen[0][0]


def test_what_a_command_leaves_in_this_process_is_put_back(tmp_path):
    def state():
        root = logging.getLogger()
        code = typer.BadParameter.__base__.exit_code
        streams = sys.stdout, sys.stderr, sys.excepthook, sys.argv
        return gc.isenabled(), root.level, root.handlers[:], code, streams, warnings.filters[:]

    before = state()
    done = command_here("--log", "json", "validate", tmp_path / "none.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert '"event": "problem"' in done.stderr
    assert state() == before


@pytest.mark.parametrize(
    ("fault", "code", "texts"),
    [
        ("raise ValueError('unexpected')", 1, ["Traceback", "ValueError: unexpected"]),
        ("import os; os.write(2, b'from Rust')", 0, ["from Rust"]),
        ("import warnings; warnings.warn('careful')", 0, ["UserWarning: careful"]),
        ("import logging; logging.warning('odd')", 0, ["odd"]),
        ("raise SystemExit(7)", 7, []),
    ],
)
def test_what_would_show_on_the_error_stream_of_a_process_shows_here(
    tmp_path, monkeypatch, fault, code, texts
):
    """Else tests that nothing is there would see nothing."""
    monkeypatch.setattr("pipelines.cli.app", lambda: exec(fault))
    done = command_here("validate")
    assert done.returncode == code
    assert bool(done.stderr) == bool(texts)
    for text in texts:
        assert text in done.stderr
