"""Moves what is below zero to zero."""

from __future__ import annotations

import math

import polars as pl

from transforms.mechanisms import NoiseKind
from transforms.table import released_columns


def clamp_at_zero(frame: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Moves the values of a metric and the ends of their intervals from below zero to zero.

    A value before noise that cannot be negative is in the interval after the step if it was in it
    before, so intervals stay valid. The value itself becomes too large on average: see
    `clamp_bias`. `_std` stays that of the noise, from which the value deviates less now.

    Args:
        frame: A released table.
        metric: A metric that is not negative before noise.

    Returns:
        The table.
    """
    value, _, low, high = released_columns(metric)
    return frame.with_columns(pl.col(value, low, high).clip(lower_bound=0))


def clamp_bias(noise: NoiseKind, std: float, value: float = 0.0) -> float:
    """Returns by how much clamping at zero raises a number on average.

    It is E[max(0, v + X)] - v for noise X: b exp(-v / b) / 2 for Laplace noise of diversity b =
    std / sqrt(2), and s phi(v / s) - v Phi(-v / s) for Gaussian noise of standard deviation s, with
    phi and Phi the standard normal density and distribution. At v = 0, where it is largest, that is
    0.354 and 0.399 standard deviations.

    Args:
        noise: Distribution of the noise.
        std: Its standard deviation.
        value: The value before noise, 0 or more, in the same unit.
    """
    if noise == "laplace":
        diversity = std / math.sqrt(2)
        return diversity / 2 * math.exp(-value / diversity)
    z = value / std
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return std * density - value * math.erfc(z / math.sqrt(2)) / 2
