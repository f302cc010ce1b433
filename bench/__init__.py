"""Measures pytest-infperf itself: what it costs, and how often its verdicts are right."""
