"""The secret of a run, for tests that work out what is under its noise."""

import pytest

from pipelines.run import staging as release_staging
from transforms.hashing import HashKey


@pytest.fixture
def key(monkeypatch):
    """The secret of the run, known here: what of a unit counts depends on it."""
    key = HashKey.draw()
    monkeypatch.setattr(release_staging.HashKey, "draw", lambda: key)
    return key
