"""Check the servers of MNIST against the gates of thresholds.toml."""

import pytest


def test_closed_loop(variant):
    variant.load("users=1").check()


def test_thousand_requests(variant, infperf):
    if not infperf.settings.full:
        pytest.skip("the study's 1,000 tests: run with --infperf-full")
    variant.load("SingleStream-1000").check()
