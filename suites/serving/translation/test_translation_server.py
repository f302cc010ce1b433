"""Check the servers of translation against the gates of thresholds.toml."""

import pytest


@pytest.mark.parametrize("users", [1, 4])
def test_closed_loop(variant, users):
    variant.load(f"users={users}").check()


def test_highest_rate(variant):
    variant.load("Server").check()


def test_all_it_takes(variant):
    variant.load("Offline").check()


def test_soak(variant, infperf):
    if not infperf.settings.full:
        pytest.skip("a soak loads the server for an hour: run with --infperf-full")
    variant.load("soak").check()
