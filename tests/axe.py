"""axe-core, which checks the accessibility of pages, from an installed Python package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

VIOLATIONS = """
axe.run(document, {resultTypes: ["violations"]}).then((results) => results.violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} (${node.failureSummary})`)))
"""
"""Expression in JavaScript: a promise of the violations in a page that has run `script`."""


_PACKAGES = ("axe_playwright_python", "axe_core_python")
"""Packages that ship axe-core, the one with the newer version first."""


def script() -> str:
    """Return the source of axe-core; skip the test if no package with it is installed."""
    for spec in filter(None, map(find_spec, _PACKAGES)):
        if spec.origin:
            return Path(spec.origin).with_name("axe.min.js").read_text("utf-8")
    pytest.skip("axe-core is not installed: pip install axe-core-python")
