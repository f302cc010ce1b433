"""`infperf calibrate SUITE`: what this host can tell apart, and which limits ask for more."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from pytest_infperf.cli.suite_folder import address_of
from pytest_infperf.errors import UserError
from pytest_infperf.host.fingerprint import fingerprint, host_names
from pytest_infperf.records.quantity import format_value
from pytest_infperf.run.calibration import (
    NoiseFloor,
    TightLimit,
    calibrate,
    configured_suite,
    too_tight,
)
from pytest_infperf.settings import Settings
from pytest_infperf.thresholds import Policy, Thresholds, read


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, metavar="FOLDER", help="of a suite, with its suite.py")
    parser.add_argument("--variant", metavar="ID", help="to measure (default: the baseline)")
    parser.add_argument("--thresholds", type=Path, default=Path("thresholds.toml"))
    parser.add_argument(
        "--budget", type=float, metavar="SECONDS", help="default: of thresholds.toml"
    )
    parser.add_argument("--confidence", type=float, help="default: of thresholds.toml")
    parser.add_argument("--runs", type=int, default=5, help="in new processes (default: 5)")
    parser.add_argument("--cache", type=Path, default=Path(".infperf_cache"))


def run(arguments: Namespace) -> int:
    root, address = Path.cwd(), address_of(arguments.suite)
    if arguments.runs < 2:
        raise UserError("--runs: at least 2, for processes differ from one another")
    limits = root / arguments.thresholds
    thresholds = read(limits, root) if limits.is_file() else Thresholds.empty()
    name = address.load().name
    configured = configured_suite(address, thresholds.baseline(name))
    policy = _policy(thresholds.policy(name), arguments)
    variant = arguments.variant or configured.baseline_id or configured.suite.variant_ids[0]
    if variant not in configured.suite.variant_ids:
        known = ", ".join(configured.suite.variant_ids)
        raise UserError(f"--variant: {name} has no {variant}; it has {known}")
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(
        f"{name}[{variant}] against itself: {arguments.runs} runs of {policy.budget_s:g} s, "
        "each with new processes",
        soft_wrap=True,
    )
    settings = Settings(root, cache=root / arguments.cache)
    floor = calibrate(configured, variant, settings, policy, arguments.runs)
    names = host_names(fingerprint(()))
    console.print(describe(floor), soft_wrap=True)
    limits_too_tight = list(too_tight(floor, thresholds, configured, names))
    for limit in limits_too_tight:
        console.print(tight(limit), soft_wrap=True)
    if not limits_too_tight:
        console.print("no limit on regression is tighter than that", soft_wrap=True)
    return 0


def describe(floor: NoiseFloor) -> str:
    def share(value: float) -> str:
        return format_value(value, "fraction")

    return (
        f"noise floor: ±{share(floor.half_width)} at {100 * floor.confidence:.4g} % confidence, "
        f"from {floor.pairs} pairs in {floor.budget_s:g} s; a speed-up nearer to its limit than "
        "that comes out inconclusive\n"
        f"between processes: {share(floor.between_runs)} standard deviation, which no budget "
        "lessens\n"
        f"smallest slowdown that is found nearly always: {share(floor.smallest_slowdown)}"
    )


def tight(limit: TightLimit) -> str:
    where = f"{limit.source}: {limit.text} for {limit.variant}"
    if limit.needed_s is None:
        return f"{where} is tighter than what processes differ by here: no budget decides it"
    return f"{where} is tighter than the noise floor: it needs budget_s = {limit.needed_s:.0f}"


def _policy(policy: Policy, arguments: Namespace) -> Policy:
    budget_s = arguments.budget or policy.budget_s
    confidence = arguments.confidence or policy.confidence
    if not budget_s > 0:
        raise UserError(f"--budget {budget_s}: write a number of seconds over 0")
    if not 0.5 < confidence < 1:
        raise UserError(f"--confidence {confidence}: write a share such as 0.99")
    return Policy(confidence, budget_s, policy.inconclusive)
