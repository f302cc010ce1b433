"""thresholds.toml -> gates: the limits that variants must meet on this host.

The modules follow the data:

- `parsing` converts the text of the file to `Thresholds`, and `section_parser` converts its tables
  to the dataclasses of `sections`. They report every mistake that can be found without the suites.
- `checking` compares the sections with the collected suites: unknown names, gates that no test
  measures, percentiles that the budget cannot resolve.
- `thresholds` selects the limits that apply to a variant on a host, `resolving` converts them to
  the units of their measures; the result is a list of gates (`gate`).
- `problems`, `location`, `toml_lines` and `wording` make the error messages: file, line, key,
  mistake and remedy.
- `rendering` writes sections as TOML.
"""

from pytest_infperf.thresholds.checking import SuiteFacts
from pytest_infperf.thresholds.parsing import parse, read
from pytest_infperf.thresholds.problems import Problem, ThresholdsError
from pytest_infperf.thresholds.sections import Policy
from pytest_infperf.thresholds.thresholds import Thresholds

__all__ = [
    "Policy",
    "Problem",
    "SuiteFacts",
    "Thresholds",
    "ThresholdsError",
    "parse",
    "read",
]
