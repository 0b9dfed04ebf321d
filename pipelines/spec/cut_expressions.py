"""Expressions that YAML cut at a comma: in `[a, f(x, y)]` it sees three entries.

Inside brackets and braces a comma ends a plain text, whatever parentheses are open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import yaml


def cut_expressions(node: yaml.CollectionNode) -> Iterator[tuple[Sequence[yaml.ScalarNode], str]]:
    """Yields the expressions that a list or mapping in brackets or braces cuts.

    Args:
        node: A list or mapping.

    Yields:
        The plain texts from an open parenthesis to the one that closes it, and the expression.
    """
    if not node.flow_style:
        return
    pieces: list[yaml.ScalarNode] = []
    depth = 0
    for piece in _scalars(node):
        if piece.style is not None:
            continue
        depth = max(0, depth + _open(piece.value))
        if depth or pieces:
            pieces.append(piece)
        if not depth:
            if len(pieces) > 1:
                yield tuple(pieces), _written(pieces[0].start_mark, pieces[-1].end_mark)
            pieces = []


def cut_by(error: yaml.MarkedYAMLError) -> bool:
    """Returns whether reading failed inside the parentheses of an entry in brackets or braces."""
    start, end = error.context_mark, error.problem_mark
    if start is None or end is None or "while parsing a flow" not in (error.context or ""):
        return False
    return _open(_written(start, end)) > 0


def quote_hint(expression: str = "f(x, y)") -> str:
    """Returns what to write for an expression that was cut, as the end of a message."""
    return f"; in brackets and braces, a text with a comma is put in quotes: {_quoted(expression)}"


def _scalars(node: yaml.CollectionNode) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        parts = (part for pair in node.value for part in pair)
    else:
        parts = iter(node.value)
    return (part for part in parts if isinstance(part, yaml.ScalarNode))


def _open(text: str) -> int:
    return text.count("(") - text.count(")")


def _written(start: yaml.Mark, end: yaml.Mark) -> str:
    if start.buffer is None:
        return ""
    return str(start.buffer[start.pointer : start.pointer + end.index - start.index])


def _quoted(expression: str) -> str:
    on_one_line = " ".join(expression.split())
    return f"'{on_one_line}'" if '"' in on_one_line else f'"{on_one_line}"'
