"""The best tree of each sentence: the maximum spanning arborescence with one root (Chu, Liu 1965; Edmonds 1967)."""

from dataclasses import dataclass

import numpy as np

from labelers.ragged import FloatArray, IntArray

__all__ = ["spanning_tree"]


def spanning_tree(scores: FloatArray) -> IntArray:
    """Return the head of each token in the tree with the highest sum of scores, int64 [n]; the root is its own head.

    Exactly one token is the root: what being a root scores is lowered by more than any tree can differ from another, so
    that the best tree has as few as it can (Stanojević, Cohen 2021).

    Args:
        scores: float [n, n]: of token j as the head of token i; on the diagonal, of i as the root.

    Example:
        >>> spanning_tree(np.array([[0.0, 2.0, 0.0], [1.0, 0.9, 0.0], [0.0, 1.0, 0.5]])).tolist()
        [1, 1, 1]
    """
    count = len(scores)
    if not count:
        return np.empty(0, np.int64)
    penalty = (count + 1) * (float(scores.max() - scores.min()) + 1)
    weights = np.full((count + 1, count + 1), -np.inf)
    weights[1:, 1:] = scores.T
    weights[0, 1:] = np.diagonal(scores) - penalty
    np.fill_diagonal(weights, -np.inf)
    heads = _arborescence(weights)[1:] - 1
    return np.where(heads < 0, np.arange(count), heads)


@dataclass(frozen=True)
class _Contraction:
    """A cycle that became one node, the last one, and how to undo it."""

    heads: IntArray
    """int64 [m]: the best head of each node before."""
    cycle: IntArray
    """The nodes of the cycle."""
    outside: IntArray
    """The nodes outside of it."""
    entered: IntArray
    """For each node outside, the node of the cycle whose head it is at best."""
    left: IntArray
    """For each node outside, the node of the cycle that is its head at best."""

    @classmethod
    def of(cls, weights: FloatArray, heads: IntArray, cycle: IntArray) -> tuple["_Contraction", FloatArray]:
        """Return the contraction of a cycle and the weights that remain."""
        outside = np.setdiff1d(np.arange(len(weights)), cycle)
        into = weights[np.ix_(outside, cycle)] - weights[heads[cycle], cycle]  # what breaking the cycle there gains
        out = weights[np.ix_(cycle, outside)]
        size = len(outside)
        small = np.full((size + 1, size + 1), -np.inf)
        small[:size, :size] = weights[np.ix_(outside, outside)]
        small[:size, size], small[size, :size] = into.max(axis=1), out.max(axis=0)
        return cls(heads, cycle, outside, cycle[into.argmax(axis=1)], cycle[out.argmax(axis=0)]), small

    def undone(self, solved: IntArray) -> IntArray:
        """Return the heads of the nodes before, by those of the nodes that remained."""
        heads, size = self.heads.copy(), len(self.outside)
        above = solved[:size]
        heads[self.outside] = np.where(above == size, self.left, np.append(self.outside, -1)[above])
        heads[self.entered[solved[size]]] = self.outside[solved[size]]
        return heads


def _arborescence(weights: FloatArray) -> IntArray:
    """Return the head of each node in the maximum spanning arborescence from node 0, int64 [m]; that of 0 is 0.

    Args:
        weights: float64 [m, m], of the arc from the first node to the second; -inf where there is none.
    """
    done: list[_Contraction] = []
    while True:
        heads = weights.argmax(axis=0)
        heads[0] = 0
        cycle = _cycle(heads)
        if not len(cycle):
            break
        step, weights = _Contraction.of(weights, heads, cycle)
        done.append(step)
    for step in reversed(done):
        heads = step.undone(heads)
    result: IntArray = heads
    return result


def _cycle(heads: IntArray) -> IntArray:
    """Return the nodes of one cycle among the heads, rising; none if all nodes lie below 0."""
    reached = heads
    for _ in range(len(heads).bit_length()):
        reached = reached[reached]
    looping = reached[reached > 0]
    if not len(looping):
        return np.empty(0, np.int64)
    nodes = [int(looping[0])]
    while (above := int(heads[nodes[-1]])) != nodes[0]:
        nodes.append(above)
    return np.sort(np.array(nodes, np.int64))
