"""Benchmarks of pytest-infperf itself: its overhead, and how often its verdicts are right."""
