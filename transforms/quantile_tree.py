"""Quantiles from a tree of noisy counts.

The leaves of the tree are the values of a grid; a node counts the rows in its leaves. Each row is
counted once on each of the h levels below the root. Every node gets noise of its own; a search
looks at the children of the nodes on its way only, and draws their noise then. All searches of one
partition see the same noisy counts. That is the same as drawing all nodes and publishing what was
looked at (A. Smith, *Privacy-preserving statistical estimation with optimal convergence rates*,
2011; google/differential-privacy, *Computing quantiles with a tree*).

Intervals are made for partitions with many more rows than the noise moves ranks by. With fewer than
about 3 standard deviations of the rank (`TreeShape.rank_std`), or 10 for ranks near 0 and 1, they
hold the exact quantile in less than 95 % of releases: in 74 % at worst, in simulations of rows that
are spread evenly, all equal, or exponential.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import FloatArray, Int64Array, U64Array
from transforms.intervals import Z95

AddNoise = Callable[[Int64Array], Int64Array]


@dataclass(frozen=True)
class TreeShape:
    """A tree over leaves 0, 1, ..., leaves - 1.

    Attributes:
        leaves: Number of leaves.
        branching: Children of a node.
        height: Levels below the root.
    """

    leaves: int
    branching: int
    height: int

    @classmethod
    def of(cls, leaves: int) -> TreeShape:
        """Returns the shape with the smallest error of a rank (`rank_std`), up to its scale.

        With Gaussian noise, the noise of a node grows as sqrt(h) with the levels.
        """
        shapes = (cls(leaves, _root_up(leaves, height), height) for height in range(1, 25))
        return min(shapes, key=lambda shape: shape.rank_std(math.sqrt(shape.height)))

    def rank_std(self, node_std: float) -> float:
        """Returns about the standard deviation of the rank of a search's result, in rows.

        On each level, with b children of which a share f is before the rank, the running total
        less f times the whole has the variance b f (1 - f) of a node's, at most b / 4; and the
        share itself is off by the noise of one node.
        """
        return node_std * math.sqrt(self.height * (self.branching / 4 + 1))


@dataclass(frozen=True)
class LeafCounts:
    """Exact counts of leaves, m of them, of p partitions.

    Attributes:
        partition: Index of the partition, shape (m,).
        leaf: The leaf, shape (m,).
        count: Rows in it, shape (m,).
        partitions: p.
    """

    partition: Int64Array
    leaf: U64Array
    count: Int64Array
    partitions: int


@dataclass(frozen=True)
class Found:
    """Leaves found for r ranks in p partitions, shapes (p, r).

    Attributes:
        leaf: The quantile.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    leaf: Int64Array
    low: Int64Array
    high: Int64Array


def search(
    counts: LeafCounts,
    ranks: tuple[float, ...],
    shape: TreeShape,
    node_std: float,
    add_noise: AddNoise,
) -> Found:
    """Finds the leaves at ranks of each partition. Every call draws anew.

    In each node, the children's noisy counts are added up until the share of the rank is reached;
    the search goes on in that child. Where they add up to nothing, the middle of the node is all
    that is known. The interval is what is found at the rank less and plus 1.96 times its standard
    deviation. Noise makes the running total go down and up again, so that it may reach the share
    several times, above all where there are few rows: the upper end is where it does so last.

    Args:
        counts: Exact counts.
        ranks: Shares of the rows below the quantiles, each from 0 to 1.
        shape: The tree.
        node_std: Standard deviation of the noise of one node.
        add_noise: Returns integers with the noise of one node added to each.

    Returns:
        The leaves.
    """
    searches = 3 * len(ranks)
    partition = np.repeat(np.arange(counts.partitions), searches)
    node = np.zeros(len(partition), np.int64)
    share = np.zeros(len(partition))
    result = np.full(len(partition), -1, np.int64)
    for level in range(1, shape.height + 1):
        open_ = np.flatnonzero(result < 0)
        width = shape.branching ** (shape.height - level)
        parents, parent = np.unique(
            np.stack([partition[open_], node[open_]]), axis=1, return_inverse=True
        )
        noisy = _noisy_children(counts, parents, shape, width, add_noise)
        running = np.cumsum(noisy, axis=1)
        whole = running[:, -1]
        if level == 1:
            share = _shares(whole, ranks, shape.rank_std(node_std)).ravel()
        unknown = whole[parent] <= 0
        stuck = open_[unknown]
        result[stuck] = _anywhere(node[stuck], stuck % 3, width * shape.branching, shape.leaves)
        going, parent = open_[~unknown], parent[~unknown]
        target = share[going] * whole[parent]
        child = np.argmax(running[parent] >= target[:, None], axis=1)
        upper = np.flatnonzero(going % 3 == 2)
        before_target = (running - noisy)[parent[upper]] < target[upper, None]
        child[upper] = shape.branching - 1 - np.argmax(before_target[:, ::-1], axis=1)
        mass = noisy[parent, child]
        before = running[parent, child] - mass
        inside = np.divide(target - before, mass, out=np.zeros(len(target)), where=mass > 0)
        share[going] = np.clip(inside, 0, 1)
        node[going] = node[going] * shape.branching + child
    found = np.where(result < 0, node, result).reshape(counts.partitions, len(ranks), 3)
    leaf = found[:, :, 0]
    return Found(leaf, np.minimum(found[:, :, 1], leaf), np.maximum(found[:, :, 2], leaf))


