"""The settings of a design, and their order."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.explore.design import Factor, trials

USERS, CPU, MEMORY = (
    Factor("users", (1, 4)),
    Factor("cpu", (0.5, 1)),
    Factor("memory", (1e9, 2e9)),
)


def test_every_setting_once_a_replicate_in_another_order() -> None:
    planned = trials([USERS, Factor("payload", (1, 4, 16))], 2, seed=0)
    settings = [tuple(trial.setting.items()) for trial in planned]
    assert Counter(settings[:6]) == Counter(settings[6:])
    assert len(set(settings)) == 6
    assert settings[:6] != settings[6:]
    assert [trial.replicate for trial in planned] == [0] * 6 + [1] * 6
    assert len({trial.key for trial in planned}) == 12


def test_the_order_is_that_of_the_seed() -> None:
    def keys(seed: int) -> list[str]:
        return [trial.key for trial in trials([USERS, CPU, MEMORY], 2, seed)]

    assert keys(1) == keys(1) != keys(2)


def test_half_a_design_is_balanced() -> None:
    planned = trials([USERS, CPU, MEMORY], 1, seed=0, half=True)
    assert len(planned) == 4
    for factor in (USERS, CPU, MEMORY):
        counts = Counter(trial.setting[factor.name] for trial in planned)
        assert set(counts.values()) == {2}


def test_half_takes_factors_of_two_levels() -> None:
    with pytest.raises(UserError, match="three or more factors, each with two levels"):
        trials([USERS, CPU], 1, 0, half=True)


def test_levels_are_coded_by_their_logarithm() -> None:
    factor = Factor("users", (1, 4, 16))
    assert [factor.coded(level) for level in factor.levels] == pytest.approx([-1, 0, 1])


def test_levels_of_a_linear_factor_may_be_0() -> None:
    factor = Factor("delay", (0, 5, 20), linear=True)
    assert [factor.coded(level) for level in factor.levels] == pytest.approx([-1, -0.5, 1])


def test_fixed_parameters_are_part_of_every_setting() -> None:
    planned = trials([USERS], 1, seed=0, fixed={"payload": 8})
    assert sorted(trial.key for trial in planned) == ["0:payload=8,users=1", "0:payload=8,users=4"]


@pytest.mark.parametrize("levels", [(1,), (2, 1), (1, 1), (0, 1)])
def test_levels_that_no_effect_can_be_estimated_from(levels: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="levels"):
        Factor("users", levels)
