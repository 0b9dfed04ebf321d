"""Storage in a folder here and in a bucket does the same for the steps of a run."""

import pytest

from pipelines.storage.durable import folder_digest
from pipelines.storage.errors import BusyError, ChangedError, GoneError, StorageError
from pipelines.storage.gcs import GcsFolder
from pipelines.storage.gcs_storage import GcsStorage
from pipelines.storage.storage import open_storage


@pytest.fixture(params=["here", "gcs"])
def storage(request, tmp_path):
    place = str(tmp_path / "s") if request.param == "here" else "gs://b/s"
    if request.param == "gcs":
        request.getfixturevalue("gcs")
    return open_storage(place)


def freeze(storage, name, **files):
    with storage.freezing(name) as folder:
        for file, content in files.items():
            (folder / file).write_text(content)
        return folder_digest(folder)


def thaw(storage, name, digest):
    with storage.thawed(name, digest) as folder:
        return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_note_is_created_once(storage):
    assert not storage.has("a/key")
    assert storage.create("a/key", b"1") == b"1"
    assert storage.create("a/key", b"2") == b"1"
    assert storage.has("a/key")
    assert storage.has("a")
    assert not storage.has("a/ke")
    storage.write("a/key", b"3")
    assert storage.create("a/key", b"4") == b"3"


def test_a_frozen_set_is_read_back_by_its_digest(storage):
    assert storage.frozen("d/set") == ()
    digest = freeze(storage, "d/set", a="1", b="2")
    assert storage.frozen("d/set") == (digest,)
    assert thaw(storage, "d/set", digest) == {"a": "1", "b": "2"}
    assert freeze(storage, "d/set", a="1", b="2") == digest
    assert storage.frozen("d/set") == (digest,)


def test_a_set_that_is_not_there_or_was_changed_is_refused(storage):
    with pytest.raises(GoneError):
        thaw(storage, "set", "0" * 64)
    digest = freeze(storage, "set", a="1")
    if isinstance(storage, GcsStorage):
        folder = storage.folder.child("set").child(digest)
        folder.swap("a", b"2", folder.read_with_generation("a")[1])
    else:
        (storage.place / "set" / "a").write_text("2")
    with pytest.raises(ChangedError):
        thaw(storage, "set", digest)


def test_a_set_that_is_cut_off_is_not_there(storage, monkeypatch):
    """Killed before it counts: its files may be there, and nobody takes them for a set."""

    def killed(*_, **__):
        raise KeyboardInterrupt

    if isinstance(storage, GcsStorage):
        create = GcsFolder.create
        monkeypatch.setattr(
            GcsFolder, "create", lambda f, n, c: killed() if "frozen" in n else create(f, n, c)
        )
    else:
        monkeypatch.setattr("pipelines.storage.durable.sync", killed)
    with pytest.raises(KeyboardInterrupt):
        freeze(storage, "set", a="1")
    assert storage.frozen("set") == ()
    monkeypatch.undo()
    digest = freeze(storage, "set", a="1")
    assert thaw(storage, "set", digest) == {"a": "1"}


def test_removing_leaves_what_is_named_alike(storage):
    for name in ("attempt-1", "attempt-10"):
        freeze(storage, f"{name}/drawn", a="1")
        storage.create(f"{name}/note", b"")
    storage.remove("attempt-1")
    assert not storage.has("attempt-1")
    assert storage.frozen("attempt-10/drawn")
    storage.remove("attempt-10/note")
    assert not storage.has("attempt-10/note")
    assert storage.has("attempt-10")
    storage.remove("nothing")
    storage.remove("")
    assert not storage.has("attempt-10")


def test_only_a_folder_here_keeps_others_out(storage):
    other = open_storage(str(storage.place))
    with storage.alone("r"):
        if storage.is_shared:
            with other.alone("r"):
                pass
        else:
            with pytest.raises(BusyError, match="another run of this release is under way"):
                other.alone("r").__enter__()


def test_sets_of_one_name_stand_side_by_side_in_a_bucket(gcs):
    """Two runs that render one draw: neither takes its set from the other."""
    storage = open_storage("gs://b/s")
    one, two = freeze(storage, "set", a="1"), freeze(storage, "set", a="2", b="3")
    assert set(storage.frozen("set")) == {one, two}
    assert thaw(storage, "set", one) == {"a": "1"}
    assert thaw(storage, "set", two) == {"a": "2", "b": "3"}


def test_an_object_in_the_way_is_not_taken_for_a_file_of_the_set(gcs, tmp_path):
    storage = open_storage("gs://b/s")
    (tmp_path / "a").write_text("1")
    digest = folder_digest(tmp_path)
    storage.folder.child("set").child(digest).create("a", b"garbage")
    with pytest.raises(ChangedError, match="is there with other bytes"):
        freeze(storage, "set", a="1")
    assert storage.frozen("set") == ()


def test_another_kind_of_url_is_refused():
    with pytest.raises(StorageError, match="allowed: gs://bucket/folder"):
        open_storage("s3://b/x")
