"""The report as one HTML page without external resources, which `--infperf-html` writes."""

from pytest_infperf.report.html.page import check_available, page

__all__ = ["check_available", "page"]
