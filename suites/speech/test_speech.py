"""Check every variant of speech recognition against the gates of thresholds.toml.

A query is one utterance, as it arrives from a microphone.
"""

import pytest


def test_quality(variant):
    variant.quality(batch=1).check()


def test_latency(variant):
    variant.latency().check()


def test_throughput(variant):
    variant.throughput(batch=1).check()


def test_footprint(variant):
    variant.footprint(batch=1).check()


def test_study_protocol(variant, infperf):
    if not infperf.settings.full:
        pytest.skip(
            "the study's 300 and 100 trials take minutes per variant: run with --infperf-full"
        )
    variant.protocol("deepspeech2-300x100").check()


def test_utterance_lengths(variant):
    variant.sweep("length").check()
