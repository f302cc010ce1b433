"""`python -m bench regression` finds the line that it makes slower."""

from bench.regression import LOOKUP, ROOT, TOKENISER


def test_the_lookup_is_in_the_tokeniser() -> None:
    assert (ROOT / TOKENISER).read_text("utf-8").count(LOOKUP) == 1
