"""Objects of a bucket: preconditions, answers that are lost, and what cannot be done."""

import threading

import pytest

from pipelines.storage import gcs as gcs_module
from pipelines.storage.errors import StorageError
from pipelines.storage.gcs import GcsFolder


@pytest.fixture
def folder(bucket):
    return GcsFolder.of(f"{bucket}/x")


def test_what_is_written_is_read(folder):
    assert folder.read("a") is None
    assert folder.create("a", b"1") == b"1"
    assert folder.read("a") == b"1"
    assert folder.create("empty", b"") == b""
    assert folder.read("empty") == b""
    assert folder.names() == ["a", "empty"]


def test_what_is_created_is_not_created_again(folder):
    folder.create("a", b"1")
    assert folder.create("a", b"2") == b"1"
    assert folder.read("a") == b"1"


def test_a_swap_needs_the_generation_that_was_read(folder):
    assert folder.swap("a", b"1", 0)
    _, first = folder.read_with_generation("a")
    assert folder.swap("a", b"2", first)
    assert not folder.swap("a", b"3", first)
    assert not folder.swap("a", b"3", 0)
    assert folder.read("a") == b"2"


def test_a_swap_to_what_is_there_already_is_done(folder):
    """So a write that is sent again after a lost answer is no lost race."""
    folder.swap("a", b"1", 0)
    assert folder.swap("a", b"1", 0)


def test_of_many_that_create_one_does(folder):
    found = []

    def create(number):
        found.append(folder.create("a", str(number).encode()))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [folder.read("a")] * 16


def test_names_are_of_the_folder_and_of_all_below(folder):
    for name in ("a", "b/c", "b/d/e"):
        folder.create(name, b"")
    GcsFolder(folder.bucket, f"{folder.prefix[:-1]}y/").create("other", b"")
    assert folder.names() == ["a", "b/c", "b/d/e"]
    assert folder.names("b/") == ["b/c", "b/d/e"]
    assert folder.folders() == ["b"]
    assert folder.child("b").folders() == ["d"]
    folder.delete(["a", "not there", "b/c"])
    assert folder.names() == ["b/d/e"]
    assert folder.parent.child("x").read("b/d/e") == b""


@pytest.mark.parametrize("fault", ["lost", 503, 429])
def test_a_write_that_goes_wrong_is_sent_again(gcs, fault):
    gcs.faults = [fault, fault]
    folder = GcsFolder.of("gs://b/x")
    assert folder.swap("a", b"1", 0)
    assert folder.read("a") == b"1"
    assert gcs.objects["x/a"][0] == 1


def test_a_service_that_stays_busy_is_an_error(gcs):
    gcs.refuse = 503
    folder = GcsFolder("b", "x/", patience=0.3)
    for use in (lambda: folder.read("a"), lambda: folder.create("a", b""), folder.names):
        with pytest.raises(StorageError, match=r"gs://b/x.* busy"):
            use()


def test_a_permission_that_is_missing_is_one_clear_line(gcs):
    gcs.refuse = 403
    folder = GcsFolder.of("gs://b/x")
    for use in (lambda: folder.read("a"), lambda: folder.create("a", b""), folder.names):
        with pytest.raises(StorageError, match=r"gs://b/x.*: no permission; allowed: an") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_bucket_that_is_missing_is_named(gcs):
    folder = GcsFolder.of("gs://none/x")
    for use in (lambda: folder.create("a", b""), folder.names, folder.folders):
        with pytest.raises(StorageError, match=r"gs://none/x.*there is no such bucket"):
            use()


def test_credentials_that_are_missing_are_one_clear_line(servers, tmp_path, monkeypatch):
    servers.delenv("STORAGE_EMULATOR_HOST")
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    def none(*_, **__):
        raise DefaultCredentialsError("were not found")

    monkeypatch.setattr(storage, "Client", none)
    gcs_module._client.cache_clear()
    with pytest.raises(StorageError, match=r"gs://b/x/a cannot be read: no credentials that work"):
        GcsFolder.of("gs://b/x").read("a")


@pytest.mark.parametrize("url", ["gs://b", "gs://b/", "gs:///x", "s3://b/x", "gs://b//x"])
def test_a_url_without_a_folder_is_refused(url):
    with pytest.raises(StorageError, match="allowed: gs://bucket/folder"):
        GcsFolder.of(url)


def test_without_the_library_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(gcs_module, "import_module", missing)
    with pytest.raises(StorageError, match=r"dp-release\[gcs\]"):
        GcsFolder.of("gs://b/x")
