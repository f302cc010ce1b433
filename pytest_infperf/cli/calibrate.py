"""`infperf calibrate SUITE`: the noise floor of this host, and limits that it cannot decide."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from pytest_infperf.cli.suite_folder import address_of, choose_variant
from pytest_infperf.host.fingerprint import fingerprint, host_names
from pytest_infperf.options import Number, confidence, seconds
from pytest_infperf.records.quantity import format_value
from pytest_infperf.run.calibration import (
    NoiseFloor,
    TightLimit,
    calibrate,
    configured_suite,
    too_tight,
)
from pytest_infperf.run.host_noise import HostNoise
from pytest_infperf.settings import Settings
from pytest_infperf.thresholds import Policy, Thresholds, read


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "suite", type=Path, metavar="FOLDER", help="folder of a suite, with its suite.py"
    )
    parser.add_argument(
        "--variant", metavar="ID", help="variant to measure (default: the baseline)"
    )
    parser.add_argument(
        "--thresholds",
        type=Path,
        default=Path("thresholds.toml"),
        metavar="PATH",
        help="file with the limits to examine (default: %(default)s)",
    )
    parser.add_argument(
        "--budget",
        type=seconds,
        metavar="SECONDS",
        help="measuring time of a run (default: that of thresholds.toml)",
    )
    parser.add_argument(
        "--confidence",
        type=confidence,
        metavar="C",
        help="confidence of the interval (default: that of thresholds.toml)",
    )
    parser.add_argument(
        "--runs",
        type=Number("a whole number of at least 2", lambda number: number >= 2, int),
        default=5,
        metavar="N",
        help="number of runs, each in new processes",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(".infperf_cache"),
        metavar="FOLDER",
        help="folder of built variants (default: %(default)s)",
    )


def run(arguments: Namespace) -> int:
    root, address = Path.cwd(), address_of(arguments.suite)
    path = root / arguments.thresholds
    thresholds = read(path, root) if path.is_file() else Thresholds.empty()
    name = address.load().name
    configured = configured_suite(address, thresholds.baseline(name))
    policy = _policy(thresholds.policy(name), arguments)
    variant = choose_variant(configured.suite, arguments.variant, configured.baseline_id)
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(
        f"{name}[{variant}] against itself: {arguments.runs} runs of {policy.budget_s:g} s",
        soft_wrap=True,
    )
    settings = Settings(root, cache=root / arguments.cache)
    host = fingerprint(())
    noise = HostNoise(settings.cache, host)
    floor = calibrate(configured, variant, settings, policy, arguments.runs, noise)
    names = host_names(host)
    console.print(describe(floor), soft_wrap=True)
    tight_limits = list(too_tight(floor, thresholds, configured, names))
    for limit in tight_limits:
        console.print(describe_tight(limit), soft_wrap=True)
    if not tight_limits:
        console.print("no limit on regression is too tight for this host", soft_wrap=True)
    return 0


def describe(floor: NoiseFloor) -> str:
    def percent(fraction: float) -> str:
        return format_value(fraction, "fraction")

    between = f"{percent(floor.between_processes)} standard deviation"
    if floor.processes < 2:
        between = "not measured, because the budget sufficed for one pair of processes only"
    return (
        f"noise floor: ±{percent(floor.half_width)} at {100 * floor.confidence:.4g} % confidence, "
        f"from {floor.pairs} pairs of blocks in {floor.processes} pairs of processes and "
        f"{floor.budget_s:g} s; a speed-up closer to its limit than this is inconclusive\n"
        f"between processes: {between}\n"
        "smallest slowdown that is almost always detected: "
        f"{percent(floor.smallest_slowdown)}"
    )


def describe_tight(limit: TightLimit) -> str:
    return (
        f"{limit.source}: {limit.text} for {limit.variant} is tighter than the noise floor; it "
        f"needs budget_s = {limit.needed_s:.0f}"
    )


def _policy(policy: Policy, arguments: Namespace) -> Policy:
    return Policy(
        arguments.confidence or policy.confidence,
        arguments.budget or policy.budget_s,
        policy.inconclusive,
    )
