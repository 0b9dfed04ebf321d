"""What tests of deployment have in common."""

from __future__ import annotations

import re
from functools import cache
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


def in_image(name: str) -> bool:
    """Returns whether .dockerignore lets a file of the repository into the images.

    The last line decides that matches the file or a folder above it, as Docker does it.
    """
    path = Path(name)
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents[:-1])]
    kept = True
    for pattern, keeps in _docker_lines():
        if any(pattern.fullmatch(one) for one in names):
            kept = keeps
    return kept


@cache
def _docker_lines() -> list[tuple[re.Pattern[str], bool]]:
    """Patterns of .dockerignore, and whether they keep what they match."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    return [(_docker_pattern(line.removeprefix("!")), line.startswith("!")) for line in lines]


def _docker_pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*)", text)
    signs = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return re.compile("".join(signs.get(part, re.escape(part)) for part in parts))


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
