"""The store in a bucket, when the service is busy, refuses, or loses its answer."""

import pytest
from ledger_examples import fire

from pipelines.ledger import Ledger
from pipelines.ledger.errors import HeadMovedError, StoreError
from pipelines.ledger.gcs_store import GcsStore
from pipelines.storage.gcs import GcsFolder


@pytest.fixture
def store(gcs):
    return GcsStore("gs://b/ledger.jsonl", patience=20)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(gcs, store, status):
    gcs.faults = [status]
    store.append(store.read(), "one")
    assert store.read().lines == ("one",)
    assert gcs.writes == 2


def test_a_lost_answer_does_not_append_twice(gcs, store):
    gcs.faults = ["lost"]
    store.append(store.read(), "one")
    assert gcs.writes == 2
    assert store.read().lines == ("one",)


def test_a_lost_answer_is_found_although_others_have_appended_since(gcs, store):
    """The write is in, the answer is lost, somebody appends, and the second attempt fails."""
    other = GcsStore("gs://b/ledger.jsonl")
    snapshot = store.read()
    gcs.faults = ["lost"]
    with pytest.MonkeyPatch.context() as patch:

        def late_read(folder, name):
            patch.undo()
            other.append(other.read(), "two")
            return folder.read(name)

        patch.setattr(GcsFolder, "read", late_read)
        store.append(snapshot, "one")
    assert other.read().lines == ("one", "two")


def test_a_failed_precondition_because_of_another_is_no_success(gcs, store):
    other = GcsStore("gs://b/ledger.jsonl")
    snapshot = store.read()
    other.append(other.read(), "theirs")
    gcs.faults = [503]
    with pytest.raises(HeadMovedError):
        store.append(snapshot, "mine")
    assert store.read().lines == ("theirs",)


@pytest.mark.parametrize(("status", "text"), [(401, "no credentials"), (403, "no permission")])
def test_a_missing_permission_is_one_clear_line(gcs, store, status, text):
    snapshot = store.read()
    gcs.refuse = status
    for use in (store.read, lambda: store.append(snapshot, "one")):
        with pytest.raises(StoreError, match=text) as caught:
            use()
        assert "gs://b/ledger.jsonl" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_service_that_stays_busy_is_an_error(gcs):
    store = GcsStore("gs://b/ledger.jsonl", patience=0.5)
    snapshot = store.read()
    gcs.refuse = 503
    with pytest.raises(StoreError, match="busy"):
        store.append(snapshot, "one")


@pytest.mark.parametrize("fault", ["lost", 503])
def test_a_write_of_unknown_outcome_is_settled_by_a_rerun(gcs, fault):
    """The client gave up: the entry is there or not, and one charge in the end."""
    gcs.faults = [fault] * 1000 if fault == 503 else [fault]
    with pytest.raises(StoreError):
        fire(Ledger(GcsStore("gs://b/ledger.jsonl", patience=1e-3)), "reserve")
    there = len(GcsStore("gs://b/ledger.jsonl").read().lines)
    assert there == (1 if fault == "lost" else 0)
    gcs.faults = []
    ledger = Ledger(GcsStore("gs://b/ledger.jsonl"))
    assert fire(ledger, "reserve").state == "reserved"
    assert len(ledger.store.read().lines) == 1


def test_bytes_that_are_no_text_are_an_error(gcs, store):
    gcs.objects["ledger.jsonl"] = (1, b"\xff")
    with pytest.raises(StoreError, match="cannot be read"):
        store.read()


@pytest.mark.parametrize("url", ["gs://b", "gs://b/", "gs:///x", "gs://b/folder/"])
def test_a_url_without_an_object_is_refused(url):
    with pytest.raises(StoreError, match="allowed: gs://bucket/name"):
        GcsStore(url)


def test_without_the_library_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("pipelines.storage.gcs.import_module", missing)
    with pytest.raises(StoreError, match=r"dp-release\[gcs\]"):
        GcsStore("gs://b/ledger.jsonl")
