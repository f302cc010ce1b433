"""`infperf init`: looks at a model, proposes a suite with its limits, and measures it."""

from pytest_infperf.cli.init.command import configure, run

__all__ = ["configure", "run"]
