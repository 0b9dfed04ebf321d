"""A release is put in its place in one step, whoever else publishes there or died there."""

import fcntl
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from publications import drawn_values, facts, planned, publish, write_config

from pipelines.publication import place
from pipelines.publication.place import (
    TakenError,
    aside_of,
    building_folder,
    locked,
    put_in_place,
)
from pipelines.publication.verify import verify_release


def build(folder, text, *, replace=False):
    with building_folder(folder) as building:
        (building / "file").write_text(text)
        put_in_place(building, folder, replace=replace)


def fail(folder):
    with building_folder(folder) as building:
        (building / "file").write_text("new")
        raise ZeroDivisionError


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_a_folder_is_put_in_its_place(tmp_path):
    build(tmp_path / "deep" / "out", "new")
    assert (tmp_path / "deep" / "out" / "file").read_text() == "new"
    assert hidden(tmp_path / "deep") == []
    assert (tmp_path / "deep" / "out").stat().st_mode & 0o777 == 0o755


def test_an_empty_folder_is_a_place(tmp_path):
    (tmp_path / "out").mkdir()
    build(tmp_path / "out", "new")
    assert (tmp_path / "out" / "file").read_text() == "new"


def test_what_is_there_stays_unless_it_may_be_replaced(tmp_path):
    build(tmp_path / "out", "old")
    with pytest.raises(TakenError, match="was published to by another release meanwhile"):
        build(tmp_path / "out", "new")
    assert (tmp_path / "out" / "file").read_text() == "old"
    assert hidden(tmp_path) == []
    build(tmp_path / "out", "new", replace=True)
    assert (tmp_path / "out" / "file").read_text() == "new"
    assert hidden(tmp_path) == []


def test_a_file_in_the_place_stays(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(TakenError):
        build(tmp_path / "out", "new")
    assert (tmp_path / "out").read_text() == "mine"


def test_two_that_build_for_one_place_do_not_share_a_folder(tmp_path):
    with building_folder(tmp_path / "out") as one:
        (one / "file").write_text("one")
        with building_folder(tmp_path / "out") as two:
            assert one != two
            assert (one / "file").read_text() == "one"
            (two / "file").write_text("two")
            put_in_place(two, tmp_path / "out", replace=False)
        with pytest.raises(TakenError):
            put_in_place(one, tmp_path / "out", replace=False)
    assert (tmp_path / "out" / "file").read_text() == "two"
    assert hidden(tmp_path) == []


def hold(folder, ready):
    with building_folder(Path(folder)) as building:
        (building / "file").write_text("held")
        ready.set()
        time.sleep(60)


def test_the_folder_of_a_live_process_is_left_alone_and_that_of_a_dead_one_is_removed(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(str(tmp_path / "out"), ready))
    process.start()
    try:
        assert ready.wait(40)
        (held,) = hidden(tmp_path)
        build(tmp_path / "out", "new")
        assert hidden(tmp_path) == [held]
        assert (tmp_path / held / "file").read_text() == "held"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join(20)
    assert hidden(tmp_path) == [held]
    build(tmp_path / "out", "newer", replace=True)
    assert hidden(tmp_path) == []


def test_folders_of_other_places_and_other_kinds_are_left_alone(tmp_path):
    kept = [".outer.0123.building", ".out.replaced.old", ".out.building", ".other.0123.building"]
    for name in kept:
        (tmp_path / name).mkdir()
    (tmp_path / ".out.0123.building").write_text("a file")
    (tmp_path / ".out.link.building").symlink_to(tmp_path / ".other.0123.building")
    build(tmp_path / "out", "new")
    left = [*kept, ".out.0123.building", ".out.link.building"]
    assert hidden(tmp_path) == sorted(left)


@pytest.mark.parametrize("name", ["a*b", "[x]", "q?"])
def test_names_with_wildcards_are_taken_as_they_are(tmp_path, name):
    (tmp_path / ".aXb.01.building").mkdir()
    (tmp_path / f".{name}.01.building").mkdir()
    build(tmp_path / name, "new")
    assert hidden(tmp_path) == [".aXb.01.building"]


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_between_the_renames_leaves_the_old_one_aside(tmp_path, monkeypatch):
    build(tmp_path / "out", "old")
    rename = Path.rename

    def interrupted(self, target):
        if self.name.endswith(".building"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "out", "new", replace=True)
    assert (aside_of(tmp_path / "out") / "file").read_text() == "old"


def test_a_lock_keeps_others_out(tmp_path):
    order = []

    def second():
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]


def test_of_many_threads_one_is_published_whole_and_the_others_are_told(tmp_path):
    """Different series that go to one folder: no lock of a series keeps them apart."""
    made = []
    for number in range(6):
        _, plan, file = planned(write_config(tmp_path, name=f"r{number}"))
        made.append((plan, drawn_values(plan), file, facts(plan)))
    results = []
    start = threading.Barrier(len(made))

    def go(plan, drawn, file, said):
        start.wait(20)
        try:
            publish(plan, drawn, tmp_path / "out", ["csv"], file, said, replace=False)
            results.append(plan.spec.release)
        except TakenError:
            results.append(None)

    threads = [threading.Thread(target=go, args=one) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    (winner,) = [name for name in results if name is not None]
    assert len(results) == len(made)
    found = verify_release(tmp_path / "out")
    assert (found.problems, found.release) == ((), winner)
    assert hidden(tmp_path) == []


def test_replacing_at_once_leaves_one_whole_release(tmp_path):
    _, plan, file = planned(write_config(tmp_path))
    draws = [drawn_values(plan) for _ in range(4)]
    failed = []

    def go(drawn):
        try:
            publish(plan, drawn, tmp_path / "out", ["csv"], file, facts(plan), replace=True)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=go, args=(drawn,)) for drawn in draws]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert failed == []
    assert verify_release(tmp_path / "out").problems == ()
    assert hidden(tmp_path) == []


def test_a_folder_that_somebody_keeps_locked_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "LOCK_SECONDS", 0.05)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(TimeoutError, match="keeps it locked"), locked(tmp_path):
            pass
    finally:
        os.close(handle)
    with locked(tmp_path):
        pass
