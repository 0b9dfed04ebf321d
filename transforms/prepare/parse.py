"""From the text of an expression to a small checked syntax tree.

`sqlglot` reads the text in the dialect of `transforms.prepare.row_sql`, which refuses what is not
about one row. Which functions there are is the business of `transforms.prepare.functions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from transforms.prepare.row_sql import (
    BINARY,
    CLOCK,
    TYPES,
    UNARY,
    RowSql,
    TypedConstant,
    check_known,
    place_of,
    refused,
)
from transforms.prepare.time_constants import DATE_USAGE, TIMESTAMP_USAGE, read_date, read_timestamp
from transforms.prepare.tree import Call, Column, Constant, ExpressionError, Literal, Node

MAX_LENGTH = 10_000
"""Characters of one expression."""

MAX_DEPTH = 100
"""Operators and calls inside each other."""

_TOO_DEEP = f"is nested too deeply; allowed: {MAX_DEPTH} operators and calls inside each other"


def parse(text: str) -> Node:
    """Reads an expression.

    Args:
        text: One SQL expression.

    Returns:
        Its tree. Function names are in lower case, and are not checked.

    Raises:
        ExpressionError: It is not an expression, or has a construct that is not about one row.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"has {len(text)} characters; allowed: at most {MAX_LENGTH}", MAX_LENGTH
        )
    try:
        found = RowSql().parse_into(exp.Condition, text)
    except ParseError as error:
        raise _syntax_error(text, error) from None
    except TokenError:
        raise ExpressionError("has a quote or comment that is not closed", 0) from None
    except RecursionError:
        raise ExpressionError(_TOO_DEEP, 0) from None
    if len(found) > 1:
        raise ExpressionError("has a ';'; allowed: one expression", text.index(";"))
    if found[0] is None:
        raise ExpressionError("is empty; allowed: an expression", 0)
    return _Reader(text).read(found[0], 0)


