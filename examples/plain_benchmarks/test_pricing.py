"""A test that `pytest --infperf` measures, alone or against another revision."""

import pytest
from shop.pricing import total


@pytest.mark.parametrize("items", [10, 1000])
def test_total(infperf_benchmark, items):
    assert infperf_benchmark(total, [(250, 2)] * items, currency="USD") == 550 * items
