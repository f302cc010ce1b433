def test_quality(variant):
    variant.quality(batch=1).check()


def test_latency(variant):
    variant.latency().check()


def test_footprint(variant):
    variant.footprint().check()
