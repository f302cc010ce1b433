"""The options of a run, declared once for the command line and the ini file.

What was given is read in `settings`, which is imported only when a run measures.
"""

from __future__ import annotations

import pytest

VALUES = {
    "thresholds": ("PATH", "the limits to enforce (default: thresholds.toml beside the ini file)"),
    "json": ("PATH", "write every measure, gate and verdict to PATH"),
    "budget": ("SECONDS", "measuring time of one test of one variant, instead of the file's"),
    "variants": ("GLOB", "only the variants whose id matches GLOB, against the baseline"),
    "baseline": ("ID", "the variant that others are compared with"),
    "threads": ("N|best", "threads of every variant; best: a short search for each"),
    "cache": ("DIR", "where built variants are kept (default: .infperf_cache)"),
    "seed": ("N", "of the samples drawn and the order of measuring (default: 0)"),
    "timeout": ("SECONDS", "a worker that is silent for longer has hung (default: 300)"),
}


def add(parser: pytest.Parser) -> None:
    group = parser.getgroup("infperf", "inference performance and quality")
    group.addoption(
        "--infperf", action="store_true", help="measure the suites; without it they are skipped"
    )
    group.addoption(
        "--infperf-full", action="store_true", help="score the whole test sets, not a sample"
    )
    parser.addini("infperf", "like --infperf", type="bool", default=False)
    parser.addini("infperf_full", "like --infperf-full", type="bool", default=False)
    for name, (metavar, text) in VALUES.items():
        group.addoption(f"--infperf-{name}", metavar=metavar, default=None, help=text)
        parser.addini(f"infperf_{name}", f"like --infperf-{name}: {text}")


def enabled(config: pytest.Config) -> bool:
    return bool(config.getoption("infperf") or config.getini("infperf"))
