"""The plan of an epoch: a pure function, rows without replacement, buckets of like length, the shares asked for."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.schedule.samplers import Annealed, Proportional, Uniform
from trainer.schedule.step_plan import StepPlan

LENGTHS = (np.arange(10, 50), np.arange(10, 130) % 37 + 3)
PLAN = StepPlan(seed=3, lengths=LENGTHS, sampler=Proportional(), epochs=3, rows=16, bucket=4, window=4)


def test_an_epoch_is_a_pure_function_of_its_number() -> None:
    """The same from a plan that was asked for others before, and from one that was not."""
    PLAN.epoch(0)
    fresh = dataclasses.replace(PLAN)
    assert (PLAN.epoch(2).rows == fresh.epoch(2).rows).all()
    assert (PLAN.epoch(2).streams == fresh.epoch(2).streams).all()
    assert (PLAN.epoch(1).streams != PLAN.epoch(2).streams).any()


def test_another_seed_is_another_plan() -> None:
    """Everything drawn depends on the seed."""
    other = dataclasses.replace(PLAN, seed=4)
    assert (other._order(0, 0, 40) != PLAN._order(0, 0, 40)).any()
    assert (other._streams(0) != PLAN._streams(0)).any()
    assert (PLAN._streams(1) != PLAN._streams(0)).any()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_rows_follow_a_permutation_without_replacement_across_epochs(first: int, second: int, seed: int) -> None:
    """At any time no row of a stream was drawn twice as often as another plus one."""
    lengths = np.ones(first, int), np.ones(second, int)
    plan = StepPlan(seed, lengths, Uniform(), 3, rows=8, bucket=4, window=2)
    for stream, size in enumerate((first, second)):
        drawn = [plan.epoch(e).rows[plan.epoch(e).streams == stream] for e in range(3)]
        count = np.bincount(np.concatenate(drawn), minlength=size)
        assert count.max() - count.min() <= 1


def test_an_epoch_serves_as_many_rows_as_there_are() -> None:
    """160 rows in steps of 16; an own number of steps replaces it."""
    assert PLAN.length == len(PLAN.epoch(0).rows) == 10
    assert dataclasses.replace(PLAN, steps=7).length == 7


def test_buckets_hold_rows_of_like_length() -> None:
    """Within a window of steps, buckets are cut from sorted rows, so that little is padded."""
    lengths = np.array(
        [LENGTHS[s][r] for s, r in zip(PLAN.epoch(0).streams.flat, PLAN.epoch(0).rows.flat, strict=True)]
    )
    lengths = lengths.reshape(PLAN.epoch(0).rows.shape)
    spread = (lengths.max(-1) - lengths.min(-1)).mean()
    assert spread < np.abs(np.diff(lengths.reshape(-1))).mean()
    for window in np.split(lengths[:8], 2):
        ranges = sorted((bucket.min(), bucket.max()) for bucket in window.reshape(-1, 4))
        assert all(a[1] <= b[0] for a, b in pairwise(ranges))


def test_steps_hold_the_expected_number_of_rows_of_each_stream() -> None:
    """What the losses are divided by is what is drawn on average."""
    plan = dataclasses.replace(PLAN, sampler=Uniform(), steps=2000)
    epoch = plan.epoch(0)
    drawn = np.bincount(epoch.streams.reshape(-1).astype(int)) / 2000
    assert epoch.expected.tolist() == [8.0, 8.0]
    assert drawn == pytest.approx(epoch.expected, rel=0.03)


def test_every_phase_draws_anew() -> None:
    """Streams, rows and buckets of its first epoch are not those of another phase's."""
    other = dataclasses.replace(PLAN, number=1)
    assert (other._streams(0) != PLAN._streams(0)).any()
    assert (other._order(0, 0, 40) != PLAN._order(0, 0, 40)).any()
    assert sorted(other._order(0, 0, 40)) == list(range(40))


def test_an_epoch_behind_those_that_there_were_to_be_is_as_the_last_one() -> None:
    """Tokens decide how many there are, and the number that annealed sampling knows is an estimate."""
    plan = dataclasses.replace(PLAN, sampler=Annealed())
    assert plan.shares(0).tolist() == [0.25, 0.75]
    assert plan.shares(2)[0] == pytest.approx(40**0.2 / (40**0.2 + 120**0.2))
    assert (plan.shares(5) == plan.shares(2)).all()


def test_primary_and_one_fill_half_a_step_each() -> None:
    """Every step holds the primary and exactly one other stream."""
    plan = dataclasses.replace(PLAN, lengths=(*LENGTHS, np.ones(30, int)), primary=1)
    epoch = plan.epoch(0)
    others = set()
    for streams in epoch.streams.reshape(len(epoch.streams), -1):
        assert (streams == 1).sum() == 8
        others |= (found := set(streams.tolist()) - {1})
        assert len(found) == 1
    assert others == {0, 2}
    assert epoch.expected.tolist() == pytest.approx([8 * 40 / 70, 8, 8 * 30 / 70])
