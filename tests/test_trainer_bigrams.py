"""Counts of neighbours: nothing that a row says of itself."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelers.ragged import Ragged
from trainer.data.dataset import Split
from trainer.encoders.bigrams import Bigrams, folds

CLASSES = np.array([-1, 0, 1, 2, 3, 3])
"""Pieces 1 to 5 of four classes; piece 0 is special."""


def rows(*pieces: list[int]) -> Ragged:
    """Return rows of pieces."""
    return Ragged.of(np.array([len(row) for row in pieces]), np.array([p for row in pieces for p in row], np.int64))


def seen(bigrams: Bigrams, fold: int) -> dict[tuple[int, int], float]:
    """Return the counts for a fold, those that are not zero."""
    size = bigrams.single.shape[1]
    pairs = zip(bigrams.keys.tolist(), bigrams.pairs[fold].tolist(), strict=True)
    return {divmod(key, size): count for key, count in pairs if count}


def test_a_row_is_counted_for_the_other_folds_alone() -> None:
    """What a row says is not known where the row is read; pairs do not reach over rows."""
    counted = Bigrams.count([(rows([1, 2, 1, 2], [3, 4], [3, 5]), np.array([0, 1, 1], np.uint8))], CLASSES)
    assert seen(counted, 1) == {(0, 1): 2, (1, 0): 1}
    assert seen(counted, 0) == {(2, 3): 2}
    assert seen(counted, 2) == {(0, 1): 2, (1, 0): 1, (2, 3): 2}
    assert counted.single[:3].tolist() == [[0, 0, 2, 2], [2, 2, 0, 0], [2, 2, 2, 2]]


@given(st.lists(st.lists(st.integers(1, 5), max_size=6), min_size=1, max_size=6), st.data())
def test_all_neighbours_are_counted_once(texts: list[list[int]], data: st.DataObject) -> None:
    """Against a plain count."""
    fold = data.draw(st.lists(st.integers(0, 7), min_size=len(texts), max_size=len(texts)))
    counted = Bigrams.count([(rows(*texts), np.array(fold, np.uint8))], CLASSES)
    for own in (0, 3, 7):
        expected: dict[tuple[int, int], float] = {}
        for text, number in zip(texts, fold, strict=True):
            for pair in itertools.pairwise(text):
                if number != own:
                    key = (int(CLASSES[pair[0]]), int(CLASSES[pair[1]]))
                    expected[key] = expected.get(key, 0) + 1
        assert seen(counted, own) == expected


def test_rows_of_a_document_are_in_one_fold() -> None:
    """The fold follows from the document's name alone, and folds are about equally large."""
    names = [f"d{i}" for i in range(400) for _ in range(2)]
    split = Split("train", pa.table({"document": names}))
    found = folds(split)
    assert (found[::2] == found[1::2]).all()
    assert np.bincount(found[::2], minlength=8).min() > 25
    assert (folds(Split("test", pa.table({"document": names[::-1]}))) == found[::-1]).all()


def test_the_low_rank_fit_is_the_association_where_the_rank_is_full() -> None:
    """A vocabulary of four has rank four: the product of both sides is log((n + 1/2) / (e + 1/2)), and 0 if unseen."""
    counted = Bigrams.count([(rows(*[[1, 2, 3, 4]] * 10), np.zeros(10, np.uint8))], CLASSES)
    expected = np.zeros((4, 4))
    expected[[0, 1, 2], [1, 2, 3]] = np.log(10.5 / 3.0)  # 10 * 10 / 40 times would be chance
    assert counted.left[1] @ counted.right[1].T == pytest.approx(expected, abs=1e-5)


def test_the_low_rank_fit_knows_nothing_of_the_rows_own_fold() -> None:
    """A pair that only the documents of one fold hold fits for all readers but those."""
    texts = rows(*[[1, 2]] * 10, *[[3, 4]] * 10)
    counted = Bigrams.count([(texts, np.repeat([0, 1], 10).astype(np.uint8))], CLASSES)
    fits = np.einsum("fvr,fwr->fvw", counted.left, counted.right)
    assert fits[1, 2, 3] == pytest.approx(0, abs=1e-5)
    assert fits[0, 0, 1] == pytest.approx(0, abs=1e-5)
    assert min(fits[0, 2, 3], fits[1, 0, 1]) > 0.5


def test_the_low_rank_fit_is_the_same_every_time() -> None:
    """Its start is drawn from a seed of its own."""
    texts = rows(*np.random.default_rng(0).integers(1, 6, (50, 9)).tolist())
    one, other = (Bigrams.count([(texts, np.zeros(50, np.uint8))], CLASSES) for _ in range(2))
    assert one.left.tolist() == other.left.tolist()


def test_counts_are_what_they_were_when_they_are_read_again(tmp_path: Path) -> None:
    """Saved and loaded; the counts stay on the disk, for they are large, and every step needs few of them."""
    counted = Bigrams.count([(rows([1, 2, 3]), np.zeros(1, np.uint8))], CLASSES)
    counted.save(tmp_path / "bigrams.npz")
    again = Bigrams.load(tmp_path / "bigrams.npz")
    for name in ("keys", "pairs", "single", "left", "right"):
        assert getattr(again, name).tolist() == getattr(counted, name).tolist()
        assert isinstance(getattr(again, name).base, np.memmap)
