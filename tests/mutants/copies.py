"""Copies of the repository, and pytest in them, in processes that have the libraries already."""

from __future__ import annotations

import compileall
import multiprocessing
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("transforms", "pipelines")
SECONDS = 50
"""Time for the tests of one mutant; they take a few."""

LIBRARIES = (
    *("apache_beam", "dp_accounting", "fastavro", "hypothesis", "numpy", "pandas", "pipeline_dp"),
    *("polars", "polars_hash", "pyarrow.parquet", "pydantic", "pytest", "scipy.stats", "sqlglot"),
    *("typer", "yaml"),
)
"""What nearly all tests import, and what takes longer to import than they take to run."""

GUARD = '''\
"""Loaded by pytest in a copy of the repository: the copy is what is tested, and examples repeat."""

import importlib
import os
import sys
from pathlib import Path

from hypothesis import Phase, settings

PACKAGES = ("transforms", "pipelines")
NOT_THE_COPY = 9

# Without shrinking, a failure takes no longer than a success.
settings.register_profile(
    "mutants",
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
)
settings.load_profile("mutants")


def pytest_sessionstart():
    importlib.import_module(os.environ["MUTATED_MODULE"])


def pytest_sessionfinish(session):
    here = Path(__file__).parent
    ours = {m for name, m in sys.modules.items() if name.split(".")[0] in PACKAGES}
    if not all(Path(module.__file__).is_relative_to(here) for module in ours):
        session.exitstatus = NOT_THE_COPY
'''

NOT_THE_COPY = 9
"""How pytest leaves when something other than the copy was tested; 1 is a test that failed."""


@dataclass(frozen=True)
class Finished:
    """A run of pytest that has come to its end.

    Attributes:
        code: How it left.
        output: What it wrote.
    """

    code: int | None
    output: str


def copy_repository(folder: Path) -> Path:
    """Copies what tests need; what no mutant changes and nothing writes to is linked.

    Byte code belongs to the hash of its source, and not to its time and size: a mutant may be
    written within the second of the file that it replaces, and be as long.
    """
    copy = folder / "copy"
    copy.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in PACKAGES:
        compileall.compile_dir(
            copy / name, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "configs").symlink_to(ROOT / "configs")
    (copy / "guard.py").write_text(GUARD)
    return copy


def environment(copy: Path, module: str) -> Mapping[str, str]:
    """The copy comes before the installed package, also in the processes that tests start."""
    return {**os.environ, "PYTHONPATH": str(copy), "MUTATED_MODULE": module}


def run_tests(copy: Path, module: str, tests: Sequence[str]) -> Finished:
    """Runs tests of the copy in a process of their own.

    It is forked from a server that has imported the libraries, and nothing of the repository.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LIBRARIES))
    output = copy.parent / "output"
    process = context.Process(target=_run_pytest, args=(copy, module, tests, output))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return Finished(process.exitcode, output.read_text(errors="replace"))


def _run_pytest(copy: Path, module: str, tests: Sequence[str], output: Path) -> None:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.update(environment(copy, module))
    os.chdir(copy)
    sys.path[:] = [str(copy), *(path for path in sys.path if not _is_ours(Path(path)))]
    options = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "guard"]
    sys.exit(pytest.main([*options, *tests]))


def _is_ours(path: Path) -> bool:
    return path == ROOT or path.is_relative_to(ROOT / "tests")
