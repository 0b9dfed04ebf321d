"""The tests have teeth: each seeded bug of the catalogue makes one of its tests fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catalogue import MUTANTS
from mutant import Mutant

ROOT = Path(__file__).parents[2]
SECONDS = 50
"""Time for the tests of one mutant; they take a few."""

TESTS = sorted({test for mutant in MUTANTS for test in mutant.tests})
FILES = sorted({test.split("::")[0] for test in TESTS})

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

NOT_THE_BUG = re.compile(
    r"^E +(NameError|SyntaxError|IndentationError|ImportError|ModuleNotFoundError|AttributeError"
    r"|TypeError|fixture )",
    re.MULTILINE,
)
"""Failures of a mutant that is not a program any more."""


def copy_repository(folder: Path) -> Path:
    """Copies what tests need; what no mutant changes and nothing writes to is linked."""
    copy = folder / "copy"
    copy.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("transforms", "pipelines", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "configs").symlink_to(ROOT / "configs")
    (copy / "guard.py").write_text(GUARD)
    return copy


def environment(copy: Path, module: str) -> dict[str, str]:
    """The copy comes before the installed package, also in the processes that tests start."""
    return {
        **os.environ,
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MUTATED_MODULE": module,
    }


def run_tests(copy: Path, module: str, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs tests of the copy in a process of their own."""
    options = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "guard"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=copy,
        env=environment(copy, module),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_mutant_replaces_is_there_once(mutant: Mutant):
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    compile(mutant.apply(source), mutant.file, "exec")


def test_mutants_have_names_of_their_own_and_change_something():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.old != mutant.new and mutant.tests for mutant in MUTANTS)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_bug_is_noticed(tmp_path: Path, mutant: Mutant):
    copy = copy_repository(tmp_path)
    file = copy / mutant.file
    file.write_text(mutant.apply(file.read_text(encoding="utf-8")), encoding="utf-8")

    done = run_tests(copy, mutant.module, list(mutant.tests))

    report = f"mutant {mutant.name}: pytest left with {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode == 1, report
    assert not NOT_THE_BUG.search(done.stdout), report


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_the_same_tests_pass_without_a_bug(tmp_path: Path, file: str):
    copy = copy_repository(tmp_path)
    tests = [test for test in TESTS if test.split("::")[0] == file]

    done = run_tests(copy, "transforms", tests)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_installed_package_does_not_pass_for_the_copy(tmp_path: Path):
    copy = copy_repository(tmp_path)
    shutil.rmtree(copy / "transforms")

    done = run_tests(copy, "transforms.encode", ["tests/engine/test_columns.py"])

    assert done.returncode == NOT_THE_COPY, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", ["transforms", "pipelines"])
def test_a_process_that_a_test_starts_imports_the_copy(tmp_path: Path, module: str):
    copy = copy_repository(tmp_path)
    program = f"import {module}; print({module}.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=copy / "tests",
        env=environment(copy, module),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.stdout.strip() == str(copy / module / "__init__.py")
