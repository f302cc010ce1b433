"""Check every variant of generated text against the limits of thresholds.toml."""


def test_quality(variant):
    variant.quality(batch=16).check()


def test_latency(variant):
    variant.latency().check()


def test_throughput(variant):
    variant.throughput(batch=16).check()


def test_footprint(variant):
    variant.footprint(batch=16).check()
