"""A test of pytest-benchmark alone: `infperf compare` and `infperf history` read its saved runs."""

from shop.pricing import total


def test_total(benchmark):
    assert benchmark(total, [(250, 2)] * 1000, currency="USD") == 550_000
