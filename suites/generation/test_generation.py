"""Check every variant of text generation against the gates of thresholds.toml."""


def test_quality(variant):
    variant.quality().check()


def test_latency(variant):
    variant.latency().check()


def test_throughput(variant):
    variant.throughput(batch=16).check()


def test_footprint(variant):
    variant.footprint().check()
