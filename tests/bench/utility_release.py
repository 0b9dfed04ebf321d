"""What both systems of the utility benchmark return: the released partitions of one draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from utility_cases import METRICS


@dataclass(frozen=True)
class Released:
    """One draw of a release of p partitions.

    Attributes:
        kept: Whether each partition is released, shape (p,).
        values: Released numbers, 0 where nothing is released, shape (3, p) as in `METRICS`.
    """

    kept: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float64]


def nothing_released(partitions: int) -> Released:
    """Returns a draw in which no partition is released."""
    return Released(np.zeros(partitions, bool), np.zeros((len(METRICS), partitions)))
