"""`infperf explore FOLDER --users 1,8 ...`: what each parameter of a server does to its speed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.errors import UserError
from pytest_infperf.explore.design import Factor, trials
from pytest_infperf.explore.page import EffectTable, effect_tables, page
from pytest_infperf.explore.running import FACTORS, Explorer
from pytest_infperf.explore.store import Outcome, OutcomeFile
from pytest_infperf.host.control_group import ControlGroupError, limited
from pytest_infperf.records.file import write_text
from pytest_infperf.records.quantity import parse_quantity

_LIMITED = ("cpu", "memory")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, metavar="FOLDER", help="of a suite, with its suite.py")
    parser.add_argument("--variant", metavar="ID", help="to serve (default: the baseline)")
    for name, (purpose, _) in FACTORS.items():
        parser.add_argument(f"--{name}", metavar="A,B,...", help=purpose)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load, a trial (default: 4)")
    parser.add_argument("--replicates", type=int, default=2, metavar="N", help="default: 2")
    parser.add_argument("--half", action="store_true", help="a half fraction of the full design")
    parser.add_argument("--confidence", type=float, default=0.95, help="default: 0.95")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path("explore.jsonl"), metavar="PATH",
        help="outcomes; what is there already is not tried again (default: explore.jsonl)",
    )  # fmt: skip
    parser.add_argument("--html", type=Path, metavar="PATH", help="write the plots as one page")
    parser.add_argument("--cache", type=Path, default=Path(".infperf_cache"))


def run(arguments: Namespace) -> int:
    factors = [
        _factor(name, text) for name in FACTORS if (text := getattr(arguments, name)) is not None
    ]
    if not factors:
        raise UserError(f"name a parameter with two values or more: --{', --'.join(FACTORS)}")
    if arguments.seconds <= 0 or arguments.replicates < 1 or not 0.5 < arguments.confidence < 1:
        raise UserError("--seconds over 0, --replicates of at least 1, --confidence such as 0.95")
    factors = _settable(factors)
    planned = trials(factors, arguments.replicates, arguments.seed, half=arguments.half)
    suite_run, variant_id = one_variant(arguments.suite, arguments.variant, arguments.cache)
    what = {
        "suite": suite_run.suite.name,
        "variant": variant_id,
        "factors": {factor.name: list(factor.levels) for factor in factors},
        "seconds": arguments.seconds,
        "half": arguments.half,
        "seed": arguments.seed,
    }
    store = OutcomeFile(Path.cwd() / arguments.out, what)
    try:
        explorer = Explorer(suite_run, variant_id, arguments.seconds)
        report_progress = lambda text: print(f"infperf explore {text}", file=sys.stderr, flush=True)  # noqa: E731
        for outcome in explorer.outcomes(planned, store.keys, report_progress):
            store.keep(outcome)
    except KeyboardInterrupt:
        print(f"interrupted: {arguments.out} has what was tried; the same command goes on")
        return 130
    finally:
        suite_run.close()
    keys = {trial.key for trial in planned}
    outcomes = [outcome for outcome in store.outcomes if outcome.key in keys]
    name = f"{suite_run.suite.name}[{variant_id}]"
    tables = effect_tables(factors, outcomes, arguments.confidence)
    _show(name, outcomes, tables)
    if arguments.html:
        write_text(arguments.html, page(name, factors, outcomes, tables))
        print(f"page: {arguments.html}")
    return 0


def _factor(name: str, text: str) -> Factor:
    unit = FACTORS[name][1]
    try:
        levels = [parse_quantity(part, "bytes") if unit == "bytes" else float(part)
                  for part in text.split(",")]  # fmt: skip
    except ValueError as error:
        raise UserError(f"--{name} {text}: {error}") from None
    whole = name not in _LIMITED
    if whole and any(level != int(level) for level in levels):
        raise UserError(f"--{name} {text}: whole numbers, separated by commas")
    return Factor(name, sorted(levels), unit)


def _settable(factors: list[Factor]) -> list[Factor]:
    """Without limits that this host lets nobody set: they are skipped, with the reason."""
    bounded = [factor for factor in factors if factor.name in _LIMITED]
    try:
        for factor in bounded:
            memory = round(factor.levels[-1]) if factor.name == "memory" else None
            with limited(factor.levels[-1] if factor.name == "cpu" else None, memory):
                pass
    except ControlGroupError as reason:
        names = " and ".join(factor.name for factor in bounded)
        print(f"skipped: {names}: {reason}")
        factors = [factor for factor in factors if factor not in bounded]
        if not factors:
            raise UserError(f"nothing is left to explore: {reason}") from None
    return factors


def _show(name: str, outcomes: list[Outcome], tables: list[EffectTable]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    measured = [outcome for outcome in outcomes if outcome.measured]
    console.print(f"{name}: {len(measured)} of {len(outcomes)} trials answered")
    for found in tables:
        console.print()
        console.print(f"{found.title}: {found.note}", soft_wrap=True)
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.padding = (0, 1, 0, 0)
        for header in ("parameter", "from, to", "effect", "interval"):
            table.add_column(header, justify="right" if header == "effect" else "left")
        for row in found.rows:
            table.add_row(*row)
        if found.rows:
            console.print(table)
    for outcome in outcomes:
        if outcome.failure or outcome.doubt:
            word = "FAILED" if outcome.failure else "DOUBT"
            setting = outcome.key.partition(":")[2]
            console.print(f"{word} {setting}: {outcome.failure or outcome.doubt}", soft_wrap=True)
