"""Post-processing reaches nothing but released values, parameters and public files."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest

from transforms import postprocess
from transforms.table import Table

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "transforms" / "postprocess").glob("*.py"))
PURE = {
    *("__future__", "collections.abc", "dataclasses", "decimal", "itertools", "math", "typing"),
    *("numpy", "polars"),
}
PUBLIC = {
    *("transforms.arrays", "transforms.mechanisms", "transforms.metrics", "transforms.table"),
    *("transforms.intervals", "transforms.quotient"),
}
"""Modules of parameters, which is what a config says, and formulas: no data."""


def modules(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def called(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_modules_import_nothing_that_knows_data(file):
    found = set(modules(ast.parse(file.read_text())))
    other = found - PURE - PUBLIC
    assert all(name.startswith("transforms.postprocess.") for name in other), other


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_modules_read_no_file_and_draw_nothing(file):
    names = set(called(ast.parse(file.read_text())))
    assert not {name for name in names if name.startswith(("read_", "scan_", "write_", "sink_"))}
    assert not names & {"open", "exec", "eval", "__import__", "environ", "sample", "shuffle"}


def test_modules_of_the_engine_are_imported_for_parameters_only():
    names = {
        alias.name
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in PUBLIC
        for alias in node.names
    }
    parameters = {"Count", "NoiseKind", "PublicKeys", "Sum", "Table", "released_columns"}
    formulas = {"FloatArray", "quantile_95", "quotient"}
    assert names == parameters | formulas


ALLOWED = {
    *(pl.DataFrame, str, float, int, type(None), Sequence[str], Sequence[Sequence[str]]),
    *(Sequence[pl.DataFrame], Mapping[str, Table], Mapping[str, float]),
    *(typing.get_type_hints(postprocess.quantile_95)["noise"], Iterable[postprocess.Step]),
}


@pytest.mark.parametrize("name", postprocess.__all__)
def test_public_names_take_released_tables_and_parameters_only(name):
    """A Table is what a config says; a DataFrame is a released table or a public file."""
    entry = getattr(postprocess, name)
    if not (inspect.isfunction(entry) or inspect.isclass(entry)):
        return
    hints = dict(typing.get_type_hints(entry))
    hints.pop("return", None)
    assert hints
    assert all(hint in ALLOWED for hint in hints.values()), hints
