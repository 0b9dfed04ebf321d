"""The identity of a plan: equal for equal releases, whoever plans them, when and where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

DIGITS = 6
"""Significant digits of floats in a hash."""


def plan_hash(plan: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a plan, in hexadecimal digits.

    It is that of `rounded_json`. What a plan holds (`pipelines.plan.json_values`) decides what it
    covers: all mechanisms, bounds, keys, metrics, expressions and post-processing, and the contents
    of public lists, lookups and baselines; no time, machine or folder.
    Of `expect` it covers the shares that follow from it.

    Args:
        plan: The plan as JSON values.

    Raises:
        ValueError: A number is infinite or NaN.
    """
    return sha256(rounded_json(plan)).hexdigest()


def rounded_json(value: Any) -> bytes:
    """Returns JSON values as bytes: UTF-8, keys sorted, no spaces, floats to 6 digits.

    It is not `canonical_json` of the ledger, which has each float exactly, and ASCII.

    Scales and prices come from a search over Fourier transforms, whose last digits differ between
    processors: about the tenth. To six significant digits they are nearly always the same, and
    noise that differs in the seventh is the same noise. Whole numbers and text are exact.

    Args:
        value: Mappings with text keys, lists, text, numbers, booleans, None.

    Raises:
        ValueError: A number is infinite or NaN.
    """
    text = json.dumps(
        rounded(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def rounded(value: Any) -> Any:
    """Returns JSON values with floats rounded to 6 significant digits."""
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case Mapping():
            return {key: rounded(part) for key, part in value.items()}
        case list() | tuple():
            return [rounded(part) for part in value]
        case _:
            return value
