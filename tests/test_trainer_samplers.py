"""The samplers, against the values that their papers' formulas give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.schedule.samplers import Annealed, DynamicTemperature, Proportional, Temperature, Uniform, sampler
from trainer.settings import Settings

N = (1000, 9000)


@pytest.mark.parametrize(("alpha", "first"), [(1, 0.1), (2, 0.25), (5, 0.3919)])
def test_temperature_flattens_the_shares(alpha: float, first: float) -> None:
    """p_t is proportional to n_t ** (1 / alpha)."""
    assert Temperature(alpha).shares(N, 1, 1) == pytest.approx([first, 1 - first], abs=5e-5)


@pytest.mark.parametrize(("epoch", "first"), list(enumerate([0.1, 0.1471, 0.2111, 0.2934, 0.3919], 1)))
def test_annealed_shares_of_five_epochs(epoch: int, first: float) -> None:
    """The exponent falls from 1 to 0.2 over the epochs."""
    assert Annealed().shares(N, epoch, 5)[0] == pytest.approx(first, abs=5e-5)


def test_annealed_is_proportional_in_a_single_epoch() -> None:
    """One epoch has no course, and no division by zero."""
    assert Annealed().shares(N, 1, 1).tolist() == Proportional().shares(N, 1, 1).tolist()


def test_dynamic_temperature_rises_to_its_last_value() -> None:
    """T(k) of (1, 5, 5)."""
    assert [DynamicTemperature().temperature(k) for k in range(1, 8)] == pytest.approx([1, 1.8, 2.6, 3.4, 4.2, 5, 5])


def test_dynamic_temperature_tempers_by_its_epoch() -> None:
    """The first epoch is proportional, the sixth that of temperature 5."""
    assert DynamicTemperature().shares(N, 1, 9) == pytest.approx([0.1, 0.9])
    assert DynamicTemperature().shares(N, 6, 9)[0] == pytest.approx(0.3919, abs=5e-5)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=8), st.integers(1, 9))
def test_shares_are_a_distribution_between_proportional_and_uniform(n: list[int], epoch: int) -> None:
    """Every sampler gives shares that sum to one, and no task less than the proportional sampler gives the largest."""
    for item in (Proportional(), Uniform(), Temperature(3), Annealed(), DynamicTemperature()):
        shares = item.shares(n, epoch, 9)
        assert shares.sum() == pytest.approx(1)
        assert (shares > 0).all()
        assert (np.argsort(shares[np.argsort(n)], kind="stable") == np.arange(len(n))).all()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("auto", Proportional),
        ("proportional", Proportional),
        ("uniform", Uniform),
        ("temperature", Temperature),
        ("annealed", Annealed),
        ("dynamic", DynamicTemperature),
    ],
)
def test_settings_name_a_sampler(name: str, kind: type) -> None:
    """Each name of the settings is a sampler."""
    assert isinstance(sampler(Settings.model_validate({"sampler": name})), kind)
