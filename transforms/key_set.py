"""Sets of 128-bit identities that can be looked up many at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.hashing import Hash128


@dataclass(frozen=True)
class KeySet:
    """Distinct identities, sorted by their lower halves.

    Attributes:
        hashes: The identities, n of them.
        largest: Identities that share a lower half, at most.
    """

    hashes: Hash128
    largest: int

    @classmethod
    def of(cls, hashes: Hash128) -> KeySet:
        """Returns the set of some identities."""
        ordered = hashes.take(np.argsort(hashes.low))
        same = np.flatnonzero(ordered.low[1:] == ordered.low[:-1])
        largest = 1
        while len(same):
            largest += 1
            same = same[1:][np.diff(same) == 1]
        return cls(ordered, largest)

    def contains(self, wanted: Hash128) -> npt.NDArray[np.bool_]:
        """Returns whether each identity is in the set.

        They are looked up in the order of their lower halves, to go through memory once.

        Args:
            wanted: m identities.

        Returns:
            A mask, shape (m,).
        """
        order = np.argsort(wanted.low)
        low, high = wanted.low[order], wanted.high[order]
        first = np.searchsorted(self.hashes.low, low)
        found = np.zeros(len(wanted), np.bool_)
        for step in range(self.largest):
            position = first + step
            there = np.flatnonzero(position < len(self.hashes))
            at = position[there]
            same = (self.hashes.low[at] == low[there]) & (self.hashes.high[at] == high[there])
            found[there[same]] = True
        mask = np.empty(len(wanted), np.bool_)
        mask[order] = found
        return mask