@dataclass(frozen=True)
class _Reader:
    """Turns what sqlglot read into our tree, or refuses it."""

    text: str

    def read(self, node: exp.Expr, depth: int) -> Node:
        at = place_of(node)
        if depth > MAX_DEPTH:
            raise ExpressionError(_TOO_DEEP, at)
        check_known(node)
        down = depth + 1

        def part(name: str = "this") -> Node:
            return self.read(_part(node, name), down)

        match node:
            case exp.Paren():
                return part()
            case exp.Column():
                if node.name.lower() in CLOCK and not node.this.quoted:
                    raise ExpressionError(
                        f"{node.name} does not depend on the row alone; "
                        "allowed: a column of this name in double quotes",
                        at,
                    )
                return Column(node.name, at)
            case exp.Literal() | exp.Boolean() | exp.Null():
                return Literal(self._constant(node), at)
            case TypedConstant():
                return Literal(self._typed_constant(node, at), at)
            case exp.Neg() if isinstance(node.this, exp.Literal) and not node.this.is_string:
                return Literal(self._constant(node), at)
            case exp.Anonymous():
                return self._call(node, at, down)
            case exp.Add() | exp.Sub() if isinstance(_part(node, "expression"), exp.Interval):
                return self._shift(node, at, down)
            case exp.Between():
                value, low, high = part(), part("low"), part("high")
                above = Call(">=", (value, low), at)
                return Call("AND", (above, Call("<=", (value, high), at)), at)
            case exp.In():
                allowed = [self.read(item, down) for item in node.expressions]
                return Call("IN", (part(), *allowed), at)
            case exp.Is():
                return self._is(node, at, down)
            case exp.Case():
                return self._case(node, at, down)
            case exp.Cast() | exp.TryCast():
                kind = Literal(self._type(_part(node, "to"), at), at)
                return Call("CAST", (part(), kind), at)
            case exp.Extract():
                name = Literal(node.name.lower(), at)
                return Call("date_part", (name, part("expression")), at)
        if type(node) in BINARY:
            call = Call(BINARY[type(node)], (part(), part("expression")), at)
            return Call("NOT", (call,), at) if node.args.get("negate") else call
        if type(node) in UNARY:
            return Call(UNARY[type(node)], (part(),), at)
        raise refused(node)

    def _constant(self, node: exp.Expr) -> Constant:
        if isinstance(node, exp.Neg):
            inner = self._constant(node.this)
            assert isinstance(inner, int | float)
            return -inner
        if isinstance(node, exp.Null):
            return None
        if isinstance(node, exp.Boolean):
            return bool(node.this)
        if node.args["is_string"]:
            return str(node.this)
        digits = str(node.this)
        if re.fullmatch(r"[0-9]+", digits):
            if int(digits) >= 2**63:
                raise ExpressionError(
                    f"the number {digits} is out of range; allowed: 64-bit integers", place_of(node)
                )
            return int(digits)
        if not re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", digits) or (
            float(digits) == float("inf")
        ):
            raise ExpressionError(f"{digits} is not a finite number", place_of(node))
        return float(digits)

    def _typed_constant(self, node: exp.Expr, at: int) -> Constant:
        kind = TYPES.get(_part(node, "to").this)
        constant = node.this
        if kind not in ("date", "timestamp"):
            allowed = f"{DATE_USAGE}, {TIMESTAMP_USAGE}, or CAST"
            raise ExpressionError(f"is no constant of a type; allowed: {allowed}", at)
        if not isinstance(constant, exp.Literal) or not constant.is_string:
            raise ExpressionError(
                f"{kind.upper()} is followed by more than text in single quotes; allowed: such as "
                f"({DATE_USAGE}), in parentheses before another operator",
                at,
            )
        try:
            read = read_date if kind == "date" else read_timestamp
            return read(str(constant.this))
        except ValueError as error:
            raise ExpressionError(str(error), at) from None

    def _call(self, node: exp.Anonymous, at: int, depth: int) -> Call:
        name = node.this if isinstance(node.this, str) else node.this.name
        arguments: list[Node] = []
        for argument in node.expressions:
            if isinstance(argument, exp.Array):
                items = [self.read(item, depth) for item in argument.expressions]
                if not all(isinstance(item, Literal) for item in items):
                    raise ExpressionError("a list holds constants only", place_of(argument))
                values = tuple(item.value for item in items if isinstance(item, Literal))
                arguments.append(Literal(values, place_of(argument)))  # type: ignore[arg-type]
            else:
                arguments.append(self.read(argument, depth))
        return Call(name.lower(), tuple(arguments), at)

    def _shift(self, node: exp.Expr, at: int, depth: int) -> Call:
        interval = _part(node, "expression")
        amount, unit = interval.args.get("this"), interval.args.get("unit")
        if not isinstance(amount, exp.Literal) or not isinstance(unit, exp.Var):
            raise ExpressionError(
                "the INTERVAL is not clear; allowed: such as INTERVAL '3 hours'", at
            )
        sign = "-" if isinstance(node, exp.Sub) else ""
        width = Literal(f"{sign}{amount.this} {unit.name.lower()}", at)
        return Call("+ INTERVAL", (self.read(node.this, depth), width), at)

    def _is(self, node: exp.Expr, at: int, depth: int) -> Call:
        value, what = self.read(node.this, depth), _part(node, "expression")
        if isinstance(what, exp.Null):
            return Call("IS NULL", (value,), at)
        if isinstance(what, exp.Boolean):
            return Call("IS NOT DISTINCT FROM", (value, Literal(bool(what.this), at)), at)
        raise ExpressionError("IS is followed by NULL, TRUE, FALSE or DISTINCT FROM", at)

    def _case(self, node: exp.Expr, at: int, depth: int) -> Call:
        subject = node.args.get("this")
        branches: list[Node] = []
        for branch in node.args["ifs"]:
            condition = self.read(branch.this, depth)
            if subject is not None:
                condition = Call("=", (self.read(subject, depth), condition), condition.at)
            branches += [condition, self.read(branch.args["true"], depth)]
        default = node.args.get("default")
        branches.append(Literal(None, at) if default is None else self.read(default, depth))
        return Call("CASE", tuple(branches), at)

    def _type(self, node: exp.Expr, at: int) -> str:
        if isinstance(node, exp.DataType) and not node.expressions and node.this in TYPES:
            return TYPES[node.this]
        raise ExpressionError(
            f"CAST to {node.sql()}; allowed: {', '.join(sorted(set(TYPES.values())))}", at
        )


def _part(node: exp.Expr, name: str) -> exp.Expr:
    part = node.args[name]
    assert isinstance(part, exp.Expr)
    return part


def _syntax_error(text: str, error: ParseError) -> ExpressionError:
    details = error.errors[0] if error.errors else {}
    word = str(details.get("highlight") or "")
    line, end = details.get("line"), details.get("col")
    at = 0
    if line and end:
        starts = [0, *(match.end() for match in re.finditer("\n", text))]
        at = max(0, starts[line - 1] + end - len(word))
    if word.lower() in ("select", "with", "from"):
        return ExpressionError("a query is not an expression; allowed: no SELECT", at)
    near = f" near {word!r}" if word else ""
    return ExpressionError(f"is not a SQL expression{near}", at)
