"""What tests of deployment have in common."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def needs(*modules: str) -> None:
    """Skips a test module where Python modules are missing, and says which."""
    missing = [name for name in modules if not _is_there(name)]
    if missing:
        reason = f"needs {', '.join(missing)}: pip install 'dp-release[cloud]'"
        pytest.skip(reason, allow_module_level=True)


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
