"""Token types as numbers, and what is known of each type, computed once for the lifetime of a process."""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelers.ragged import IntArray

__all__ = ["Derived", "Growing", "Property", "Vocabulary"]

Property = Callable[[Sequence[str]], npt.NDArray[Any]]
"""What depends on a token's form alone: texts -> one value for each."""

Derived = Callable[["Vocabulary", slice], npt.NDArray[Any]]
"""What follows from other properties of a type: (vocabulary, codes of the new types) -> one value for each of these."""


class Growing:
    """An array that values are added to at the end, at a cost that does not rise with its size.

    Example:
        >>> growing = Growing(np.int64)
        >>> growing.add(np.array([3, 4]))
        >>> growing.values
        array([3, 4])
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        """Start with no values."""
        self._room = np.empty(0, dtype)
        self.values = self._room
        """A view of all values, up to the next `add`."""

    def add(self, new: npt.NDArray[Any]) -> None:
        """Add values."""
        done, size = len(self.values), len(self.values) + len(new)
        if size > len(self._room):
            self._room = _grown(self.values, len(new), self._room.dtype)
        self._room[done:size] = new
        self.values = self._room[:size]


class Vocabulary:
    """The token types that this process has met, and what is known of each.

    Codes follow the order in which types were met, so nothing that ends in a dataset may depend on them. A property
    is computed once per type and gathered: ``vocabulary.property(form_flags)[batch.codes]``.

    Example:
        >>> vocabulary = Vocabulary()
        >>> codes = vocabulary.encode(["a", "b", "a"])
        >>> codes.tolist(), vocabulary.strings(codes).to_pylist()
        ([0, 1, 0], ['a', 'b', 'a'])
    """

    def __init__(self) -> None:
        """Start with no types."""
        self._codes: dict[str, int] = {}
        self.texts: list[str] = []
        self._known: dict[Property | Derived, tuple[int, npt.NDArray[Any]]] = {}
        self._arrow = pa.array([], pa.string())

    def __len__(self) -> int:
        """Return the number of types."""
        return len(self.texts)

    def code(self, text: str) -> int:
        """Return the code of one text, new or known."""
        code = self._codes.setdefault(text, len(self.texts))
        if code == len(self.texts):
            self.texts.append(text)
        return code

    def find(self, text: str) -> int:
        """Return the code of a text, -1 where it was never met."""
        return self._codes.get(text, -1)

    def encode(self, texts: Iterable[str]) -> IntArray:
        """Return the codes of the texts, int64 of the same length."""
        texts = list(texts)
        codes = np.fromiter(map(self._codes.get, texts, repeat(-1)), np.int64, len(texts))
        for place in np.flatnonzero(codes < 0).tolist():
            codes[place] = self.code(texts[place])
        return codes

    def encode_arrow(self, texts: pa.Array | pa.ChunkedArray) -> IntArray:
        """Return the codes of an Arrow string array, asking the dictionary once per distinct value."""
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        coded = texts.dictionary_encode()
        indices: IntArray = coded.indices.to_numpy(zero_copy_only=False)
        return self.encode(coded.dictionary.to_pylist())[indices]

    def strings(self, codes: IntArray) -> pa.StringArray:
        """Return the texts of the codes as a canonical Arrow string array."""
        if int(codes.max(initial=-1)) >= len(self._arrow):
            new = pa.array(self.texts[len(self._arrow) :], pa.string())
            self._arrow = pa.concat_arrays([self._arrow, new])
        return self._arrow.take(pa.array(codes))

    def property(self, make: Property) -> npt.NDArray[Any]:
        """Return ``make(texts)``'s value for every type, computing only those of types that it has not seen before.

        ``make`` must be hashable and equal to itself over time: a module's function, or a frozen dataclass with
        ``__call__``.
        """
        return self._values(make, lambda new: make(self.texts[new]))

    def derived(self, make: Derived) -> npt.NDArray[Any]:
        """Return the value of every type as `property` does, of a ``make`` that asks the vocabulary for more.

        It is given the vocabulary and which codes are new, reads their ``texts[new]`` or other properties of theirs
        (``vocabulary.property(shape)[new]``), and may add types.
        """
        return self._values(make, lambda new: make(self, new))

    def _values(self, key: Property | Derived, make: Callable[[slice], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the value of every type; ``make`` is called with the codes of those that have none yet."""
        done, values = self._known.get(key) or (0, make(slice(0, 0)))  # of the right dtype without a type, too
        while done < len(self):
            new = make(slice(done, len(self)))
            dtype = np.result_type(values, new) if done else new.dtype  # a longer text or a larger number may come late
            fits = done + len(new) <= len(values) and dtype == values.dtype
            grown = values if fits else _grown(values[:done], len(new), dtype)
            grown[done : done + len(new)] = new
            done, values = done + len(new), grown
            self._known[key] = (done, values)
        return values[: len(self)]

    def recode(self, codes: IntArray, change: Callable[[str], str]) -> IntArray:
        """Return the codes of ``change(text)`` for each code, calling it once per distinct type."""
        distinct, inverse = np.unique(codes, return_inverse=True)
        return self.encode(change(self.texts[code]) for code in distinct)[inverse]


def _grown(values: npt.NDArray[Any], added: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a copy of the values as ``dtype``, with room for so many more and as many again."""
    room: npt.NDArray[Any] = np.empty(2 * (len(values) + added), dtype)
    room[: len(values)] = values
    return room
