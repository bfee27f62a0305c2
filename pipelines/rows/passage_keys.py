"""Which passages are equal: a key for each, and how many stand in more than one document of a dataset."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelers.passages import PassageBatch, row_keys
from labelers.ragged import IntArray, ranges
from pipelines.folder.layout import STATS, Folder, keys_name

__all__ = ["PassageKeys", "equal_keys", "equal_passages", "passage_keys", "read_keys", "row_passage_keys"]

PassageKeys = npt.NDArray[np.uint64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: the golden ratio in 64 bits
_SECOND = np.uint64(0xBF58476D1CE4E5B9)  # odd: what stands in one text counts otherwise than in the other
_PART_KEYS = 16_000_000  # passage keys that are compared at a time: 128 MB, and as much again while they are sorted
_MOST_PARTS = 512  # files that are open at once


def passage_keys(batch: PassageBatch) -> PassageKeys:
    """Return a uint64 for each distinct passage of each document: equal where the tokens of both its texts are.

    Example:
        >>> from labelers.text.segmenter import read_texts
        >>> len(passage_keys(read_texts(["A word.", "A word."]))), len(set(passage_keys(read_texts(["A.", "A."]))))
        (2, 1)
    """
    keys = row_passage_keys(batch)
    changes = (before != name for before, name in pairwise(batch.documents))
    document = np.cumsum(np.fromiter(chain([False], changes), bool, len(batch)))
    order = np.lexsort((keys, document))
    document, keys = document[order], keys[order]
    again = np.concatenate([[False], (document[1:] == document[:-1]) & (keys[1:] == keys[:-1])])
    distinct: PassageKeys = keys[~again]
    return distinct


def row_passage_keys(batch: PassageBatch) -> PassageKeys:
    """Return a uint64 for each passage, equal where the tokens of both its texts are."""
    digests = batch.vocabulary.property(row_keys)
    keys = _sums(digests[batch.codes], batch.offsets)
    if batch.second is not None:
        keys += _SECOND * _sums(digests[batch.second.codes], batch.second.offsets)
    return keys


def _sums(digests: PassageKeys, offsets: IntArray) -> PassageKeys:
    """Return a uint64 for each row of ragged digests, 0 for one without any."""
    lengths = np.diff(offsets)
    powers = np.cumprod(np.full(int(lengths.max(initial=0)), _BASE, np.uint64))
    sums = np.zeros(len(digests) + 1, np.uint64)
    np.cumsum(digests * powers[ranges(np.zeros_like(lengths), lengths)], out=sums[1:])
    found: PassageKeys = sums[offsets[1:]] - sums[offsets[:-1]]
    return found


def equal_passages(folder: Folder, units: int, *, part_keys: int = _PART_KEYS) -> dict[str, int]:
    """Return how many passages stand in more than one document, and how many rows repeat one of another document.

    Args:
        folder: of the dataset.
        units: how many have left the keys of their passages, sorted uint64.
        part_keys: keys that are compared at a time; with more of them, each file is divided once, on the local disk.
    """
    sizes = folder.sizes(STATS)
    total = sum(sizes[keys_name(unit).partition("/")[2]] for unit in range(units)) // 8
    distinct = repeated = 0
    for keys in _parts(folder, units, total, part_keys):
        found = equal_keys(keys)
        distinct, repeated = distinct + found["passages"], repeated + found["repeats"]
    return {"passages": distinct, "repeats": repeated}


def equal_keys(keys: PassageKeys) -> dict[str, int]:
    """Sort keys, and return how many are there more than once, and how many repeat another.

    Example:
        >>> equal_keys(np.array([7, 3, 7, 7], np.uint64))
        {'passages': 1, 'repeats': 2}
    """
    keys.sort()
    again = keys[1:] == keys[:-1]
    distinct = int(np.count_nonzero(again[:1])) + int(np.count_nonzero(again[1:] & ~again[:-1]))
    return {"passages": distinct, "repeats": int(np.count_nonzero(again))}


def _parts(folder: Folder, units: int, total: int, part_keys: int) -> Iterator[PassageKeys]:
    """Yield the keys of all units in parts: equal ones stand in the same part."""
    parts = min(max(1, -(-total // part_keys)), _MOST_PARTS)
    if parts == 1:
        keys, place = np.empty(total, np.uint64), 0
        for unit in range(units):
            own = read_keys(folder, unit)
            keys[place : place + len(own)] = own
            place += len(own)
        yield keys
        return
    bounds = np.arange(1, parts, dtype=np.uint64) * np.uint64((1 << 64) // parts)
    with tempfile.TemporaryDirectory(prefix="auxloom-keys-") as scratch:
        paths = [Path(scratch, f"{part}.keys") for part in range(parts)]
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("wb")) for path in paths]
            for unit in range(units):
                own = read_keys(folder, unit)
                cuts = [0, *np.searchsorted(own, bounds).tolist(), len(own)]
                for file, start, stop in zip(files, cuts, cuts[1:], strict=False):
                    file.write(own[start:stop].tobytes())
        for path in paths:
            yield np.fromfile(path, np.uint64)
            path.unlink()


def read_keys(folder: Folder, unit: int) -> PassageKeys:
    """Return the passage keys of a unit."""
    return np.frombuffer(folder.read(keys_name(unit)), "<u8").astype(np.uint64, copy=False)
