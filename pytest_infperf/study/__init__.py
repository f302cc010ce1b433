"""A study: variants of a suite served on instance types, loaded from outside, and compared."""
