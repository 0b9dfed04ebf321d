"""The white list: all functions of expressions by name, and what is refused in their place."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from sqlglot import exp

from transforms.prepare.bins import BINS
from transforms.prepare.cells import CELLS
from transforms.prepare.dialects import HINTS
from transforms.prepare.emoji_text import EMOJI
from transforms.prepare.function import Function
from transforms.prepare.lookups import LOOKUP, LookupFile, LookupTable, lookup_function
from transforms.prepare.operators import CONDITIONS, OPERATORS
from transforms.prepare.scalars import NUMERIC, TEXTUAL
from transforms.prepare.times import TEMPORAL
from transforms.prepare.words import WORDS

_SYNONYMS = {
    "substring": "substr",
    "power": "pow",
    "ceiling": "ceil",
    "char_length": "length",
    "btrim": "trim",
}

_NAMED = (*CONDITIONS, *NUMERIC, *TEXTUAL, *TEMPORAL, *BINS, *EMOJI, *WORDS, *CELLS)

_ALL: dict[str, Function] = {function.name: function for function in (*OPERATORS, *_NAMED)}

NAMES = tuple(sorted({*(name for name in _ALL if name.islower()), LOOKUP, *_SYNONYMS}))
"""What may be written with parentheses."""

_VOLATILE = (
    *("random", "rand", "randn", "randint", "uuid", "gen_random_uuid", "generate_uuid", "now"),
    *("today", "getdate", "sysdate", "current_date", "current_time", "current_timestamp"),
    *("current_datetime", "localtime", "localtimestamp", "clock_timestamp", "unix_timestamp"),
    *("statement_timestamp", "transaction_timestamp", "utc_timestamp", "current_user"),
    *("curdate", "curtime", "sysdatetime", "sysdatetimeoffset", "systimestamp", "utc_date"),
    *("newid", "session_user", "user", "version", "nextval", "lastval", "setseed", "getenv"),
)

_OTHER_ROWS = (
    *("row_number", "rank", "dense_rank", "percent_rank", "ntile", "lag", "lead", "first_value"),
    *("last_value", "nth_value", "unnest", "explode", "generate_series", "implode"),
)


def functions(tables: Mapping[LookupFile, LookupTable]) -> dict[str, Function]:
    """Returns all functions and operators by name, with `lookup` in the given tables."""
    synonyms = {name: _ALL[meant] for name, meant in _SYNONYMS.items()}
    return {**_ALL, **synonyms, LOOKUP: lookup_function(tables)}


def unknown_function(name: str) -> str:
    """Returns why a function is refused, and what is allowed."""
    if name in _VOLATILE:
        return f"{name}() does not depend on the row alone; allowed: functions of one row"
    if name in _OTHER_ROWS or _is_aggregate(name):
        return f"{name}() looks at other rows; allowed: functions of one row"
    if name in HINTS:
        return f"no function {name!r}; allowed: {HINTS[name]}"
    close = get_close_matches(name, NAMES, n=1)
    if close:
        return f"no function {name!r}; did you mean {close[0]!r}?"
    return f"no function {name!r}; allowed: {', '.join(NAMES)}"


def _is_aggregate(name: str) -> bool:
    found = exp.FUNCTION_BY_NAME.get(name.upper())
    return (found is not None and issubclass(found, exp.AggFunc)) or name == "count"
