"""What all tests share: pytester for tests of the plugin, and hypothesis without a stopwatch."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["pytester"]

# An example may take long on a busy host; that is no defect.
settings.register_profile("infperf", deadline=None)
settings.load_profile("infperf")
