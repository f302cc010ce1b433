"""The report as one page that needs no network: what `--infperf-html` writes."""

from pytest_infperf.report.html.page import check_available, page

__all__ = ["check_available", "page"]
