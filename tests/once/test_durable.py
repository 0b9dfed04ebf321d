"""Files that are replaced in one step."""

import os
import stat
from pathlib import Path

import pytest

from pipelines.storage.durable import replace_file


@pytest.fixture
def places(tmp_path):
    file, partial = tmp_path / "note", tmp_path / "note.partial"
    file.write_bytes(b"old")
    return file, partial


def test_what_is_there_is_replaced_with_what_an_earlier_attempt_left(places):
    file, partial = places
    partial.write_bytes(b"left by a process that died")
    replace_file(file, b"new", partial, mode=0o600)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o600)
    assert not partial.exists()


def test_content_is_on_the_disk_before_it_has_its_name(places, monkeypatch):
    file, partial = places
    fsync, seen = os.fsync, []

    def noted(descriptor):
        seen.append((Path(f"/proc/self/fd/{descriptor}").read_bytes(), file.read_bytes()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    replace_file(file, b"new", partial)
    assert seen == [(b"new", b"old")]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(places, monkeypatch):
    file, partial = places

    def full(_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(file, b"new", partial)
    assert file.read_bytes() == b"old"
    assert not partial.exists()
