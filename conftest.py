"""Marks the root folder, from which tests and workers import `suites.translation.suite`."""
