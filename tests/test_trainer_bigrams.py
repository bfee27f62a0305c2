"""Counts of neighbours, and what the encoder is told of them: nothing that a row says of itself."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.bigrams import Bigrams, folds
from trainer.data import Ragged, Split
from trainer.encoder import Fit

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


def test_a_row_is_counted_for_the_other_fold_alone() -> None:
    """What a row says is not known where the row is read; pairs do not reach over rows."""
    counted = Bigrams.count(rows([1, 2, 1, 2], [3, 4], [3, 5]), np.array([0, 1, 1], np.uint8), CLASSES)
    assert seen(counted, 1) == {(0, 1): 2, (1, 0): 1}
    assert seen(counted, 0) == {(2, 3): 2}
    assert counted.single.tolist() == [[0, 0, 2, 2], [2, 2, 0, 0]]


@given(st.lists(st.lists(st.integers(1, 5), max_size=6), min_size=1, max_size=6), st.data())
def test_all_neighbours_are_counted_once(texts: list[list[int]], data: st.DataObject) -> None:
    """Against a plain count."""
    fold = data.draw(st.lists(st.integers(0, 1), min_size=len(texts), max_size=len(texts)))
    counted = Bigrams.count(rows(*texts), np.array(fold, np.uint8), CLASSES)
    for own in (0, 1):
        expected: dict[tuple[int, int], float] = {}
        for text, number in zip(texts, fold, strict=True):
            for pair in itertools.pairwise(text):
                if number != own:
                    key = (int(CLASSES[pair[0]]), int(CLASSES[pair[1]]))
                    expected[key] = expected.get(key, 0) + 1
        assert seen(counted, own) == expected


def test_rows_of_a_document_are_in_one_fold() -> None:
    """The fold follows from the document's name alone."""
    names = [f"d{i}" for i in range(40) for _ in range(2)]
    split = Split("train", pa.table({"document": names}))
    found = folds(split)
    assert (found[::2] == found[1::2]).all()
    assert 10 < found[::2].sum() < 30
    assert (folds(Split("test", pa.table({"document": names[::-1]}))) == found[::-1]).all()


def test_counts_are_what_they_were_when_they_are_read_again(tmp_path: Path) -> None:
    """Saved and loaded."""
    counted = Bigrams.count(rows([1, 2, 3]), np.zeros(1, np.uint8), CLASSES)
    counted.save(tmp_path / "bigrams.npz")
    again = Bigrams.load(tmp_path / "bigrams.npz")
    assert again.keys.tolist() == counted.keys.tolist()
    assert again.pairs.tolist() == counted.pairs.tolist()
    assert again.single.tolist() == counted.single.tolist()


@pytest.fixture
def fit() -> Fit:
    """Of a corpus in which 1 2 3 4 is said ten times, for readers of fold 1."""
    counted = Bigrams.count(rows(*[[1, 2, 3, 4]] * 10), np.zeros(10, np.uint8), CLASSES)
    return Fit(torch.from_numpy(CLASSES), counted, 8)


def association(fit: Fit, first: int, second: int, fold: int = 1) -> float:
    """Return how well one piece is followed by another."""
    return float(fit._association(fit.folded[torch.tensor([[first, second]])], torch.tensor([fold]), 1)[0, 0])


def test_association_is_the_smoothed_log_ratio_of_seen_and_expected(fit: Fit) -> None:
    """1 was followed by 2 ten times; 10 * 10 / 40 times would be chance. The other fold has no counts."""
    assert association(fit, 1, 2) == pytest.approx(np.log((10 + 2.5 + 0.05) / (5 + 0.05)))
    assert association(fit, 2, 1) == pytest.approx(np.log((2.5 + 0.05) / (5 + 0.05)))
    assert association(fit, 1, 2, fold=0) == 0
    assert association(fit, 0, 2) == association(fit, 1, 0) == 0


def test_what_was_put_in_gains_by_being_left_out(fit: Fit) -> None:
    """1 2 [1 4] 3 4: without the stretch in the middle all fits."""
    features = fit.features(torch.tensor([[1, 2, 1, 4, 3, 4]]), torch.tensor([1]))[0]
    left, right, gains = features[:, 0], features[:, 1], features[:, 2:]
    good, bad = association(fit, 1, 2) / 2, association(fit, 2, 1) / 2
    assert right.tolist() == pytest.approx([good, bad, bad, bad, good, 0])
    assert left.tolist() == pytest.approx([0, good, bad, bad, bad, good])
    assert gains[2:4, 1].tolist() == pytest.approx([good - 2 * bad] * 2)
    assert gains[2:4, 1].min() > gains[[0, 5], 1].max()
    assert int(gains[2].argmax()) == 1


def test_masked_words_fit_everything_alike(fit: Fit) -> None:
    """What a masked piece was cannot be told from the features around it."""
    features = fit.features(torch.tensor([[1, 0, 3, 4]]), torch.tensor([1]))[0]
    assert features[1, :2].tolist() == [0, 0]
    assert features[0, 1] == features[2, 0] == 0


def test_an_empty_corpus_says_nothing() -> None:
    """No counts, no error."""
    counted = Bigrams.count(rows([]), np.zeros(1, np.uint8), CLASSES)
    features = Fit(torch.from_numpy(CLASSES), counted, 8).features(torch.tensor([[1, 2, 3]]), torch.tensor([0]))
    assert features.abs().sum() == 0
