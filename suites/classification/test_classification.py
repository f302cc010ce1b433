"""Check every variant of text classification against the gates of thresholds.toml."""

import pytest


def test_quality(variant):
    variant.quality(batch=8).check()


def test_latency(variant):
    variant.latency().check()


def test_throughput(variant):
    variant.throughput(batch=8).check()


def test_footprint(variant):
    variant.footprint(batch=8).check()


def test_study_protocol(variant, infperf):
    if not infperf.settings.full:
        pytest.skip("the study's 720 requests take minutes per variant: run with --infperf-full")
    variant.protocol("jmeter-60x12").check()


def test_sequence_lengths(variant):
    variant.sweep("length").check()
