"""Draws: pure functions of their address, uniform, and independent of one another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labelers.draws import Draws, mix
from labelers.passages import row_keys

DRAWS = Draws(seed=0, labeler="test", version=1)
KEYS = row_keys([f"d/{i}" for i in range(20_000)])
MASK = 2**64 - 1


def unmix(z: int) -> int:
    """Undo `mix` step by step, in plain integers."""
    z ^= (z >> 31) ^ (z >> 62)
    z = z * pow(0x94D049BB133111EB, -1, 2**64) & MASK
    z ^= (z >> 27) ^ (z >> 54)
    z = z * pow(0xBF58476D1CE4E5B9, -1, 2**64) & MASK
    z ^= (z >> 30) ^ (z >> 60)
    return (z - 0x9E3779B97F4A7C15) & MASK


def test_mix_gives_the_published_sequence() -> None:
    """The first outputs of SplitMix64 seeded with 1234567, as published with its reference implementation."""
    states = (1234567 + np.arange(5, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert mix(states).tolist() == expected


@given(st.lists(st.integers(0, MASK), min_size=1))
def test_mix_is_a_bijection(values: list[int]) -> None:
    """Every value can be had back, so no two keys ever fall together."""
    assert [unmix(int(z)) for z in mix(np.array(values, np.uint64))] == values


def test_an_address_has_one_value_for_ever() -> None:
    """Golden values: a change here changes every dataset."""
    keys = row_keys(["a/0", "b/0"])
    assert keys.tolist() == [5896990226851556301, 2906848561586552193]
    assert DRAWS.bits("p", keys, 1).tolist() == [16550758952356839384, 4552169587196762264]


@pytest.mark.parametrize(
    "other",
    [Draws(1, "test", 1), Draws(0, "tess", 1), Draws(0, "test", 2)],
    ids=["seed", "labeler", "version"],
)
def test_each_part_of_the_address_counts(other: Draws) -> None:
    """Seed, labeler, version, purpose, key and index each move all draws."""
    base = DRAWS.bits("p", KEYS, 0)
    assert not (base == other.bits("p", KEYS, 0)).any()
    assert not (base == DRAWS.bits("q", KEYS, 0)).any()
    assert not (base == DRAWS.bits("p", KEYS, 1)).any()
    assert len(np.unique(base)) == len(KEYS)


def test_parts_of_the_address_cannot_flow_together() -> None:
    """Labeler "a" with version 11 is not labeler "a1" with version 1."""
    keys = KEYS[:1]
    assert Draws(0, "a", 11).bits("p", keys) != Draws(0, "a1", 1).bits("p", keys)


def test_indices_broadcast_against_keys() -> None:
    """A column of keys and a row of indices give a table, each cell as if drawn alone."""
    table = DRAWS.bits("p", KEYS[:3, None], np.arange(4))
    assert table.shape == (3, 4)
    assert table[2, 3] == DRAWS.bits("p", KEYS[2:3], 3)[0]


@pytest.mark.parametrize("over", ["keys", "indices"])
def test_uniform_is_uniform(over: str) -> None:
    """Kolmogorov and Smirnov find nothing, over the rows and over the indices of one row."""
    values = DRAWS.uniform("u", KEYS) if over == "keys" else DRAWS.uniform("u", KEYS[:1], np.arange(20_000))
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 0.001


def test_neighbouring_indices_and_purposes_are_uncorrelated() -> None:
    """The ranks of draws beside each other do not agree."""
    first = DRAWS.uniform("u", KEYS, 0)
    for other in (DRAWS.uniform("u", KEYS, 1), DRAWS.uniform("v", KEYS, 0), first[::-1]):
        assert stats.spearmanr(first, other).pvalue > 0.001


@pytest.mark.parametrize("high", [2, 3, 7, 100])
def test_integers_are_uniform(high: int) -> None:
    """Each of the numbers below the bound is drawn equally often."""
    drawn = DRAWS.integers("i", KEYS, high)
    counts = np.bincount(drawn, minlength=high)
    assert len(counts) == high
    assert stats.chisquare(counts).pvalue > 0.001


@given(st.integers(1, 2**53), st.integers(0, 1000))
def test_integers_stay_below_their_bound(high: int, index: int) -> None:
    """Whatever the bound, also one that no float64 product keeps exact."""
    drawn = DRAWS.integers("i", KEYS[:100], high, index)
    assert drawn.min() >= 0
    assert drawn.max() < high


def test_integers_take_a_bound_for_each_key() -> None:
    """A bound of 0 gives 0, so rows without a choice need no mask."""
    assert DRAWS.integers("i", KEYS[:3], np.array([0, 1, 0])).tolist() == [0, 0, 0]


def test_bytes_are_uniform() -> None:
    """All 256 values are drawn equally often."""
    drawn = DRAWS.bytes("b", KEYS)
    assert drawn.dtype == np.uint8
    assert stats.chisquare(np.bincount(drawn, minlength=256)).pvalue > 0.001
