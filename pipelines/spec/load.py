"""Loads a release YAML."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from pipelines.spec.errors import ConfigError, KeyPath
from pipelines.spec.messages import add_problems
from pipelines.spec.placeholders import filled
from pipelines.spec.release_spec import ReleaseSpec
from pipelines.spec.source import ConfigSource, ProblemList
from pipelines.spec.yaml_reader import read_yaml


@dataclass(frozen=True)
class LoadedRelease:
    """A release series, with the places of its values in its file.

    Attributes:
        spec: What the config says.
        source: Where it says it: `source.problem(path, message)` points a later problem there.
        placeholders: What stands for the placeholders of the input; empty where there is no period.
    """

    spec: ReleaseSpec
    source: ConfigSource
    placeholders: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, path: KeyPath, message: str) -> ConfigError:
        """Returns the error for a value that is refused; see `ConfigSource.problem`."""
        return ConfigError([self.source.problem(path, message)])

    def resolve(self, path: str) -> str:
        """Returns a path of the config, relative to the config's folder; URLs stay as they are."""
        if "://" in path:
            return path
        return os.path.normpath(Path(self.source.file).parent / Path(path).expanduser())

    def filled(self, text: str) -> str:
        """Returns a text of the config with the period of the release in its placeholders."""
        return filled(text, self.placeholders)

    @property
    def input_files(self) -> tuple[str, ...]:
        """Absolute globs of the input files; the folder of the config is no pattern."""
        folder = glob.escape(str(Path(self.source.file).parent.absolute()))
        return tuple(
            pattern
            if "://" in pattern
            else os.path.normpath(Path(folder) / Path(pattern).expanduser())
            for pattern in map(self.filled, self.spec.input.files or ())
        )

    @property
    def output_folder(self) -> str:
        """Folder of the publications of this series."""
        return self.resolve(self.spec.output.folder)

    @property
    def staging_folder(self) -> str:
        """Private folder for the noisy values as drawn."""
        return self.resolve(self.spec.output.staging or f".dp-release/{self.spec.release}")

    @property
    def ledger(self) -> str:
        """Where the ledger is."""
        return self.resolve(self.spec.ledger)

    @property
    def policy(self) -> str | None:
        """The policy file; None for none."""
        return None if self.spec.policy is None else self.resolve(self.spec.policy)


def load_release(path: str | Path) -> LoadedRelease:
    """Loads a release YAML and checks everything that can be checked without another file.

    Args:
        path: The YAML file.

    Returns:
        The release series, with the places of its values in the file.

    Raises:
        ConfigError: The file cannot be read as YAML, or what it says is not a release.
    """
    source = read_yaml(path)
    problems = ProblemList(source, list(source.duplicates))
    try:
        spec = ReleaseSpec.model_validate(source.data)
    except ValidationError as error:
        add_problems(error, problems)
        raise ConfigError(problems.found) from None
    problems.raise_if_any()
    return LoadedRelease(spec, source)
