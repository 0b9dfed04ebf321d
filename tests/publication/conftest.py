import shutil

import pytest
from publications import EVERYTHING, make_publication


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """A publication with all kinds of tables, and with all partitions; copy it to change it."""
    folder = tmp_path_factory.mktemp("everything")
    return make_publication(folder, EVERYTHING, privacy="epsilon: 20, delta: 1e-6")


@pytest.fixture
def folder(everything, tmp_path):
    """A copy of it, alone in its folder."""
    return shutil.copytree(everything, tmp_path / "series" / "r")


@pytest.fixture
def small(tmp_path):
    """A publication of one table."""
    return make_publication(tmp_path / "small")
