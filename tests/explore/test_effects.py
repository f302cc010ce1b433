"""Effects that were put into made-up outcomes are found, with their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infperf.explore.design import Factor, trials
from pytest_infperf.explore.effects import Effect, on_cpu_usage, on_response_time
from pytest_infperf.explore.store import Outcome

FACTORS = [Factor("users", (1, 4)), Factor("replicas", (1, 2)), Factor("cpu", (0.5, 1))]
NOTHING = 1.0


def outcomes(noise: float = 0.02, seed: int = 0, replicates: int = 3) -> list[Outcome]:
    """Four users take four times as long; twice the CPU halves that; replicas help only many
    users: by a factor of 1.5 each way from the middle."""
    draw = np.random.default_rng(seed)
    found = []
    for trial in trials(FACTORS, replicates, seed):
        users, replicas, cpu = (factor.coded(trial.setting[factor.name]) for factor in FACTORS)
        response = 0.1 * 4 ** (users / 2) * 2 ** (-cpu / 2) * 1.5 ** (-users * replicas / 2)
        response *= float(np.exp(draw.normal(0, noise)))
        cores = 0.6 + 0.2 * cpu + float(draw.normal(0, noise / 10))
        found.append(Outcome(trial.key, trial.replicate, trial.setting, response, cores))
    return found


def named(effects: list[Effect]) -> dict[str, Effect]:
    return {"*".join(effect.factors): effect for effect in effects}


def test_effects_and_interactions_on_response_time() -> None:
    fit = on_response_time(FACTORS, outcomes(), 0.99)
    assert fit is not None
    found = named(list(fit.effects))
    for name, truth in {"users": 4, "cpu": 1 / 2, "users*replicas": 1 / 1.5}.items():
        assert found[name].low <= truth <= found[name].high
        assert found[name].high / found[name].low < 1.1
        assert found[name].certain
    assert found["replicas"].low <= NOTHING <= found["replicas"].high
    assert fit.explained > 0.99


def test_intervals_hold_what_is_true_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        fit = on_response_time(FACTORS, outcomes(0.1, seed), 0.9)
        assert fit is not None
        effect = named(list(fit.effects))["users"]
        held += effect.low <= 4 <= effect.high
    assert 165 <= held <= 194


def test_differences_in_cores() -> None:
    fit = on_cpu_usage(FACTORS, outcomes(), 0.99)
    assert fit is not None
    found = named(list(fit.effects))
    assert found["cpu"].value == pytest.approx(0.4, abs=0.01)
    assert not found["users"].is_ratio
    assert abs(found["users"].value) < 0.01


def test_trials_that_failed_are_left_out() -> None:
    kept = outcomes()
    kept[0] = Outcome(kept[0].key, 0, kept[0].setting, failure="memory ran out")
    fit = on_response_time(FACTORS, kept, 0.95)
    assert fit is not None
    assert fit.n == len(kept) - 1


def test_half_a_design_has_no_interaction_that_looks_like_a_factor() -> None:
    keys = {trial.key for trial in trials(FACTORS, 3, 0, half=True)}
    kept = [outcome for outcome in outcomes() if outcome.key in keys]
    fit = on_response_time(FACTORS, kept, 0.95)
    assert fit is not None
    assert [effect.factors for effect in fit.effects] == [("users",), ("replicas",), ("cpu",)]


def test_a_level_that_never_answered_leaves_its_factor_untold() -> None:
    kept = [outcome for outcome in outcomes() if outcome.setting["cpu"] == 1]
    fit = on_response_time(FACTORS, kept, 0.95)
    assert fit is not None
    assert fit.untold == ["cpu"]
    assert ("users",) in [effect.factors for effect in fit.effects]


def test_few_outcomes_tell_no_pairs_and_fewer_tell_nothing() -> None:
    fit = on_response_time(FACTORS, outcomes(replicates=1)[:7], 0.95)
    assert fit is not None
    assert all(len(effect.factors) == 1 for effect in fit.effects)
    assert on_response_time(FACTORS, outcomes()[:3], 0.95) is None
