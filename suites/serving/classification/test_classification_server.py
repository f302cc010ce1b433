"""Check the servers of classification against the gates of thresholds.toml."""

import pytest


@pytest.mark.parametrize("users", [1, 2])
def test_closed_loop(variant, users):
    variant.load(f"users={users}").check()


def test_protocol_of_the_study(variant, infperf):
    if not infperf.settings.full:
        pytest.skip("720 requests, one after the other: run with --infperf-full")
    variant.load("SingleStream-60x12:listings").check()


def test_highest_rate(variant):
    variant.load("Server").check()


def test_soak(variant, infperf):
    if not infperf.settings.full:
        pytest.skip("a soak loads the server for an hour: run with --infperf-full")
    variant.load("soak").check()
