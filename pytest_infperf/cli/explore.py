"""`infperf explore FOLDER --users 1,8 ...`: measure the effect of a server's parameters."""

from __future__ import annotations

import math
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.errors import UserError
from pytest_infperf.explore.containers import ContainerEngine, compose_command
from pytest_infperf.explore.design import Factor, Setting, trials
from pytest_infperf.explore.engine import HostEngine, control_group
from pytest_infperf.explore.link import LinkError, netem
from pytest_infperf.explore.page import EffectTable, effect_tables, page
from pytest_infperf.explore.parameters import COMPOSE_PARAMETERS, PARAMETERS, describe
from pytest_infperf.explore.running import Explorer
from pytest_infperf.explore.store import Outcome, OutcomeFile
from pytest_infperf.host.control_group import ControlGroupError
from pytest_infperf.host.termination import TerminationSignals
from pytest_infperf.options import confidence, count, non_negative, seconds
from pytest_infperf.records.file import write_text
from pytest_infperf.records.quantity import parse_quantity
from pytest_infperf.run.suite_run import SuiteRun

_SECONDS = 4.0
"""Duration of the load in a trial, in seconds, unless an option says otherwise."""
_COMPOSE_FILE = Path("deploy", "compose.yaml")
_LEAST_CPU = 0.01
"""Lowest limit of CPU time, in cores: that of the kernel and of Docker."""
_LIMITED = ("cpu", "memory")
"""Parameters that need a control group."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "suite", type=Path, metavar="FOLDER", help="folder of the suite, with its suite.py"
    )
    parser.add_argument("--variant", metavar="ID", help="variant to serve (default: the baseline)")
    for name, parameter in PARAMETERS.items():
        parser.add_argument(
            f"--{name}", metavar="A,B,...", help=f"{parameter.purpose} (default: not set)"
        )
    parser.add_argument(
        "--seconds", type=seconds, metavar="SECONDS",
        help="duration of the load in a trial, in seconds (default: 4)",
    )  # fmt: skip
    parser.add_argument(
        "--requests", type=count, metavar="N",
        help="number of requests in a trial, over all users, instead of a duration",
    )  # fmt: skip
    parser.add_argument(
        "--replicates", type=count, default=2, metavar="N",
        help="number of trials of each setting (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--half",
        action="store_true",
        help="try half of all settings, chosen so that the effect of each parameter can be told "
        "(a half fraction); each parameter needs two values",
    )
    parser.add_argument(
        "--confidence", type=confidence, default=0.95, metavar="C",
        help="confidence of the intervals",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=non_negative, default=0, metavar="N", help="seed of the order of trials"
    )
    parser.add_argument(
        "--engine", choices=("host", "docker"), default="host",
        help="engine of the servers: processes of this host, or containers (default: host)",
    )  # fmt: skip
    parser.add_argument(
        "--compose", type=Path, metavar="FILE",
        help="compose file of --engine docker (default: deploy/compose.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("explore.jsonl"), metavar="PATH",
        help="file of results; its trials are not run again (default: explore.jsonl)",
    )  # fmt: skip
    parser.add_argument(
        "--html", type=Path, metavar="PATH", help="write tables and plots as a page"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(".infperf_cache"), metavar="FOLDER",
        help="folder of built variants (default: .infperf_cache)",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    factors, fixed = _parameters(arguments)
    network = ""
    if arguments.engine == "host":
        factors = _without_unwritable(factors, fixed)
        factors, network = _network(factors, fixed)
    planned = trials(
        factors, arguments.replicates, arguments.seed, half=arguments.half, fixed=fixed
    )
    suite_run, variant_id = one_variant(arguments.suite, arguments.variant, arguments.cache)
    length_of_a_trial = (
        {"seconds": arguments.seconds or _SECONDS}
        if arguments.requests is None
        else {"requests": arguments.requests}
    )
    exploration = {
        "suite": suite_run.suite.name,
        "variant": variant_id,
        "factors": {factor.name: list(factor.levels) for factor in factors},
        **({"fixed": fixed} if fixed else {}),
        **({"network": network} if network else {}),
        **({"engine": arguments.engine} if arguments.engine != "host" else {}),
        **length_of_a_trial,
        "half": arguments.half,
        "seed": arguments.seed,
    }
    signals = TerminationSignals()
    signals.install()
    try:
        containers = _containers(arguments, suite_run, variant_id)
        engine = containers or HostEngine(suite_run, variant_id, network)
        explorer = Explorer(suite_run, engine, **length_of_a_trial)
        explorer.check([trial.setting for trial in planned])
        file = OutcomeFile(Path.cwd() / arguments.out, exploration)
        is_complete = file.keys >= {trial.key for trial in planned}
        with nullcontext() if containers is None or is_complete else containers.prepared():
            for outcome in explorer.outcomes(planned, file.keys, _report_progress):
                file.add(outcome)
    except KeyboardInterrupt:
        print(f"interrupted; run the same command to continue from {arguments.out}")
        return 130
    finally:
        suite_run.close()
        signals.restore()
    keys = {trial.key for trial in planned}
    outcomes = [outcome for outcome in file.outcomes if outcome.key in keys]
    name = f"{suite_run.suite.name}[{variant_id}]"
    tables = effect_tables(factors, outcomes, arguments.confidence)
    _show(name, outcomes, tables)
    if arguments.html:
        write_text(arguments.html, page(name, factors, outcomes, tables))
        print(f"page: {arguments.html}")
    return 0 if any(outcome.measured for outcome in outcomes) else 1


def _containers(
    arguments: Namespace, suite_run: SuiteRun, variant_id: str
) -> ContainerEngine | None:
    """Return the engine of `--engine docker`; None for processes of this host."""
    if arguments.engine == "host":
        return None
    folder = Path(os.path.relpath(arguments.suite))
    file = _compose_file(arguments)
    return ContainerEngine(suite_run, variant_id, folder, file, compose_command())


def _compose_file(arguments: Namespace) -> Path:
    file: Path = Path.cwd() / (arguments.compose or _COMPOSE_FILE)
    if not file.is_file():
        raise UserError(
            f"--engine docker: {file} does not exist: specify a compose file with --compose"
        )
    return file


def _report_progress(text: str) -> None:
    print(f"infperf explore {text}", file=sys.stderr, flush=True)


def _parameters(arguments: Namespace) -> tuple[list[Factor], dict[str, float]]:
    """Return the factors in the options, and the parameters with one value.

    Raises UserError if an option is wrong, or if there is no factor.
    """
    factors, fixed = [], {}
    for name, parameter in PARAMETERS.items():
        text = getattr(arguments, name.replace("-", "_"))
        if text is None:
            continue
        levels = _levels(name, text)
        if len(levels) > 1:
            factors.append(Factor(name, levels, parameter.unit, parameter.linear))
        else:
            fixed[name] = levels[0]
    if arguments.engine == "docker":
        named = [*(factor.name for factor in factors), *fixed]
        if refused := [name for name in named if name not in COMPOSE_PARAMETERS]:
            raise UserError(
                f"--{' and --'.join(refused)}: not with --engine docker, which has its own network"
            )
    elif arguments.compose is not None:
        raise UserError("--compose: needs --engine docker")
    if not factors:
        raise UserError(f"specify a parameter with two or more values: --{', --'.join(PARAMETERS)}")
    if arguments.seconds is not None and arguments.requests is not None:
        raise UserError("--seconds and --requests: specify only one of them")
    return factors, fixed


def _levels(name: str, text: str) -> list[float]:
    """Return the values of an option in ascending order. Raises UserError if one is wrong."""
    parameter = PARAMETERS[name]
    try:
        levels = [parse_quantity(part, "bytes") if parameter.unit == "bytes" else float(part)
                  for part in text.split(",")]  # fmt: skip
    except ValueError as error:
        raise UserError(f"--{name} {text}: {error}") from None
    if parameter.whole and any(level % 1 for level in levels):
        raise UserError(f"--{name} {text}: must be whole numbers, separated by commas")
    if not all(0 < level < math.inf or (level == 0 and parameter.linear) for level in levels):
        least = "0 or above" if parameter.linear else "above 0"
        raise UserError(f"--{name} {text}: must be {least}")
    cores = os.cpu_count() or math.inf
    if name == "cpu" and not _LEAST_CPU <= min(levels) <= max(levels) <= cores:
        raise UserError(
            f"--cpu {text}: must be from {_LEAST_CPU} to {cores}, the number of cores of this host"
        )
    if name == "loss" and max(levels) >= 1:
        raise UserError(f"--loss {text}: must be fractions below 1, such as 0.01")
    return sorted(levels)


def _without_unwritable(factors: list[Factor], fixed: Setting) -> list[Factor]:
    """Return the factors that this host can limit, and print why others are skipped.

    Raises UserError if it cannot set a limit that is the same in all trials.
    """
    highest = {**{factor.name: factor.levels[-1] for factor in factors}, **fixed}
    try:
        with control_group(highest):
            pass
    except ControlGroupError as reason:
        return _skip([name for name in _LIMITED if name in highest], factors, fixed, reason)
    return factors


def _network(factors: list[Factor], fixed: Setting) -> tuple[list[Factor], str]:
    """Return the factors that this host can set, and how delay and loss are set.

    Prints why loss is skipped. Raises UserError if it is the same in all trials.
    """
    named = {factor.name for factor in factors} | set(fixed)
    if not named & {"delay-ms", "loss"}:
        return factors, ""
    try:
        with netem(delay_ms=1.0, loss=0.01):
            return factors, "netem"
    except LinkError as reason:
        if "loss" in named:
            factors = _skip(["loss"], factors, fixed, reason)
        if "delay-ms" not in named:
            return factors, ""
        print(f"a proxy delays requests: {reason}")
        return factors, "proxy"


def _skip(
    names: Sequence[str], factors: Sequence[Factor], fixed: Setting, reason: Exception
) -> list[Factor]:
    """Return the other factors, and print the reason. Raises UserError if none is left."""
    if unset := [name for name in names if name in fixed]:
        raise UserError(f"--{' and --'.join(unset)}: {reason}") from None
    print(f"skipped: {' and '.join(names)}: {reason}")
    left = [factor for factor in factors if factor.name not in names]
    if not left:
        raise UserError(f"no parameter is left to explore: {reason}") from None
    return left


def _show(name: str, outcomes: Sequence[Outcome], tables: Sequence[EffectTable]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    measured = [outcome for outcome in outcomes if outcome.measured]
    console.print(f"{name}: {len(measured)} of {len(outcomes)} trials answered")
    for effects in tables:
        console.print()
        console.print(f"{effects.title}: {effects.note}", soft_wrap=True)
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.padding = (0, 1, 0, 0)
        for header in ("parameter", "from, to", "effect", "interval"):
            table.add_column(header, justify="right" if header == "effect" else "left")
        for row in effects.rows:
            table.add_row(*row)
        if effects.rows:
            console.print(table)
    for outcome in outcomes:
        if outcome.failure or outcome.doubt:
            label = "FAILED" if outcome.failure else "DOUBT"
            reason = outcome.failure or outcome.doubt
            console.print(f"{label} {describe(outcome.setting)}: {reason}", soft_wrap=True)
