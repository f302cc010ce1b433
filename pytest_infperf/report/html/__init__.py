"""Reports as one HTML file without external resources: of a run, and of several hosts."""

from pytest_infperf.report.html.merged_page import merged_page
from pytest_infperf.report.html.page import check_available, page

__all__ = ["check_available", "merged_page", "page"]
