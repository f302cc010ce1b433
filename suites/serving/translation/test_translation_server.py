"""Check the servers of translation against the gates of thresholds.toml."""

import pytest

CLOSED_LOOPS_ONLY = ("onnx-int8", "onnx-fused", "rnn-onnx")
"""Variants whose highest rate and offline throughput are measured only with --infperf-full."""


@pytest.mark.parametrize("users", [1, 4])
def test_closed_loop(variant, users):
    variant.load(f"users={users}").check()


def test_highest_rate(variant, infperf):
    if variant.id in CLOSED_LOOPS_ONLY and not infperf.settings.full:
        pytest.skip("the highest rate of this variant takes long: run with --infperf-full")
    variant.load("Server").check()


def test_all_it_takes(variant, infperf):
    if variant.id in CLOSED_LOOPS_ONLY and not infperf.settings.full:
        pytest.skip("the Offline load of this variant takes long: run with --infperf-full")
    variant.load("Offline").check()


def test_soak(variant, infperf):
    if not infperf.settings.full:
        pytest.skip("a soak loads the server for an hour: run with --infperf-full")
    variant.load("soak").check()
