"""A study: variants of a suite, served on several instance types under load and compared."""
