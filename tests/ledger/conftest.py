"""Stores of every kind, empty."""

from itertools import count

import pytest
from gcs_servers import FAKE, fake_gcs_server, installed_fake_gcs, small_gcs
from ledger_examples import MemoryStore

from pipelines.ledger.store import open_store

NUMBERS = count()


@pytest.fixture(scope="session")
def emulator():
    """URL of the emulator."""
    if installed_fake_gcs() is None:
        pytest.skip(f"{FAKE} is not there; make emulator builds it, with Go")
    with fake_gcs_server() as url:
        yield url


@pytest.fixture
def gcs(monkeypatch):
    """A small server that has the ledger's bucket."""
    pytest.importorskip("google.cloud.storage", reason="needs dp-release[gcs]")
    with small_gcs() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def place_of(tmp_path, request, monkeypatch):
    """Returns the place of an empty store of a kind."""

    def place(kind):
        match kind:
            case "sqlite":
                return str(tmp_path / "ledger.db")
            case "small-gcs":
                request.getfixturevalue("gcs")
            case "fake-gcs-server":
                pytest.importorskip("google.cloud.storage", reason="needs dp-release[gcs]")
                monkeypatch.setenv("STORAGE_EMULATOR_HOST", request.getfixturevalue("emulator"))
        return f"gs://b/ledgers/{next(NUMBERS)}.jsonl"

    return place


KINDS = ["memory", "sqlite", "small-gcs", "fake-gcs-server"]


@pytest.fixture(params=KINDS)
def store(request, place_of):
    """An empty store of each kind."""
    return MemoryStore() if request.param == "memory" else open_store(place_of(request.param))


@pytest.fixture(params=KINDS[1:])
def place(request, place_of):
    """The place of an empty store of each kind that several processes can use."""
    return place_of(request.param)
