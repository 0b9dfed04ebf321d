"""Tables without noise, for tests of the engine."""

import pytest
from no_noise import without_noise


@pytest.fixture
def exact(monkeypatch):
    """Turns selection and noise off. There is no such mode outside of tests."""
    without_noise(monkeypatch)
    monkeypatch.setattr("transforms.draw.select", lambda units, mechanism: units > 0)
