"""`infperf init`: write a suite for a model, measure it, and set its limits.

`draft` collects the contents of the suite from options and questions, `suite_files` renders its
files from `templates`, `measuring` runs it, and `limits` derives limits from the records.
"""

from pytest_infperf.cli.init.command import configure, run

__all__ = ["configure", "run"]
