"""Who may import what, and where chance comes from."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"), str(path))
    for package in ("transforms", "pipelines")
    for path in sorted((ROOT / package).rglob("*.py"))
}
BEAM = {
    "transforms/dofns.py",
    "transforms/ptransforms.py",
    "transforms/prepare/ptransform.py",
    "transforms/tuning/ptransform.py",
    "transforms/coder.py",
    "transforms/private_metrics.py",
    "transforms/same_code.py",
}
NOISE = "transforms/noise.py"
SYNTHETIC = "pipelines/synthetic.py"


def imported(tree):
    """Full names of the modules that a file imports, wherever in it, also for type checks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not looked into"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def words(tree):
    """Every name that a file uses or imports, step by step: np.random.rand is three."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
    for name in imported(tree):
        yield from name.split(".")


def importers(package):
    return {
        file
        for file, tree in FILES.items()
        if any(name == package or name.startswith(f"{package}.") for name in imported(tree))
    }


def test_the_files_are_there():
    assert len(FILES) > 30
    assert {*BEAM, NOISE, SYNTHETIC} <= FILES.keys()


def test_transforms_know_nothing_of_pipelines():
    assert not {file for file in importers("pipelines") if file.startswith("transforms/")}


@pytest.mark.parametrize("folder", ["transforms/", "pipelines/plan/", "pipelines/tune/"])
def test_no_module_needs_itself(folder):
    """Imports for type checks count too: in a circle, two files are one idea."""
    trees = {file: tree for file, tree in FILES.items() if file.startswith(folder)}
    names = {file.removesuffix(".py").replace("/", "."): file for file in trees}
    needed = {
        file: {
            names[module]
            for name in imported(tree)
            for module in (name, name.rpartition(".")[0])
            if module in names
        }
        for file, tree in trees.items()
    }
    assert sum(map(len, needed.values())) > len(trees)
    TopologicalSorter(needed).prepare()


def test_only_the_wiring_of_transforms_imports_beam():
    assert {file for file in importers("apache_beam") if file.startswith("transforms/")} == BEAM


def is_do_fn(node):
    bases = {"beam.DoFn", "OnSameCode", "same_code.OnSameCode", "_OnEngine"}
    return isinstance(node, ast.ClassDef) and bool(bases & set(map(ast.unparse, node.bases)))


def do_fns():
    return [
        (file, node) for file, tree in FILES.items() for node in ast.walk(tree) if is_do_fn(node)
    ]


def test_no_worker_tells_the_text_of_an_error():
    """All that Beam calls on a worker is guarded, but what sees no rows."""
    found = {
        (file, node.name): {ast.unparse(decorator) for decorator in node.decorator_list}
        for file, node in do_fns()
    }
    assert len(found) > 15
    unguarded = {name for name, decorators in found.items() if "without_texts" not in decorators}
    assert unguarded == {
        ("pipelines/doctor/probe.py", "_LookAround"),
        ("pipelines/same_code.py", "OnSameCode"),
        ("transforms/same_code.py", "OnSameCode"),
    }


def test_no_worker_with_other_code_sees_rows_or_draws():
    """The others pass on what is packed, or names of files."""
    of_any_code = {
        (file, node.name) for file, node in do_fns() if "beam.DoFn" in map(ast.unparse, node.bases)
    }
    assert of_any_code == {
        ("pipelines/doctor/probe.py", "_LookAround"),
        ("pipelines/run/staged_list.py", "_WriteList"),
        ("transforms/dofns.py", "SplitTables"),
        ("transforms/dofns.py", "WriteBlocks"),
        ("transforms/same_code.py", "OnSameCode"),
    }


def test_functions_on_workers_are_guarded_or_see_no_rows():
    mapped = {"beam.Map", "beam.FlatMap", "beam.MapTuple", "beam.FlatMapTuple", "beam.Filter"}
    called = {
        (file, ast.unparse(node.args[0]))
        for file, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in mapped
    }
    guarded = {
        node.name
        for tree in FILES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and "without_texts" in map(ast.unparse, node.decorator_list)
    }
    assert {name for _, name in called} - guarded == {"_named"}  # It sees names of staged files.


def test_only_the_noise_imports_pydp():
    assert importers("pydp") == {NOISE}


def test_nothing_imports_pipeline_dp():
    assert importers("pipeline_dp") == set()


def test_no_other_generator_of_chance_is_used():
    """Secrets and ids of files come from `secrets` and `uuid`, noise from PyDP."""
    generators = {"random", "default_rng", "RandomState", "PCG64", "SystemRandom", "urandom"}
    users = {file for file, tree in FILES.items() if generators & set(words(tree))}
    assert users <= {SYNTHETIC}
    sampling = {"sample", "shuffle", "choice", "choices", "permutation"}
    users = {file for file, tree in FILES.items() if sampling & set(words(tree))}
    assert users <= {SYNTHETIC}


def test_synthetic_data_is_used_by_no_other_file():
    assert importers("pipelines.synthetic") == set()
    assert importers("pipelines.emoji_catalogue") == {SYNTHETIC}


def test_secrets_are_drawn_where_they_are_known():
    assert importers("secrets") == {
        "transforms/hashing.py",
        "pipelines/run/folders.py",
        "pipelines/publication/place.py",
        "pipelines/publication/series_index.py",
    }


def test_chance_is_found_when_it_is_there():
    for text in ("import random", "import numpy as np\nnp.random.rand()", "from os import urandom"):
        found = set(words(ast.parse(text)))
        assert found & {"random", "urandom"}


@pytest.mark.parametrize("module", ["transforms", "pipelines", "pipelines.cli", "pipelines.ledger"])
def test_importing_is_light(module):
    program = (
        f"import sys, {module}\n"
        "heavy = ('apache_beam', 'pipeline_dp', 'pandas', 'google.cloud.storage')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_beam_transforms_come_when_they_are_asked_for():
    program = (
        "import sys, transforms as dp\n"
        "assert 'apache_beam' not in sys.modules\n"
        "print(dp.Aggregate.__name__, dp.DrawTables.__name__, 'apache_beam' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=50
    )
    assert done.stdout == "Aggregate DrawTables True\n", done.stderr
