"""pytest's side of a run: collection, xdist, pytest-benchmark's table, progress, reports."""
