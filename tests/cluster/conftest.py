"""Events and exact tables that the tests of all engines compare with."""

from __future__ import annotations

import pytest
from emoji_release import exact_tables, recipe, write_release


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with the events of the emoji release."""
    folder = tmp_path_factory.mktemp("emoji") / "configs"
    write_release(folder)
    return folder


@pytest.fixture(scope="session")
def local(folder):
    """The tables before noise, by the local runner."""
    with pytest.MonkeyPatch.context() as patch:
        tables = exact_tables(recipe(folder, "local"), patch)
    assert tables["by_country"].height > 1_000
    return tables
