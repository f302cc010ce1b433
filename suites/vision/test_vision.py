"""Check every variant of image classification against the gates of thresholds.toml."""


def test_quality(variant):
    variant.quality(batch=100).check()


def test_latency(variant):
    variant.latency().check()


def test_throughput(variant):
    variant.throughput(batch=100).check()


def test_footprint(variant):
    variant.footprint().check()


def test_batch_sizes(variant):
    variant.sweep("batch").check()
