"""Kinds of verdicts under kinds of noise, each with a known truth."""
