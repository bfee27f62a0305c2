"""How the labels of two tasks are distributed, and how much one says about the other: numbers of counts, no text.

The entropy and the kurtosis of label counts are those that Martínez Alonso and Plank (2017) and Kochkina et al. (2018)
compared with gains; the similarity of tagged texts is that of Schröder and Biemann (2020).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelers.ragged import IntArray

__all__ = ["Information", "TaggedWords", "entropy", "kurtosis", "similarity"]

Floats = npt.NDArray[np.float64]


def entropy(counts: Floats) -> float:
    """Return the entropy of a distribution in bits.

    Example:
        >>> entropy(np.array([2.0, 1.0, 1.0, 0.0]))
        1.5
    """
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def kurtosis(counts: Floats) -> float | None:
    """Return the excess kurtosis of the counts, as SciPy has it by default; None where all are equal.

    Example:
        >>> kurtosis(np.array([1.0, 1.0, 1.0, 9.0])), kurtosis(np.array([3.0, 3.0]))
        (-0.6666666666666665, None)
    """
    about = counts - counts.mean() if len(counts) else counts
    second = float((about**2).mean()) if len(counts) else 0.0
    return float((about**4).mean() / second**2 - 3) if second > 0 else None


@dataclass(frozen=True)
class Information:
    """What the rows of a table reveal about its columns: mutual information, in three scales from 0 to 1.

    Example:
        >>> found = Information.of(np.array([[3.0, 0, 0, 0], [2, 0, 0, 0], [2, 0, 0, 0], [3, 2, 2, 2]]))
        >>> round(found.by_sum, 6), round(found.by_joint, 6), round(found.by_larger, 6)
        (0.272107, 0.157479, 0.262252)
    """

    by_joint: float
    """Divided by the entropy of both together."""
    by_sum: float
    """Divided by the mean of both entropies."""
    by_larger: float
    """Divided by the larger entropy."""

    @classmethod
    def of(cls, table: Floats) -> "Information":
        """Return those of a table of counts or weights; a constant reveals nothing, so it is 0."""
        rows, columns, joint = entropy(table.sum(axis=1)), entropy(table.sum(axis=0)), entropy(table.ravel())
        mutual = max(rows + columns - joint, 0.0)
        scales = (joint, (rows + columns) / 2, max(rows, columns))
        return cls(*(mutual / scale if scale > 0 else 0.0 for scale in scales))


@dataclass(frozen=True)
class TaggedWords:
    """How often each word of a text has each label.

    Example:
        >>> a = TaggedWords(np.array([[1.0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]))
        >>> b = TaggedWords(np.array([[1.0, 0], [0, 2], [0, 0], [0, 1]]))
        >>> {name: round(value, 6) for name, value in similarity(a, b).items()}
        {'nmi': 0.207519, 'nmi_add': 0.207519, 'shared_vocabulary': 0.5, 'text_overlap': 0.293305}
    """

    counts: Floats
    """float64 [V, L]; of two texts over the same words."""

    @classmethod
    def of(cls, words: IntArray, labels: IntArray, size: tuple[int, int]) -> "TaggedWords":
        """Count words and labels that go together, given the numbers of both."""
        flat = np.bincount(words * size[1] + labels, minlength=size[0] * size[1])
        return cls(flat.reshape(size).astype(np.float64))

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Tell which words occur, bool [V]."""
        found: npt.NDArray[np.bool_] = self.counts.sum(axis=1) > 0
        return found

    @property
    def rates(self) -> Floats:
        """Return the share of each label among the occurrences of each word, float64 [V, L]."""
        total = self.counts.sum(axis=1, keepdims=True)
        rates: Floats = np.divide(self.counts, total, out=np.zeros_like(self.counts), where=total > 0)
        return rates


def similarity(one: TaggedWords, other: TaggedWords) -> dict[str, float]:
    """Return how alike the labels of the same words are in two texts.

    ``nmi`` weighs each shared word alike (the variant mul-iwf of Schröder and Biemann), ``nmi_add`` by its
    occurrences (add-iwf), both divided by the joint entropy; ``shared_vocabulary`` is the share of words that both
    have, and ``text_overlap`` its harmonic mean with ``nmi``.
    """
    both, either = one.known & other.known, one.known | other.known
    a, b = TaggedWords(one.counts[both]), TaggedWords(other.counts[both])
    nmi = Information.of(a.rates.T @ b.rates).by_joint
    added = Information.of(a.counts.T @ b.rates + a.rates.T @ b.counts).by_joint
    shared = float(both.sum() / max(either.sum(), 1))
    overlap = 2 * nmi * shared / (nmi + shared) if nmi + shared > 0 else 0.0
    return {"nmi": nmi, "nmi_add": added, "shared_vocabulary": shared, "text_overlap": overlap}
