"""Names for the types of arrays that several modules pass to each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.integer]
"""Counts, or positions in another array, in whole numbers of any width."""

U64Array = npt.NDArray[np.uint64]
"""Halves of 128-bit hashes, and ranks made of them."""

Int64Array = npt.NDArray[np.int64]
"""Exact counts and sums."""

FloatArray = npt.NDArray[np.float64]
"""Numbers after noise, in the unit of what is released."""
