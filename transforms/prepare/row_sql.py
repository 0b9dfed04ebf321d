"""Which constructs of SQL are read, by which dialect of `sqlglot`, and why others are refused.

The dialect knows no function by itself: every call keeps the name and the place that it was written
with. What is not in the tables of this module is refused, so a construct that looks at other rows
(a window, a subquery, `*`) cannot get any further, whatever later versions of `sqlglot` learn to
read.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.parser import Parser as _SqlParser
from sqlglot.tokens import Tokenizer as _SqlTokenizer

from transforms.prepare.tree import ExpressionError


class TypedConstant(exp.Expression):
    """A constant after the name of its type: `DATE '2026-11-01'`."""

    arg_types = {"this": True, "to": True}  # noqa: RUF012


BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
    exp.DPipe: "||",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.And: "AND",
    exp.Or: "OR",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}

UNARY: dict[type[exp.Expr], str] = {exp.Not: "NOT", exp.Neg: "NEGATIVE"}

TYPES: dict[exp.DType, str] = {
    exp.DType.TEXT: "text",
    exp.DType.VARCHAR: "text",
    exp.DType.INT: "bigint",
    exp.DType.BIGINT: "bigint",
    exp.DType.FLOAT: "double",
    exp.DType.DOUBLE: "double",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp",
    exp.DType.TIMESTAMPTZ: "timestamp",
}

_CHILDREN: dict[type[exp.Expr], frozenset[str]] = {
    **dict.fromkeys(BINARY, frozenset({"this", "expression"})),
    **dict.fromkeys(UNARY, frozenset({"this"})),
    exp.Like: frozenset({"this", "expression", "negate"}),
    exp.ILike: frozenset({"this", "expression", "negate"}),
    exp.Paren: frozenset({"this"}),
    exp.Column: frozenset({"this"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: frozenset({"this"}),
    exp.Null: frozenset(),
    exp.Anonymous: frozenset({"this", "expressions"}),
    exp.Array: frozenset({"expressions"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Is: frozenset({"this", "expression"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe"}),
    exp.Extract: frozenset({"this", "expression"}),
    TypedConstant: frozenset({"this", "to"}),
}
"""What may be inside each construct; anything else that sqlglot found there is refused."""

_SETTINGS: dict[type[exp.Expr], set[str]] = {exp.DPipe: {"safe"}, exp.Div: {"typed", "safe"}}
"""What sqlglot notes about its dialect, not about the text."""

_REFUSED: dict[type[exp.Expr], str] = {
    exp.Window: "a window function (OVER) looks at other rows",
    exp.WithinGroup: "an aggregate (WITHIN GROUP) looks at other rows",
    exp.Filter: "an aggregate (FILTER) looks at other rows",
    exp.Distinct: "DISTINCT looks at other rows",
    exp.Order: "ORDER BY looks at other rows",
    exp.Query: "a subquery looks at other rows",
    exp.Exists: "a subquery looks at other rows",
    exp.Any: "a subquery looks at other rows",
    exp.All: "a subquery looks at other rows",
    exp.Star: "* is not one column",
    exp.Interval: "an INTERVAL can only be added to or taken from a time",
    exp.Array: "a list is not a value of a row",
    exp.Escape: "ESCAPE is not known",
}


_INSTEAD: dict[type[exp.Expr], str] = {
    exp.AtTimeZone: "AT TIME ZONE is not known; allowed: local_time(time, 'Europe/Berlin')",
    exp.RegexpLike: "this operator is not known; allowed: regexp_like(text, 'pattern')",
    exp.SimilarTo: "SIMILAR TO is not known; allowed: regexp_like(text, 'pattern')",
    exp.BitwiseXor: "^ is not known; allowed: pow(x, y)",
    exp.Bracket: "[] is not known; allowed: substr or split_part",
}
"""What to write for constructs of other dialects."""

CLOCK = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "sysdate"}
)
"""Names that are the time of the run in SQL, without parentheses or quotes."""


def _typed_constant(parser: _SqlParser, constant: exp.Expr, kind: exp.DataType) -> exp.Expr:  # noqa: ARG001
    return TypedConstant(this=constant, to=kind)


class RowSql(Dialect):
    """SQL expressions without any function that sqlglot would read as something else."""

    class Tokenizer(_SqlTokenizer):
        """Words and signs; `//` divides."""

        KEYWORDS = {**_SqlTokenizer.KEYWORDS, "//": _SqlTokenizer.KEYWORDS["DIV"]}  # noqa: RUF012

    class Parser(_SqlParser):
        """Grammar without functions but those that have a grammar of their own."""

        FUNCTIONS = {}  # noqa: RUF012
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: _SqlParser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "EXTRACT")
        }
        NO_PAREN_FUNCTIONS = {}  # noqa: RUF012
        NO_PAREN_FUNCTION_PARSERS = {  # noqa: RUF012
            "CASE": _SqlParser.NO_PAREN_FUNCTION_PARSERS["CASE"]
        }
        TYPE_LITERAL_PARSERS = dict.fromkeys(exp.DType, _typed_constant)


def check_known(node: exp.Expr) -> None:
    """Refuses a construct that is not in the tables, or has a part that is not.

    Raises:
        ExpressionError: It is refused; the text says why, or what to write instead.
    """
    at = place_of(node)
    allowed = _CHILDREN.get(type(node))
    if allowed is None:
        raise refused(node)
    for name, child in node.args.items():
        if name in allowed or name in _SETTINGS.get(type(node), ()) or not child:
            continue
        if isinstance(node, exp.Column):
            raise ExpressionError("a column name has a dot; allowed: in double quotes", at)
        raise refused(child if isinstance(child, exp.Expr) else node)


def refused(node: exp.Expr) -> ExpressionError:
    """Returns why a construct is refused."""
    at = place_of(node)
    for kind, reason in _REFUSED.items():
        if isinstance(node, kind):
            allowed = "allowed: functions and operators on the values of one row"
            return ExpressionError(f"{reason}; {allowed}", at)
    if type(node) in _INSTEAD:
        return ExpressionError(_INSTEAD[type(node)], at)
    return ExpressionError(
        f"the SQL construct {type(node).__name__} is not known; allowed: columns, constants, "
        "operators, CASE, CAST, EXTRACT and functions",
        at,
    )


def place_of(node: exp.Expr) -> int:
    """Returns where a construct begins, as far as sqlglot tells: at its first name or constant."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(starts, default=0)
