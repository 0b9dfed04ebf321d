"""The release YAML: loads it, checks it, and makes the engine's tables of it.

`load_release` checks what the config says by itself, `release_tables` adds the files of public
keys, and `plan_release_tables` the budget. Each raises a `ConfigError` with all problems it finds,
one `file:line:column: path: what is wrong; what is allowed` per line. Later checks point at the
config with `LoadedRelease.source.problem`.
"""

from pipelines.spec.errors import ConfigError, KeyPath, Problem, did_you_mean
from pipelines.spec.expressions import found_problems, release_preparation
from pipelines.spec.load import LoadedRelease, load_release
from pipelines.spec.release_spec import (
    InputFormat,
    InputSpec,
    OutputSpec,
    PrivacySpec,
    ReleaseSpec,
    is_value_path,
)
from pipelines.spec.source import ConfigSource, Position, ProblemList
from pipelines.spec.table_spec import BoundsSpec, SelectionSpec, SumSpec, TableSpec
from pipelines.spec.tables import plan_release_tables, release_tables
from transforms.text_types import POLARS_TYPES, ColumnType, parse

__all__ = [
    "POLARS_TYPES",
    "BoundsSpec",
    "ColumnType",
    "ConfigError",
    "ConfigSource",
    "InputFormat",
    "InputSpec",
    "KeyPath",
    "LoadedRelease",
    "OutputSpec",
    "Position",
    "PrivacySpec",
    "Problem",
    "ProblemList",
    "ReleaseSpec",
    "SelectionSpec",
    "SumSpec",
    "TableSpec",
    "did_you_mean",
    "found_problems",
    "is_value_path",
    "load_release",
    "parse",
    "plan_release_tables",
    "release_preparation",
    "release_tables",
]
