"""The report at the end of a run on the terminal."""

from pytest_infperf.report.terminal.page import render

__all__ = ["render"]
