"""Known effects in simulated outcomes are estimated, with their intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_infperf.explore.design import Factor, trials
from pytest_infperf.explore.effects import Effect, cpu_usage_effects, response_time_effects
from pytest_infperf.explore.page import effect_tables, page
from pytest_infperf.explore.store import Outcome

FACTORS = [Factor("users", (1, 4)), Factor("replicas", (1, 2)), Factor("cpu", (0.5, 1))]
NO_EFFECT = 1.0


def outcomes(noise: float = 0.02, seed: int = 0, replicates: int = 3) -> list[Outcome]:
    """Return outcomes where four users take four times as long, and twice the CPU halves the time.

    Replicas help many users only: by a factor of 1.5 each way from the middle.
    """
    draw = np.random.default_rng(seed)
    made = []
    for trial in trials(FACTORS, replicates, seed):
        users, replicas, cpu = (factor.coded(trial.setting[factor.name]) for factor in FACTORS)
        response = 0.1 * 4 ** (users / 2) * 2 ** (-cpu / 2) * 1.5 ** (-users * replicas / 2)
        response *= float(np.exp(draw.normal(0, noise)))
        cores = 0.6 + 0.2 * cpu + float(draw.normal(0, noise / 10))
        made.append(Outcome(trial.key, trial.replicate, trial.setting, response, cores))
    return made


def named(effects: list[Effect]) -> dict[str, Effect]:
    return {"*".join(effect.factors): effect for effect in effects}


def test_effects_and_interactions_on_response_time() -> None:
    estimates = response_time_effects(FACTORS, outcomes(), 0.99)
    assert estimates is not None
    effects = named(list(estimates.effects))
    for name, truth in {"users": 4, "cpu": 1 / 2, "users*replicas": 1 / 1.5}.items():
        assert effects[name].low <= truth <= effects[name].high
        assert effects[name].high / effects[name].low < 1.1
        assert effects[name].is_significant
    assert effects["replicas"].low <= NO_EFFECT <= effects["replicas"].high
    assert estimates.r_squared > 0.99


def test_intervals_hold_the_true_effect_as_often_as_their_confidence() -> None:
    held = 0
    for seed in range(200):
        estimates = response_time_effects(FACTORS, outcomes(0.1, seed), 0.9)
        assert estimates is not None
        effect = named(list(estimates.effects))["users"]
        held += effect.low <= 4 <= effect.high
    assert 165 <= held <= 194


def test_differences_in_cores() -> None:
    estimates = cpu_usage_effects(FACTORS, outcomes(), 0.99)
    assert estimates is not None
    effects = named(list(estimates.effects))
    assert effects["cpu"].value == pytest.approx(0.4, abs=0.01)
    assert not effects["users"].is_ratio
    assert abs(effects["users"].value) < 0.01


def test_energy_is_a_response_where_there_is_one() -> None:
    """An outcome of another host has estimated energy, which is not mixed with counters."""
    counted = [
        replace(
            o, energy_per_request_j=30 * (o.response_s or 0), estimated_energy_per_request_j=None
        )
        for o in outcomes()
    ]
    counted[0] = replace(
        counted[0], energy_per_request_j=None, estimated_energy_per_request_j=900.0
    )
    tables = {table.title: table for table in effect_tables(FACTORS, counted, 0.99)}
    energy = tables["energy per request, of the whole host"]
    assert energy.note.startswith(f"{len(counted) - 1} trials, ")
    assert energy.rows == effect_tables(FACTORS, counted[1:], 0.99)[0].rows
    assert "too few" in tables["estimated energy per request, of the whole host"].note
    assert "Energy per request against users" in page("echo", FACTORS, counted, [energy])
    assert [table.title for table in effect_tables(FACTORS, outcomes(), 0.99)] == list(tables)[:2]


def test_trials_that_failed_are_left_out() -> None:
    kept = outcomes()
    kept[0] = Outcome(kept[0].key, 0, kept[0].setting, failure="memory ran out")
    estimates = response_time_effects(FACTORS, kept, 0.95)
    assert estimates is not None
    assert estimates.n == len(kept) - 1


def test_half_a_design_has_no_interaction_that_is_confounded_with_a_factor() -> None:
    keys = {trial.key for trial in trials(FACTORS, 3, 0, half=True)}
    kept = [outcome for outcome in outcomes() if outcome.key in keys]
    estimates = response_time_effects(FACTORS, kept, 0.95)
    assert estimates is not None
    assert [effect.factors for effect in estimates.effects] == [("users",), ("replicas",), ("cpu",)]


def test_a_factor_with_one_answered_level_is_not_estimable() -> None:
    kept = [outcome for outcome in outcomes() if outcome.setting["cpu"] == 1]
    estimates = response_time_effects(FACTORS, kept, 0.95)
    assert estimates is not None
    assert estimates.not_estimable == ["cpu"]
    assert ("users",) in [effect.factors for effect in estimates.effects]


def test_few_outcomes_give_no_pairs_and_fewer_give_no_estimates() -> None:
    estimates = response_time_effects(FACTORS, outcomes(replicates=1)[:7], 0.95)
    assert estimates is not None
    assert all(len(effect.factors) == 1 for effect in estimates.effects)
    assert response_time_effects(FACTORS, outcomes()[:3], 0.95) is None
