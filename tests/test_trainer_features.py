"""What the encoder is told of a piece by looking around it, and that nothing hidden comes through."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_trainer_bigrams import CLASSES, rows
from torch import Tensor

from trainer.encoders.bigrams import Bigrams
from trainer.encoders.features import FEATURES, SubwordFeatures

EQUAL, REPEATED, COUNTED, FITTED = slice(0, 32), slice(32, 56), slice(56, 66), slice(66, 76)


@pytest.fixture
def cues() -> SubwordFeatures:
    """Of a corpus in which 1 2 3 4 is said ten times, for readers of fold 1."""
    return SubwordFeatures(CLASSES, Bigrams.count([(rows(*[[1, 2, 3, 4]] * 10), np.zeros(10, np.uint8))], CLASSES))


def read(cues: SubwordFeatures, *pieces: int, fold: int = 1) -> Tensor:
    """Return the cues of one row, [L, FEATURES]."""
    found: Tensor = cues(torch.tensor([pieces]), torch.tensor([fold]))[0]
    assert found.shape == (len(pieces), FEATURES)
    return found


def association(cues: SubwordFeatures, first: int, second: int, fold: int = 1) -> float:
    """Return how well one piece is followed by another."""
    return 2 * float(read(cues, first, second, fold=fold)[0, COUNTED][1])


def test_association_is_the_smoothed_log_ratio_of_seen_and_expected(cues: SubwordFeatures) -> None:
    """1 was followed by 2 ten times; 10 * 10 / 40 times would be chance. The fold that was counted has no others."""
    assert association(cues, 1, 2) == pytest.approx(np.log((10 + 2.5 + 0.05) / (5 + 0.05)))
    assert association(cues, 2, 1) == pytest.approx(np.log((2.5 + 0.05) / (5 + 0.05)))
    assert association(cues, 1, 2, fold=0) == 0
    assert association(cues, 0, 2) == association(cues, 1, 0) == 0


@pytest.mark.parametrize("kind", [COUNTED, FITTED])
def test_what_was_put_in_gains_by_being_left_out(cues: SubwordFeatures, kind: slice) -> None:
    """1 2 [1 4] 3 4: without the stretch in the middle all fits."""
    found = read(cues, 1, 2, 1, 4, 3, 4)[:, kind]
    left, right, gains = found[:, 0], found[:, 1], found[:, 2:]
    good, bad = (float(read(cues, *pair)[0, kind][1]) for pair in ((1, 2), (2, 1)))
    assert good > bad
    assert right.tolist() == pytest.approx([good, bad, bad, bad, good, 0], abs=1e-6)
    assert left.tolist() == pytest.approx([0, good, bad, bad, bad, good], abs=1e-6)
    assert gains[2:4, 1].tolist() == pytest.approx([good - 2 * bad] * 2, abs=1e-6)
    assert gains[2:4, 1].min() > gains[[0, 5], 1].max()
    assert int(gains[2].argmax()) == 1


def test_a_masked_piece_equals_nothing_and_fits_all_alike(cues: SubwordFeatures) -> None:
    """What it was cannot be told from the cues around it; nor does one masked piece equal another."""
    found = read(cues, 1, 0, 0, 3, 4)
    for place in (1, 2):
        assert found[place, EQUAL].abs().sum() == found[place, REPEATED].abs().sum() == 0
        assert found[place, COUNTED][:2].abs().sum() == found[place, FITTED][:2].abs().sum() == 0
        assert found[place, -1] == 0
    assert found[0, COUNTED][1] == found[3, COUNTED][0] == 0
    assert found[0, FITTED][1] == found[3, FITTED][0] == 0


def test_an_empty_corpus_says_nothing_of_fit() -> None:
    """No counts, no error."""
    none = SubwordFeatures(CLASSES, Bigrams.count([(rows([]), np.zeros(1, np.uint8))], CLASSES))
    assert read(none, 1, 2, 3, fold=0).abs().sum() == 0


def test_equal_pieces_near_by_are_seen_whatever_their_case(cues: SubwordFeatures) -> None:
    """Special pieces equal nothing, not even each other."""
    found = read(cues, 4, 0, 5, 1, 0)[:, EQUAL]
    reach = found.shape[1] // 2
    assert found.sum() == 2
    assert found[0, reach + 1] == 1  # the piece two behind the first
    assert found[2, reach - 2] == 1


def test_a_stretch_that_is_said_again_at_once_is_known_in_both_copies(cues: SubwordFeatures) -> None:
    """1 2 1 2 3: two pieces twice; 3 is in none. What stands further away, or lacks a piece, is no copy."""
    found = read(cues, 1, 2, 1, 2, 3)[:, REPEATED]
    first, second = found[:, 0::2], found[:, 1::2]
    assert first[:, 1].tolist() == [1, 1, 0, 0, 0]
    assert second[:, 1].tolist() == [0, 0, 1, 1, 0]
    assert first.sum() == second.sum() == 2
    assert read(cues, 1, 2, 3, 1, 2)[:, REPEATED].sum() == 0
    assert read(cues, 1, 2, 3, 1, 2, 4)[:, REPEATED].sum() == 0
    assert read(cues, 0, 0)[:, REPEATED].sum() == 0


def test_padding_changes_nothing(cues: SubwordFeatures) -> None:
    """The cues of a row are those of the row alone."""
    alone = read(cues, 1, 2, 1, 4, 3)
    assert torch.equal(read(cues, 1, 2, 1, 4, 3, 0, 0)[:5], alone)
