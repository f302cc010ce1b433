"""thresholds.toml -> gates: what variants must meet on this host, and every mistake in the file."""

from pytest_infperf.thresholds.checking import SuiteFacts
from pytest_infperf.thresholds.parsing import parse, read
from pytest_infperf.thresholds.problems import Problem, ThresholdsError
from pytest_infperf.thresholds.sections import Policy
from pytest_infperf.thresholds.selection import Thresholds

__all__ = [
    "Policy",
    "Problem",
    "SuiteFacts",
    "Thresholds",
    "ThresholdsError",
    "parse",
    "read",
]
