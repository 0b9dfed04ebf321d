"""Reads a YAML file into plain data and remembers where each key and value stands.

Scalars follow the core schema of YAML 1.2: `1e-8` is a number, `no` and `2026-11-01` are text.
Keys are always text. Aliases, merge keys and tags are refused: a config says what it means where
it means it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from pipelines.spec.cut_expressions import cut_by, cut_expressions, quote_hint
from pipelines.spec.errors import ConfigError, KeyPath, Problem, format_path
from pipelines.spec.source import ConfigSource, Position

_TAG = "tag:yaml.org,2002:"
_PLAIN_SCALARS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}


class _Composer(Reader, Scanner, Parser, Composer, BaseResolver):
    """Composes nodes with their positions; knows the YAML 1.2 scalars and no aliases."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"the alias *{event.anchor} is not allowed; write the value out",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)


for _kind, _pattern in _PLAIN_SCALARS.items():
    _Composer.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), None)


def read_yaml(path: str | Path) -> ConfigSource:
    """Reads a config file.

    Args:
        path: The file.

    Returns:
        Its data with positions.

    Raises:
        ConfigError: The file is missing, not UTF-8, not YAML, or not one mapping of text keys.
    """
    file = str(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ConfigError([Problem(file, "no such file")]) from None
    except IsADirectoryError:
        raise ConfigError([Problem(file, "is a folder; allowed: a YAML file")]) from None
    except OSError as error:
        raise ConfigError([Problem(file, f"cannot be read: {error.strerror}")]) from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        message = f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([_after(file, before, message)]) from None
    return parse_yaml(text, file)


def parse_yaml(text: str, file: str = "config") -> ConfigSource:
    """Reads the text of a config.

    Args:
        text: YAML.
        file: Name of the file for messages.

    Returns:
        Its data with positions.

    Raises:
        ConfigError: The text is not YAML, or not one mapping of text keys.
    """
    try:
        root = _Composer(text).get_single_node()
        if root is None:
            raise ConfigError([Problem(file, "is empty; allowed: keys with values", "", 1, 1)])
        reader = _NodeReader(file)
        data = reader.read(root, ())
    except ReaderError as error:
        message = f"the character U+{error.character:04X} is not allowed in YAML"
        raise ConfigError([_after(file, text[: error.position], message)]) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(file, error)]) from None
    except RecursionError:
        raise ConfigError([Problem(file, "is nested too deeply")]) from None
    duplicates = tuple(reader.duplicates)
    source = ConfigSource(
        file, data, reader.values, reader.keys, duplicates, reader.hints, text.encode()
    )
    if not isinstance(data, dict):
        raise ConfigError([source.problem((), "is not a mapping; allowed: `key: value` lines")])
    return source


@dataclass
class _NodeReader:
    file: str
    values: dict[KeyPath, Position] = field(default_factory=dict)
    keys: dict[KeyPath, Position] = field(default_factory=dict)
    duplicates: list[Problem] = field(default_factory=list)
    hints: dict[KeyPath, str] = field(default_factory=dict)
    cut: dict[yaml.Node, str] = field(default_factory=dict)

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        self.values[path] = _position(node)
        if node in self.cut:
            self.hints[path] = self.cut[node]
        if isinstance(node, yaml.CollectionNode):
            for pieces, expression in cut_expressions(node):
                self.cut |= dict.fromkeys(pieces, quote_hint(expression))
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.ScalarNode) and kind in {*_PLAIN_SCALARS, "str"}:
            text = _text(node)
            try:
                return _scalar(kind, text)
            except ValueError:
                raise _error(node, f"{text[:40]!r} cannot be read as {kind}") from None
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._read_mapping(node, path)
        raise _error(node, f"the tag {node.tag} is not allowed; leave it out")

    def _read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error(key, "a list or mapping cannot be a key; allowed: text")
            if key.value == "<<" and key.style is None:
                raise _error(key, "merge keys (<<) are not allowed; write the keys out")
            place = (*path, _text(key))
            if place in self.keys:
                self.duplicates.append(self._duplicate(key, place))
                continue
            self.keys[place] = _position(key)
            if key in self.cut:
                self.hints[place] = self.cut[key]
            data[_text(key)] = self.read(value, place)
        return data

    def _duplicate(self, key: yaml.ScalarNode, path: KeyPath) -> Problem:
        first, second = self.keys[path], _position(key)
        message = f"the key is given twice, first at {first.line}:{first.column}; allowed: once"
        return Problem(self.file, message, format_path(path), second.line, second.column)


def _text(node: yaml.ScalarNode) -> str:
    text = str(node.value)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _error(node, "a surrogate (\\uD800 to \\uDFFF) is not a character")
    return text


def _scalar(kind: str, text: str) -> Any:
    if kind != "str" and not re.fullmatch(_PLAIN_SCALARS[kind], text):
        raise ValueError
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0 if text[:2] in ("0o", "0x") else 10)
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1, _text_start(node))


def _text_start(node: yaml.Node) -> int | None:
    """Returns where the text of a scalar begins in what is written, if it is written as it is."""
    start, end = node.start_mark, node.end_mark
    if not isinstance(node, yaml.ScalarNode) or start.buffer is None:
        return None
    written = start.buffer[start.pointer : start.pointer + end.index - start.index]
    if written == node.value:
        return 0
    return 1 if written[1:-1] == node.value else None


def _error(node: yaml.Node, message: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)


def _syntax_problem(file: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = ", ".join(part for part in (error.context, error.problem) if part)
    if r"'\t'" in message:
        message = "a tab is not allowed here; indent with spaces"
    if cut_by(error):
        message += quote_hint()
    if mark is None:
        return Problem(file, message)
    return Problem(file, message, "", mark.line + 1, mark.column + 1)


def _after(file: str, text: str, message: str) -> Problem:
    line = text.count("\n") + 1
    return Problem(file, message, "", line, len(text) - text.rfind("\n"))
