"""Compares JSON values that are stated with those that they should be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

CLOSE = 1e-6
"""Relative difference of floats that is none: processors differ in the last digits of a price."""

_NOTHING = object()


def mismatches(stated: Any, right: Any, place: str) -> Iterator[str]:
    """Yields a line for each value that is not what it should be.

    Args:
        stated: JSON values as they stand in a file.
        right: What they should be.
        place: Their place, for the lines.
    """
    if isinstance(stated, Mapping) and isinstance(right, Mapping):
        for key in dict.fromkeys([*stated, *right]):
            parts = stated.get(key, _NOTHING), right.get(key, _NOTHING)
            yield from mismatches(*parts, f"{place}.{key}")
    elif isinstance(stated, list) and isinstance(right, list):
        if len(stated) != len(right):
            yield f"{place} has {len(stated)} items; it should have {len(right)}"
            return
        for index, (one, other) in enumerate(zip(stated, right, strict=True)):
            yield from mismatches(one, other, f"{place}[{index}]")
    elif not _same(stated, right):
        yield f"{place} is {_text(stated)}; it should be {_text(right)}"


def _same(stated: Any, right: Any) -> bool:
    if _is_number(stated) and _is_number(right):
        return stated == right or (
            isinstance(stated, float | int)
            and float in (type(stated), type(right))
            and math.isclose(stated, right, rel_tol=CLOSE, abs_tol=1e-15)
        )
    return type(stated) is type(right) and bool(stated == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if value is _NOTHING:
        return "missing"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 200
