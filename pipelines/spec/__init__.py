"""The release YAML: loads it, checks it, and makes the engine's tables of it.

`load_release` checks what the config says by itself, `release_tables` adds the files of public
keys, `plan_release_tables` the budget, and `release_steps` the files of baselines. Each raises a
`ConfigError` with all problems it finds, one `file:line:column: path: what is wrong; what is
allowed` per line. Later checks point at the config with `LoadedRelease.source.problem`.
"""

from pipelines.spec.columns import InputColumn, NamedColumn
from pipelines.spec.errors import ConfigError, KeyPath, Problem, did_you_mean
from pipelines.spec.expressions import found_problems, release_preparation
from pipelines.spec.level_problems import CONSISTENT
from pipelines.spec.load import LoadedRelease, load_release
from pipelines.spec.partition_specs import BoundsSpec, SelectionSpec
from pipelines.spec.publish_spec import PercentChangeSpec, PublishSpec, RatioSpec
from pipelines.spec.publish_steps import release_steps
from pipelines.spec.release_spec import (
    InputFormat,
    InputSpec,
    OutputSpec,
    PrivacySpec,
    ReleaseSpec,
)
from pipelines.spec.source import ConfigSource, Position, ProblemList
from pipelines.spec.table_spec import TableSpec
from pipelines.spec.tables import plan_release_tables, release_tables
from transforms.text_types import POLARS_TYPES, ColumnType, parse

__all__ = [
    "CONSISTENT",
    "POLARS_TYPES",
    "BoundsSpec",
    "ColumnType",
    "ConfigError",
    "ConfigSource",
    "InputColumn",
    "InputFormat",
    "InputSpec",
    "KeyPath",
    "LoadedRelease",
    "NamedColumn",
    "OutputSpec",
    "PercentChangeSpec",
    "Position",
    "PrivacySpec",
    "Problem",
    "ProblemList",
    "PublishSpec",
    "RatioSpec",
    "ReleaseSpec",
    "SelectionSpec",
    "TableSpec",
    "did_you_mean",
    "found_problems",
    "load_release",
    "parse",
    "plan_release_tables",
    "release_preparation",
    "release_steps",
    "release_tables",
]
