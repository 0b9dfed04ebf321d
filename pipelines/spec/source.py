"""Where everything in a config file stands, so that a problem can point at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.spec.errors import ConfigError, KeyPath, Problem, format_path


@dataclass(frozen=True)
class Position:
    """A place in a file.

    Attributes:
        line: Line, from 1.
        column: Column, from 1.
        text: Characters from there to the first one of the text that stands there, 1 for a text
            in quotes; None where the text is not written character by character on one line.
    """

    line: int
    column: int
    text: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ConfigSource:
    """The plain data of a config file and the position of everything in it.

    Attributes:
        file: The file, as the user named it.
        data: Mappings, lists and scalars.
        values: Position of each value by its path.
        keys: Position of each mapping key by the path of its value.
        duplicates: Problems with keys that are given twice; the first counts.
        hints: What is added to every problem with a value, by its path.
        content: The bytes of the file.
    """

    file: str
    data: Any
    values: Mapping[KeyPath, Position]
    keys: Mapping[KeyPath, Position]
    duplicates: tuple[Problem, ...] = ()
    hints: Mapping[KeyPath, str] = field(default_factory=dict)
    content: bytes = b""

    def written(self, path: KeyPath) -> KeyPath:
        """Returns the longest beginning of a path that is written in the file.

        A value may stand for more than is written: `unit: user_id` is a list of one column, and
        the keys of a table may be those of its public lists.

        Args:
            path: Steps from the top: `("tables", "by_country", "keys", 1)`.

        Returns:
            The path without the steps that are not written.
        """
        while path not in self.values:
            path = path[:-1]
        return path

    def position(self, path: KeyPath) -> Position:
        """Returns the position of a value, or of the nearest one around it that is written."""
        return self.values[self.written(path)]

    def problem(
        self, path: KeyPath, message: str, *, at_key: bool = False, at: int | None = None
    ) -> Problem:
        """Returns a problem with the value at a path.

        Args:
            path: Steps from the top: `("tables", "by_country", "keys", 1)`.
            message: What is wrong and what is allowed; the path is its subject.
            at_key: Point at the key instead of the value.
            at: Point at a place inside the text that the value is: characters before it.

        Returns:
            The problem with file, line and column; its path is the part that is written.
        """
        path = self.written(path)
        position = self.keys[path] if at_key and path in self.keys else self.values[path]
        column = position.column
        if at is not None and position.text is not None:
            column += position.text + at
        elif at:
            message = f"at character {at + 1} of the text: {message}"
        message += self.hints.get(path, "")
        return Problem(self.file, message, format_path(path), position.line, column)


@dataclass
class ProblemList:
    """Collects the problems of one config, to report all of them at once.

    Attributes:
        source: The config.
        found: Problems so far.
    """

    source: ConfigSource
    found: list[Problem] = field(default_factory=list)

    def add(
        self, path: KeyPath, message: str, *, at_key: bool = False, at: int | None = None
    ) -> None:
        """Adds a problem with the value at a path; see `ConfigSource.problem`."""
        problem = self.source.problem(path, message, at_key=at_key, at=at)
        if problem not in self.found:
            self.found.append(problem)

    def add_engine_error(self, path: KeyPath, error: ValueError, *around: KeyPath) -> None:
        """Adds an error of the engine.

        The engine's messages begin with the name of the field at fault, or with its path:
        `metrics.seconds.clip_total`, perhaps with a colon. Where the config has that key, the
        problem is put there and the message goes on from the name.

        Args:
            path: The value that the engine was given, or the mapping that it was made of.
            error: Its error.
            around: Other mappings that it was made of.
        """
        message = str(error)
        first, _, rest = message.partition(" ")
        first = first.removesuffix(":")
        for made_of in (path, *around):
            place = made_of if made_of[-1:] == (first,) else (*made_of, *first.split("."))
            if place in self.source.values:
                self.add(place, rest)
                return
        self.add(path, message)

    @contextmanager
    def at(self, path: KeyPath, *around: KeyPath) -> Iterator[None]:
        """Adds a ValueError of the block as a problem at a path, and goes on after the block."""
        try:
            yield
        except ValueError as error:
            self.add_engine_error(path, error, *around)

    def raise_if_any(self) -> None:
        """Raises a ConfigError with all problems if there are any."""
        if self.found:
            raise ConfigError(self.found)
