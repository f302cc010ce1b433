"""Find the city that somebody meant: the same answer from two functions, one of them faster."""

from pytest_infperf import Custom, Function, Suite

suite = Suite(
    "search",
    task=Custom(data="search:queries", metrics=["accuracy"]),
    baseline="difflib",
    variants=[
        Function("search:with_difflib", id="difflib"),
        Function("search:with_trigrams", id="trigrams"),
    ],
)