def _shares(whole: Int64Array, ranks: tuple[float, ...], rank_std: float) -> FloatArray:
    """Returns the shares that are looked for: per partition and rank, itself, low and high.

    The number of rows is noisy itself; it is taken to be a standard deviation smaller than it
    looks, which makes intervals wider where there are few.
    """
    wanted = np.asarray(ranks, np.float64)
    half_width = (Z95 * rank_std / np.maximum(whole - rank_std, 1))[:, None]
    middle = np.broadcast_to(wanted, (len(whole), len(ranks)))
    return np.stack(
        [middle, np.clip(wanted - half_width, 0, 1), np.clip(wanted + half_width, 0, 1)], axis=2
    )


def _noisy_children(
    counts: LeafCounts,
    parents: Int64Array,
    shape: TreeShape,
    width: int,
    add_noise: AddNoise,
) -> Int64Array:
    """Returns the noisy counts of the children of nodes; 0 for children without a leaf.

    Args:
        counts: Exact counts.
        parents: Partitions and nodes, shape (2, u).
        shape: The tree.
        width: Leaves of a child.
        add_noise: Returns integers with noise.
    """
    nodes = -(-shape.leaves // width)
    children = parents[1][:, None] * shape.branching + np.arange(shape.branching)
    exact = _sums(
        counts.partition * nodes + (counts.leaf // np.uint64(width)).astype(np.int64),
        counts.count,
        (parents[0][:, None] * nodes + np.minimum(children, nodes - 1)).ravel(),
    ).reshape(children.shape)
    there = children < nodes
    noisy = np.zeros(children.shape, np.int64)
    noisy[there] = add_noise(exact[there])
    return noisy


def _sums(numbers: Int64Array, counts: Int64Array, wanted: Int64Array) -> Int64Array:
    """Returns the sum of the counts of each wanted number, shape of `wanted`."""
    known, code = np.unique(numbers, return_inverse=True)
    sums = np.zeros(len(known) + 1, np.int64)
    np.add.at(sums, code, counts)
    place = np.searchsorted(known, wanted)
    found = np.append(known, -1)[place] == wanted
    return np.where(found, sums[place], 0)


def _anywhere(
    node: Int64Array, kind: npt.NDArray[np.integer], width: int, leaves: int
) -> Int64Array:
    """Returns the middle, the first or the last leaf of nodes, for a search of each kind."""
    first = np.minimum(node * width, leaves - 1)
    last = np.minimum(first + width - 1, leaves - 1)
    return np.choose(kind, [(first + last) // 2, first, last])


def _root_up(value: int, degree: int) -> int:
    """Returns the smallest whole number of at least 2 whose power is at least the value."""
    root = max(2, math.floor(math.pow(value, 1 / degree)) - 1)
    while root**degree < value:
        root += 1
    return root
