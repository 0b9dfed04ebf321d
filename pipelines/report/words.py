"""Keys and numbers as readers see them. Keys are anybody's text, and are shown, not obeyed."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

_NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?")

DASH = "\N{EN DASH}"
"""What stands where there is no number."""

MINUS = "\N{MINUS SIGN}"
"""The sign of negative numbers."""

LARGEST = 1e15
"""From here on numbers have exponents."""

OTHER = "(other)"
"""What stands for the keys of the row of other partitions."""

SEPARATOR = " · "
"""What stands between the keys of a row."""

NOTHING = "(null)"
"""What stands for a single null key."""

LONGEST = 160
"""Characters of a key that are shown."""

_MARKS = 4
"""Combining marks on one letter that are shown; more would run over other lines."""

_JOINERS = {0x200C, 0x200D, *range(0xE0020, 0xE0080)}
"""Format characters that belong to words, emoji and flags: joiners and tags."""


def visible(text: str, longest: int = LONGEST) -> str:
    """Returns a text with its control, direction and unassigned characters spelt out.

    Emoji sequences stay as they are. What is longer is cut.

    Args:
        text: Any text.
        longest: Characters that are shown.
    """
    shown = []
    marks = 0
    for character in text[: longest + 1]:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= _MARKS:
            shown.append(_visible(character, category))
    if len(text) > longest:
        shown[-1:] = "…"
    return "".join(shown)


def _visible(character: str, category: str) -> str:
    code = ord(character)
    hidden = category in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp") and code not in _JOINERS
    return f"[U+{code:04X}]" if hidden else character


def row_texts(names: Sequence[str], keys: Sequence[str | None], longest: int = 60) -> list[str]:
    """Returns the keys of a row as texts; mere numbers have their names before them.

    Args:
        names: Key columns.
        keys: Their texts in the row.
        longest: Characters of each that are shown.
    """
    if all(key is None for key in keys):
        return [OTHER]
    texts = [key_text(key, longest) for key in keys]
    if not all(map(_NUMBER.fullmatch, texts)):
        return texts
    return [f"{visible(name, longest)} {text}" for name, text in zip(names, texts, strict=True)]


def key_text(key: str | None, longest: int = LONGEST) -> str:
    """Returns one key as text."""
    if key is None:
        return NOTHING
    return visible(key, longest) if key.strip() else f"“{visible(key, longest)}”"


def fitting(texts: Sequence[str], pixels: float) -> str:
    """Returns visible texts as one line of a chart, at 13 pixels: long ones are cut alike.

    Vega cuts texts between the two halves of an emoji, which vl-convert cannot draw; so texts are
    cut before they get there.
    """
    room = pixels - _pixels(SEPARATOR) * (len(texts) - 1)
    left = len(texts)
    cut = {}
    for text in sorted(set(texts), key=_pixels):
        cut[text] = _cut(text, room / left)
        room -= texts.count(text) * _pixels(cut[text])
        left -= texts.count(text)
    return SEPARATOR.join(cut[text] for text in texts)


def _cut(text: str, pixels: float) -> str:
    width = 0.0
    for index, character in enumerate(text):
        width += _width(character)
        if width > pixels:
            return text[: max(0, index - 1)].rstrip("\N{ZERO WIDTH JOINER} ") + "…"
    return text


def _pixels(text: str) -> float:
    return sum(map(_width, text))


def _width(character: str) -> float:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(character) in "WF" or ord(character) > 0xFFFF:
        return 17
    return 10.5 if character.isupper() else 8


def digits_of(error: float, value: float = 0.0) -> int:
    """Returns the digits behind the point, or negative zeros before it, that an error justifies.

    They show the first two digits of the error; of whole numbers none is behind the point.

    Args:
        error: Standard deviation or half width of an interval.
        value: What it is the error of.
    """
    digits = 1 - math.floor(math.log10(error)) if 0 < error < math.inf else 0
    return min(0, digits) if isinstance(value, int) else digits


def number_text(value: float, digits: int = 4) -> str:
    """Returns a number as all pages write it: `31,740`, `0.0123`; from 10^15 on `1.2e+15`.

    Thousands are set apart, and the sign of negative numbers is a minus sign, not a hyphen.

    Args:
        value: The number.
        digits: Digits that are shown before zeros, at most 15.
    """
    if not math.isfinite(value):
        return "unbounded"
    return f"{float(f'{value:.{digits}g}'):,.15g}".replace("-", MINUS)


def with_digits(value: float, digits: int) -> str:
    """Returns a number with so many digits behind the point, or rounded to so many zeros."""
    if not math.isfinite(value):
        return "unbounded"
    if digits > 9:
        return number_text(value, 3)
    rounded = round(value, digits)
    if abs(rounded) >= LARGEST:
        return number_text(value)
    return f"{rounded if rounded else 0.0:,.{max(0, digits)}f}".replace("-", MINUS)


def error_text(error: float) -> str:
    """Returns a standard deviation or a half width with its first two digits: `33,000`, `0.50`."""
    return with_digits(error, digits_of(error))


def number_with_error(value: float | None, low: float | None, high: float | None) -> str:
    """Returns a number with its 95 % interval: `3,890 ± 120`, or `3.1 (2.8 to 4.0)`.

    Both are rounded to the second digit of the error, whole numbers to whole numbers. The first
    form stands where the number is in the middle of its interval.
    """
    if value is None or math.isnan(value):
        return DASH
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return number_text(value)
    half_width = (high - low) / 2
    if half_width == 0:
        return number_text(value)
    digits = digits_of(half_width, value)
    shown = with_digits(value, digits)
    if abs((low + high) / 2 - value) > half_width / 10 or math.isinf(half_width):
        return f"{shown} ({with_digits(low, digits)} to {with_digits(high, digits)})"
    return f"{shown} ± {with_digits(half_width, digits)}"


def file_size(size: int) -> str:
    """Returns a number of bytes for people."""
    if size < 1000:
        return f"{size} B"
    if size < 999_500:
        return f"{size / 1e3:.3g} kB"
    return f"{size / 1e6:.3g} MB" if size < 999_500_000 else f"{size / 1e9:,.1f} GB"
