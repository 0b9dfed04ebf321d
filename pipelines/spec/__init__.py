"""The release YAML: loads it, checks it, and makes the engine's tables of it.

`load_release` checks what the config says by itself, `release_preparation` adds the public tables
that expressions look into, `release_tables` the files of public keys, `plan_release_tables` the
budget, and `release_steps` the files of baselines. Each raises a `ConfigError` with all problems it
finds, one `file:line:column: path: what is wrong; what is allowed` per line. Later checks point at
the config with `LoadedRelease.source.problem`.
"""

from pipelines.spec.columns import Role
from pipelines.spec.errors import ConfigError, KeyPath, did_you_mean
from pipelines.spec.input_spec import InputFormat
from pipelines.spec.level_problems import CONSISTENT
from pipelines.spec.load import LoadedRelease, load_release
from pipelines.spec.preparations import release_preparation
from pipelines.spec.privacy_spec import PrivacySpec
from pipelines.spec.publish_steps import release_steps
from pipelines.spec.release_spec import Period, ReleaseSpec
from pipelines.spec.source import Position, ProblemList
from pipelines.spec.tables import plan_release_tables, release_tables

__all__ = [
    "CONSISTENT",
    "ConfigError",
    "InputFormat",
    "KeyPath",
    "LoadedRelease",
    "Period",
    "Position",
    "PrivacySpec",
    "ProblemList",
    "ReleaseSpec",
    "Role",
    "did_you_mean",
    "load_release",
    "plan_release_tables",
    "release_preparation",
    "release_steps",
    "release_tables",
]
