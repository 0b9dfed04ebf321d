"""The tests have teeth: each seeded bug of the catalogue makes one of its tests fail."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from catalogue import MUTANTS
from copies import NOT_THE_COPY, ROOT, SECONDS, copy_repository, environment, run_tests
from mutant import Mutant

TESTS = sorted({test for mutant in MUTANTS for test in mutant.tests})
FILES = sorted({test.split("::")[0] for test in TESTS})

NOT_THE_BUG = re.compile(
    r"^E +(NameError|SyntaxError|IndentationError|ImportError|ModuleNotFoundError|AttributeError"
    r"|TypeError|fixture )",
    re.MULTILINE,
)
"""Failures of a mutant that is not a program any more."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that mutants change one after the other."""
    return copy_repository(tmp_path_factory.mktemp("mutants"))


@contextmanager
def mutated(copy: Path, mutant: Mutant) -> Iterator[None]:
    """Has a mutant in the copy, and then no longer."""
    file = copy / mutant.file
    source = file.read_text(encoding="utf-8")
    file.write_text(mutant.apply(source), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(source, encoding="utf-8")


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
def test_a_seeded_bug_is_noticed(copy: Path, mutant: Mutant):
    with mutated(copy, mutant):
        done = run_tests(copy, mutant.module, mutant.tests)

    report = f"mutant {mutant.name}: pytest left with {done.code}\n{done.output}"
    assert done.code == 1, report
    assert not NOT_THE_BUG.search(done.output), report


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_the_same_tests_pass_without_a_bug(copy: Path, file: str):
    tests = [test for test in TESTS if test.split("::")[0] == file]

    done = run_tests(copy, "transforms", tests)

    assert done.code == 0, done.output


@pytest.mark.slow
def test_the_installed_package_does_not_pass_for_the_copy(tmp_path: Path):
    copy = copy_repository(tmp_path)
    shutil.rmtree(copy / "transforms")

    done = run_tests(copy, "transforms.encode", ["tests/engine/test_columns.py"])

    assert done.code == NOT_THE_COPY, done.output


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
