"""`python -m bench peers`: equal and slower commits, judged by other tools and by this one.

Commits are equal or slower copies of `distilled-fastest` of suites/translation. They are measured
with it in minutes that contain the data for each rule (`bench.peer_recordings`). `bench.peer_rules`
contains the rules. The output is a section of docs/regressions.md, in Markdown. The tools are in
the extra `peers`; the row of a tool that is not installed says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from textwrap import fill
from time import perf_counter

from bench import peer_recordings
from bench.peer_recordings import Minute
from bench.peer_rules import Answer, Rule, rules
from pytest_infperf.host import cpu
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SuiteAddress

ROOT = Path(__file__).parents[1]
SUITE = SuiteAddress(str(ROOT), "suites.translation.suite")
VARIANT = "distilled-fastest"
RUNS = 8
RECORDING = ROOT / ".infperf_cache" / "peers.json"
COLUMNS = ("rule", "false alarms on equal code", "5 % found", "3 % found", "undecided", "seconds")


@dataclass(frozen=True)
class Row:
    """How a rule judged all minutes."""

    rule: Rule
    answers: dict[float, list[Answer]]
    """The answers by slowdown; empty if the tool is not installed."""
    problem: str = ""
    """Reason why the tool cannot be used."""

    def __str__(self) -> str:
        if self.problem:
            return f"| {self.rule.name} | {self.problem} |" + " |" * (len(COLUMNS) - 2)
        everything = [answer for answers in self.answers.values() for answer in answers]
        undecided = sum(answer.call == "undecided" for answer in everything)
        found = [self._slower(slowdown) for slowdown in (0.0, 0.05, 0.03)]
        seconds = median(answer.seconds for answer in everything)
        cells = [*found, f"{undecided} of {len(everything)}", f"{seconds:.0f}"]
        return f"| {self.rule.name} | {' | '.join(cells)} |"

    def _slower(self, slowdown: float) -> str:
        answers = self.answers.get(slowdown)
        if not answers:
            return "-"
        return f"{sum(answer.call == 'slower' for answer in answers)} of {len(answers)}"


def ask(rule: Rule, minutes: Sequence[Minute]) -> Row:
    """Return the answers of a rule on all minutes, or why its tool cannot be used."""
    answers: dict[float, list[Answer]] = {}
    try:
        for minute in minutes:
            answers.setdefault(minute.slowdown, []).append(rule.ask(minute))
    except ModuleNotFoundError as error:
        problem = f"not installed (no {error.name}): `pip install 'pytest-infperf[peers]'`"
        return Row(rule, {}, problem)
    except ImportError as error:
        return Row(rule, {}, f"another version: {error}")
    return Row(rule, answers)


def table(minutes: Sequence[Minute], all_rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the lines of the table, one rule per line."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for rule in all_rules:
        yield str(ask(rule, minutes))


def section(
    host: dict[str, str], minutes: Sequence[Minute], all_rules: Sequence[Rule]
) -> Iterator[str]:
    """Yield the lines of the section of docs/regressions.md."""
    yield "## Comparison with other rules"
    count = len([minute for minute in minutes if minute.slowdown == 0.0])
    yield _wrapped(
        f"`python -m bench peers --runs {count}` measures `{VARIANT}` beside itself, and beside "
        "copies whose model takes 3 % and 5 % longer, and applies other tools to the same minutes. "
        "Each tool uses its default number of rounds, in separate processes that run between the "
        "pairs of `--infperf-against`. The benchmark of these tools is one function on both "
        f"commits, which translates {peer_recordings.PASS_INPUTS} sentences one by one. Results on "
        f"{host['cores']} cores of {host['cpu']} on {host['date']}, in {len(minutes)} pairs of "
        f"commits, with {_versions(all_rules)}:"
    )
    yield ""
    yield from table(minutes, all_rules)
    yield ""
    yield _wrapped(
        "The table shows how many commits a rule reports as slower. The correct number is none "
        "for equal code, and all for 3 % and 5 %. `undecided` covers all three kinds, and "
        "`seconds` is the median time that a rule took, including the start of its processes. A "
        "threshold of 5 % equals the slowdown, so about half of these commits can be expected to "
        "exceed it; a threshold of 2 % is the margin of pytest-infperf. inference-doctor and "
        "pytest-infperf report whether the slowdown is above their limit and may leave it "
        "undecided; the other rules always decide. Verdicts come from the code of the tools, "
        "except for CodSpeed, whose service decides. Its documented threshold is applied to the "
        "best round, which its plugin shows."
    )


def _wrapped(text: str) -> str:
    return fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _versions(all_rules: Sequence[Rule]) -> str:
    packages = dict.fromkeys(name for rule in all_rules for name in rule.packages)
    return ", ".join(
        f"{name} {installed}" for name in packages if (installed := _version(name)) is not None
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def record(runs: int, path: Path, seed: int = 0) -> None:
    """Measure `runs` minutes of each slowdown, in random order, and save after each.

    Parameters
    ----------
    runs : int
        Number of minutes of each slowdown.
    path : Path
        The JSON file.
    seed : int
        Seed of the order, and of the inputs.
    """
    slowdowns = [*peer_recordings.schedule(runs, seed)]
    left_s = len(slowdowns) * peer_recordings.expected_s()
    _tell(f"{len(slowdowns)} pairs of commits, about {left_s / 60:.0f} min, into {path}")
    host = {
        "cpu": cpu.model() or "unknown CPU",
        "cores": str(len(cpu.usable_cores())),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    minutes: list[Minute] = []
    start = perf_counter()
    for number, slowdown in enumerate(slowdowns):
        settings = Settings(ROOT, cache=ROOT / ".infperf_cache", seed=seed + number)
        minutes.append(peer_recordings.record(SUITE, VARIANT, slowdown, settings))
        peer_recordings.save(path, host, minutes)
        left_s = (perf_counter() - start) / len(minutes) * (len(slowdowns) - len(minutes))
        _tell(f"{len(minutes)} of {len(slowdowns)} ({slowdown:.0%}), {left_s / 60:.0f} min left")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench peers", description=__doc__)
    parser.add_argument(
        "--runs",
        type=int,
        default=RUNS,
        metavar="N",
        help="pairs of commits of each slowdown; about 4 minutes each (default: %(default)s)",
    )
    parser.add_argument(
        "--recording",
        type=Path,
        default=RECORDING,
        metavar="FILE",
        help="file that the measured minutes are written to (default: %(default)s)",
    )
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="judge the minutes of this file, without measuring",
    )
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if not options.replay:
        record(options.runs, options.recording)
    path = options.replay or options.recording
    try:
        host, minutes = peer_recordings.load(path)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for line in section(host, minutes, rules()):
        print(line)
    return 0
