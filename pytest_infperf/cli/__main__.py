"""`python -m pytest_infperf.cli` is `infperf` of a named interpreter."""

from pytest_infperf.cli import main

raise SystemExit(main())
