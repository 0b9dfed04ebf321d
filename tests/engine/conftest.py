"""Tables without noise, for tests of the engine."""

import pytest
from no_noise import select_from, without_noise


@pytest.fixture
def exact(monkeypatch):
    """Turns selection and noise off. There is no such mode outside of tests."""
    without_noise(monkeypatch)
    select_from(monkeypatch, 1)
