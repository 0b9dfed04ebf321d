"""Buckets: of a small server here, and of the emulator that enforces preconditions itself."""

import pytest
from gcs_servers import fake_gcs_server, installed_fake_gcs, small_gcs

pytest.importorskip("google.cloud.storage", reason="needs dp-release[gcs]")
import anonymous  # noqa: F401

EMULATOR = "fake-gcs-server"


@pytest.fixture(scope="session")
def emulator():
    """URL of the emulator."""
    if installed_fake_gcs() is None:
        pytest.skip(f"{EMULATOR} is not there; make emulator builds it, with Go")
    with fake_gcs_server() as url:
        yield url


@pytest.fixture
def servers():
    """Says where the server is; another patch than the one that tests undo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
        yield patch


@pytest.fixture
def gcs(servers):
    """A small server that has the bucket `b`."""
    with small_gcs() as server:
        servers.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture(params=["small-gcs", pytest.param(EMULATOR, marks=pytest.mark.gcs)])
def bucket(request, servers, tmp_path):
    """URL of an empty folder in a bucket of each kind of server."""
    if request.param == EMULATOR:
        servers.setenv("STORAGE_EMULATOR_HOST", request.getfixturevalue("emulator"))
    else:
        request.getfixturevalue("gcs")
    return f"gs://b/{tmp_path.name}"
