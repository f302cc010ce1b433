"""`python -m pytest_infperf.cli` runs `infperf` with a chosen interpreter."""

from pytest_infperf.cli import main

raise SystemExit(main())
