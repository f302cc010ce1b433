"""Compare our load generators with Locust, wrk and hey on one server, in random order.

Closed loop: every generator has the same number of connections and sends the next request when the
previous one is answered. Fixed rate: our open loop sends at random times, even while earlier
requests wait; hey's workers send at even times, and each waits for its answer before it sends the
next request. At a low rate, where requests rarely wait, the two differ by the time that Python
needs for a request. Near the highest rate, hey delays requests while its workers wait, and their
waiting time is missing from its latencies (coordinated omission).

wrk and hey are Debian packages of these names. A generator that is not installed is omitted.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from statistics import fmean

from bench.finding import Finding, interval
from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.traffic import Traffic
from pytest_infperf.suite.loads import ClosedLoop

SUITE = Path("suites/serving/translation")
VARIANT = "onnx-fused-int8"
CONNECTIONS = 4
SECONDS = 5.0
"""Duration of one round of one generator, in seconds."""
ROUNDS = 8
LOW_LOAD = 0.05
"""Fraction of the closed loop's rate at which 5 % of random arrivals find the server busy."""
HIGH_LOAD = 0.9
"""Fraction of the closed loop's rate at which many requests wait."""
_LARGEST_DIFFERENCE = 0.1
"""Limit on the difference between a generator's results and ours, as a fraction."""
_PYTHON_MS = 2.0
"""Limit on the time that Python needs to send a request and to read its answer, in ms."""


@dataclass(frozen=True)
class Round:
    """The results of one round of one generator."""

    rate: float
    """Answered requests per second."""
    mean_s: float
    """Mean latency, in seconds."""


_QUANTITIES: Mapping[str, Callable[[Round], float]] = {
    "requests per second": lambda result: result.rate,
    "mean latency": lambda result: result.mean_s,
}


def findings() -> Iterator[Finding]:
    suite_run, variant = one_variant(SUITE, VARIANT, Path(".infperf_cache"))
    try:
        server = suite_run.server.running(variant)
        order = endless_order(suite_run.numbers, 0)
        target = suite_run.server.target(server.url, server.deployment, suite_run.samples, order)
        target = replace(target, bodies=target.bodies[:1])  # hey sends one body
        with tempfile.NamedTemporaryFile("wb", suffix=".json") as body:
            body.write(target.bodies[0])
            body.flush()
            yield from _closed(target, body.name)
            yield from _fixed_rate(target, body.name)
    finally:
        suite_run.close()


def _closed(target: Target, body: str) -> Iterator[Finding]:
    load = ClosedLoop(CONNECTIONS)
    rounds = _rounds(
        {
            "ours": lambda: _summarise(generators.streams(target, SECONDS, CONNECTIONS)),
            "Locust": lambda: _summarise(generators.closed_loop(target, load, SECONDS)),
            **({"wrk": lambda: _wrk(target, body)} if shutil.which("wrk") else {}),
        }
    )
    yield from _agreement(rounds)


def _fixed_rate(target: Target, body: str) -> Iterator[Finding]:
    if not shutil.which("hey"):
        return
    highest_rate = _summarise(generators.streams(target, SECONDS, CONNECTIONS)).rate
    seeds = count()

    def rounds_at(rate: float, workers: int) -> dict[str, list[Round]]:
        return _rounds(
            {
                "ours": lambda: _summarise(
                    generators.open_loop(target, rate, SECONDS, next(seeds))
                ),
                "hey": lambda: _hey(target, body, rate, workers),
            }
        )

    low_rate, high_rate = LOW_LOAD * highest_rate, HIGH_LOAD * highest_rate
    rounds = rounds_at(low_rate, 1)
    differences_ms = [
        1e3 * (ours.mean_s - hey.mean_s)
        for ours, hey in zip(rounds["ours"], rounds["hey"], strict=True)
    ]
    hey_ms = 1e3 * fmean(result.mean_s for result in rounds["hey"])
    yield Finding(
        f"{low_rate:.0f} requests/s: our mean latency minus hey's, the time that Python needs",
        fmean(differences_ms),
        "ms",
        limit=_PYTHON_MS,
        detail=f"[{interval(differences_ms)}], hey {hey_ms:.1f} ms, {ROUNDS} rounds in turns",
    )
    rounds = rounds_at(high_rate, CONNECTIONS)
    yield Finding(
        f"{high_rate:.0f} requests/s: hey's mean latency over ours, which includes the requests "
        "that come while all of hey's workers wait",
        fmean(result.mean_s for result in rounds["hey"])
        / fmean(result.mean_s for result in rounds["ours"]),
        "x",
        limit=1.0,
        detail=f"{CONNECTIONS} workers of hey, {ROUNDS} rounds of {SECONDS:g} s in turns",
    )


def _agreement(rounds: Mapping[str, list[Round]]) -> Iterator[Finding]:
    for name in [name for name in rounds if name != "ours"]:
        for quantity, value_of in _QUANTITIES.items():
            ratios = [
                value_of(other) / value_of(ours)
                for other, ours in zip(rounds[name], rounds["ours"], strict=True)
            ]
            yield Finding(
                f"closed loop of {CONNECTIONS} connections: difference between {name}'s {quantity} "
                "and ours",
                100 * abs(fmean(ratios) - 1),
                "%",
                limit=100 * _LARGEST_DIFFERENCE,
                detail=f"ratio {fmean(ratios):.3f} [{interval(ratios)}], {ROUNDS} rounds in turns",
            )


def _rounds(measure: Mapping[str, Callable[[], Round]]) -> dict[str, list[Round]]:
    """Run every generator once per round, in random order."""
    rounds: dict[str, list[Round]] = {name: [] for name in measure}
    rng = random.Random(0)
    for _ in range(ROUNDS):
        for name in rng.sample(list(measure), len(measure)):
            rounds[name].append(measure[name]())
    return rounds


def _summarise(traffic: Traffic) -> Round:
    latencies_s = [reply.latency_s for reply in traffic.replies if reply.ok]
    start_s = min(reply.sent_s for reply in traffic.replies)
    seconds = max(reply.done_s for reply in traffic.replies) - start_s
    return Round(len(latencies_s) / seconds, fmean(latencies_s))


def _wrk(target: Target, body: str) -> Round:
    script = (
        f'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'
        f'local f = io.open("{body}")\nwrk.body = f:read("*all")\nf:close()\n'
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        out = _output(
            target,
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS:g}s", "-s", file.name,
             target.url + target.path],
        )  # fmt: skip
    mean = re.search(r"Latency\s+([\d.]+)(us|ms|s)", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if not (mean and rate):
        raise ValueError(f"cannot read the output of wrk:\n{out}")
    return Round(float(rate[1]), _seconds(mean))


def _hey(target: Target, body: str, rate: float, workers: int) -> Round:
    out = _output(
        target,
        ["hey", "-z", f"{SECONDS:g}s", "-c", str(workers), "-q", f"{rate / workers:.3f}",
         "-m", "POST", "-T", "application/json", "-D", body, target.url + target.path],
    )  # fmt: skip
    mean = re.search(r"Average:\s+([\d.]+) secs", out)
    measured_rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if not (mean and measured_rate):
        raise ValueError(f"cannot read the output of hey:\n{out}")
    return Round(float(measured_rate[1]), float(mean[1]))


def _output(target: Target, command: list[str]) -> str:
    """Run a command on the generator's cores and return its output."""
    cores = ",".join(map(str, target.cpus or [0]))
    return subprocess.run(
        ["taskset", "-c", cores, *command], capture_output=True, text=True, check=True
    ).stdout


def _seconds(duration: re.Match[str]) -> float:
    return float(duration[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[duration[2]]
