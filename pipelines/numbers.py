"""Numbers for people."""

from __future__ import annotations

import math


def short_number(value: float) -> str:
    """Returns a number with four digits: `0.01234`, `12,340`; from a billion on, `1.234e+09`."""
    short = f"{value:.4g}"
    return f"{float(short):,.0f}" if 1e3 <= abs(float(short)) < 1e9 else short


def percent(part: float) -> str:
    """Returns a part in percent with two digits or more: `0.012`, `1.2`, `1,200`; `8.3e-06`."""
    value = 100 * part
    if value >= 100 or value <= 0:
        return f"{value:,.0f}"
    if value < 0.001:
        return f"{value:.2g}"
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}"
