"""The options of a run, declared once for the command line and the ini file.

What was given is read in `settings`, which is imported only when a run measures.
"""

from __future__ import annotations

import pytest

VALUES = {
    "thresholds": ("PATH", "the limits to enforce (default: thresholds.toml beside the ini file)"),
    "json": ("PATH", "write every measure, gate and verdict to PATH"),
    "html": ("PATH", "write the report as one page to PATH"),
    "budget": ("SECONDS", "measuring time of one test of one variant, instead of the file's"),
    "variants": ("GLOB", "only the variants whose id matches GLOB, against the baseline"),
    "baseline": ("ID", "the variant that others are compared with"),
    "against": ("REV", "measure each variant also as it is at a git revision, in pairs"),
    "against_python": ("PATH", "the interpreter for REV's workers (default: this one)"),
    "threads": ("N|best", "threads of every variant; best: a short search for each"),
    "cache": ("DIR", "where built variants are kept (default: .infperf_cache)"),
    "seed": ("N", "of the samples drawn and the order of measuring (default: 0)"),
    "prices": ("PATH|aws", "a price table, or ask AWS (default: the table that is shipped)"),
    "ray": ("ADDRESS", "measure on the nodes of a Ray cluster, once for each kind of node"),
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
    group.addoption(
        "--infperf-no-imds", action="store_true", help="do not ask EC2's metadata service"
    )
    group.addoption(
        "--infperf-ray-quality",
        action="store_true",
        help="measure here, and share the quality set out over the nodes of --infperf-ray",
    )
    parser.addini("infperf_ray_quality", "like --infperf-ray-quality", type="bool", default=False)
    parser.addini("infperf_no_imds", "like --infperf-no-imds", type="bool", default=False)
    parser.addini("infperf", "like --infperf", type="bool", default=False)
    parser.addini("infperf_full", "like --infperf-full", type="bool", default=False)
    for name, (metavar, text) in VALUES.items():
        flag = f"--infperf-{name.replace('_', '-')}"
        group.addoption(flag, metavar=metavar, default=None, help=text)
        parser.addini(f"infperf_{name}", f"like {flag}: {text}")


def enabled(config: pytest.Config) -> bool:
    return bool(config.getoption("infperf") or config.getini("infperf"))
