"""The store in a file: kills at every step, full disks, files that cannot be written or read."""

import re
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ledger_examples import KEY, draw, fire

from pipelines.ledger import Ledger, StoreError
from pipelines.ledger.sqlite_store import SqliteStore

NOBODY = 65534
HERE = str(Path(__file__).parent)

KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from ledger_examples import KEY, fire
from pipelines.ledger import Ledger, sqlite_store

folder, event = sys.argv[1:]
left = 0

def die_at_last():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

class Dying(sqlite_store.sqlite3.Connection):
    def execute(self, *arguments):
        die_at_last()
        done = super().execute(*arguments)
        die_at_last()
        return done

for step in range(1, 100):
    ledger = Ledger(sqlite_store.SqliteStore(folder + f"/{{step}}.db"))
    if event == "draw":
        fire(ledger, "reserve")
    child = os.fork()
    if not child:
        connect = sqlite_store.sqlite3.connect
        sqlite_store.sqlite3.connect = lambda *a, **more: connect(*a, factory=Dying, **more)
        left = step
        fire(ledger, event)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code)
    if code != -signal.SIGKILL:
        break
"""
"""Dies before or after each statement in turn, the commit among them, until it comes through."""


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
    )


@pytest.mark.parametrize("event", ["reserve", "draw"])
def test_a_kill_at_any_step_of_an_append_leaves_the_entry_or_nothing(tmp_path, event):
    before = 1 if event == "draw" else 0
    done = run(KILLED.format(here=HERE), tmp_path, event)
    codes = [int(code) for code in done.stdout.split()]
    assert codes[-1] == 0, done.stderr
    assert len(codes) > 10
    assert set(codes[:-1]) == {-signal.SIGKILL}
    there = []
    for step in range(1, len(codes) + 1):
        ledger = Ledger(SqliteStore(tmp_path / f"{step}.db"))
        lines = ledger.store.read().lines
        assert len(lines) in (before, before + 1)
        there.append(len(lines) > before)
        resume(ledger, event)
        assert len(ledger.book().charged("events")) == 1
    assert there == sorted(there), "once committed, it stays"
    assert there[-2:] == [True, True], "killed after the commit"


def resume(ledger, event):
    """Does what a rerun does: reserves, which charges nothing new, and draws."""
    release = fire(ledger, "reserve")
    if event == "draw" and release.state == "drawing":
        assert draw(ledger, KEY, replaces=release.attempt).attempt == release.attempt + 1
    elif event == "draw":
        assert draw(ledger, KEY).attempt == 1


def test_a_half_written_append_is_rolled_back_by_the_next_reader(tmp_path):
    """Pages are on disk before the commit, and the process is gone: a hot journal."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(SqliteStore(path))
    fire(ledger, "reserve")
    before = ledger.store.read()
    program = (
        "import os, signal, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 2'); c.execute('PRAGMA cache_spill = 1')\n"
        "c.execute('BEGIN IMMEDIATE')\n"
        "for n in range(2, 400):\n"
        "    c.execute('INSERT INTO entries VALUES (?, ?)', (n, 'x' * 3000))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run(program, path).returncode == -signal.SIGKILL
    assert Path(f"{path}-journal").exists()
    assert path.stat().st_size > 100_000
    assert ledger.store.read() == before
    fire(ledger, "draw")


def test_a_full_disk_is_a_clear_error_and_leaves_no_half_entry(tmp_path):
    path = tmp_path / "ledger.db"
    ledger = Ledger(SqliteStore(path))
    fire(ledger, "reserve")
    before = ledger.store.read()
    program = (
        f"import resource, sys; sys.path.insert(0, {HERE!r})\n"
        "from pipelines.ledger import StoreError\n"
        "from pipelines.ledger.sqlite_store import SqliteStore\n"
        "store = SqliteStore(sys.argv[1]); snapshot = store.read()\n"
        "for limit in map(int, sys.argv[2:]):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        store.append(snapshot, 'x' * 100_000)\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
        "    assert store.read() == snapshot\n"
    )
    size = path.stat().st_size
    done = run(program, path, 0, 600, size, size + 40_000)
    assert done.stderr == ""
    messages = done.stdout.splitlines()
    assert len(messages) == 4
    for message in messages:
        assert re.fullmatch(rf"ledger {path} cannot be written: .+", message)
    assert ledger.store.read() == before
    fire(ledger, "draw")
    assert len(ledger.store.read().lines) == 2


@pytest.fixture
def shared():
    """A folder that every user may look into, as pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_file_that_cannot_be_written_can_be_read_and_says_so(shared):
    path = shared / "ledger.db"
    fire(Ledger(SqliteStore(path)), "reserve")
    path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    shared.chmod(0o555)
    program = (
        "import os, sys\n"
        "from pipelines.ledger import StoreError\n"
        "from pipelines.ledger.sqlite_store import SqliteStore\n"
        "store = SqliteStore(sys.argv[1])\n"
        f"if not os.getuid(): os.setuid({NOBODY})\n"
        "snapshot = store.read(); print(len(snapshot.lines))\n"
        "try:\n"
        "    store.append(snapshot, 'x')\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    before = path.read_bytes()
    done = run(program, path)
    shared.chmod(0o755)
    assert done.stderr == ""
    count, error = done.stdout.splitlines()
    assert count == "1"
    assert error.startswith(
        f"ledger {path} cannot be written: attempt to write a readonly database"
    )
    assert error.endswith("allowed: a file and a folder that can be written to")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + b"\1" * 4096])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be read"):
        Ledger(SqliteStore(path)).book()
    with pytest.raises(StoreError):
        fire(Ledger(SqliteStore(path)), "reserve")
    assert path.read_bytes() == content


def test_a_truncated_file_is_found(tmp_path):
    path = tmp_path / "ledger.db"
    ledger = Ledger(SqliteStore(path))
    for event in ("reserve", "draw", "drawn", "publish"):
        fire(ledger, event)
    head = ledger.book().head
    whole = path.read_bytes()
    for length in range(0, len(whole), 512):
        path.write_bytes(whole[:length])
        with pytest.raises(Exception, match=r"cannot be read|entry") as caught:
            Ledger(SqliteStore(path), remembered=[head]).book()
        assert type(caught.value).__name__ in ("StoreError", "BrokenLedgerError")


def test_a_row_that_was_edited_is_found(tmp_path):
    path = tmp_path / "ledger.db"
    ledger = Ledger(SqliteStore(path))
    fire(ledger, "reserve")
    fire(ledger, "draw")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET line = replace(line, '0.5', '0.1')")
    with pytest.raises(Exception, match=r"entry 2 of the ledger .*: its hash of the entry before"):
        ledger.book()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET line = x'ff'")
    with pytest.raises(StoreError, match="holds what is no text"):
        ledger.book()


@pytest.mark.parametrize("place", ["missing/ledger.db", "."])
def test_a_place_that_is_no_file_is_an_error(tmp_path, place):
    with pytest.raises(StoreError, match="cannot be"):
        fire(Ledger(SqliteStore(tmp_path / place)), "reserve")


def test_appends_are_durable_and_stay_in_one_file(tmp_path):
    """No write-ahead log: a copy of the file is the ledger."""
    path = tmp_path / "odd name?#%.db"
    ledger = Ledger(SqliteStore(path))
    fire(ledger, "reserve")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    opened = SqliteStore(path)._connect("rw")
    assert opened.execute("PRAGMA synchronous").fetchone() == (3,)
    opened.close()
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    assert SqliteStore(copy).read() == ledger.store.read()
