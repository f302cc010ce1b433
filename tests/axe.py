"""axe-core, which checks pages for accessibility, as the package axe-playwright-python ships it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

VIOLATIONS = """
axe.run(document, {resultTypes: ["violations"]}).then((results) => results.violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} (${node.failureSummary})`)))
"""
"""Expression in JavaScript: a promise of the violations in a page that has run `script`."""


def script() -> str:
    """Return the source of axe-core; skip the test if the package is not installed."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-core is not installed: pip install --no-deps axe-playwright-python")
    return Path(spec.origin).with_name("axe.min.js").read_text("utf-8")
