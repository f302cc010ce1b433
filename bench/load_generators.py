"""One server under several generators of load: ours, Locust's, wrk's and hey's, in turns.

Closed loop: as many connections each, the next request after the last answer. Fixed rate: our open
loop sends at random times whatever is answered; hey's workers send at even times, and each waits
for its answer before it sends the next request. At a rate that hardly anyone waits at, the two
differ by what Python takes of a request. Near the highest rate hey leaves out what would have been
sent meanwhile (coordinated omission). wrk and hey are Debian's packages of these names; what is not
installed is left out.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from statistics import fmean

from bench.finding import Finding
from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.traffic import Traffic
from pytest_infperf.stats import bootstrap
from pytest_infperf.suite.loads import ClosedLoop

SUITE = Path("suites/serving/translation")
VARIANT = "onnx-fused-int8"
CONNECTIONS = 4
SECONDS = 5.0
ROUNDS = 8
NOBODY_WAITS = 0.05
"""Of the closed loop's rate: of random arrivals, one in twenty then finds the server busy."""
MANY_WAIT = 0.9
_FURTHEST = 0.1
_PYTHON_MS = 2.0
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Seen:
    """What one generator reports of one round."""

    rate: float
    """Requests a second."""
    mean_s: float


_QUANTITIES: Mapping[str, Callable[[Seen], float]] = {
    "requests a second": lambda seen: seen.rate,
    "mean latency": lambda seen: seen.mean_s,
}


def findings() -> Iterator[Finding]:
    suite_run, variant = one_variant(SUITE, VARIANT, Path(".infperf_cache"))
    try:
        server = suite_run.server.running(variant)
        order = endless_order(suite_run.numbers, 0)
        target = suite_run.server.target(server, suite_run.samples, order)
        target = replace(target, bodies=target.bodies[:1])  # hey knows one only
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
            "ours": lambda: _told(generators.streams(target, SECONDS, CONNECTIONS)),
            "Locust": lambda: _told(generators.closed_loop(target, load, SECONDS)),
            **({"wrk": lambda: _wrk(target, body)} if shutil.which("wrk") else {}),
        }
    )
    yield from _agreement(rounds)


def _fixed_rate(target: Target, body: str) -> Iterator[Finding]:
    if not shutil.which("hey"):
        return
    full, seeds = _told(generators.streams(target, SECONDS, CONNECTIONS)).rate, count()

    def at(rate: float, workers: int) -> dict[str, list[Seen]]:
        return _rounds(
            {
                "ours": lambda: _told(generators.open_loop(target, rate, SECONDS, next(seeds))),
                "hey": lambda: _hey(target, body, rate, workers),
            }
        )

    slow, fast = NOBODY_WAITS * full, MANY_WAIT * full
    rounds = at(slow, 1)
    later_ms = [
        1e3 * (ours.mean_s - hey.mean_s)
        for ours, hey in zip(rounds["ours"], rounds["hey"], strict=True)
    ]
    hey_ms = 1e3 * fmean(seen.mean_s for seen in rounds["hey"])
    yield Finding(
        f"{slow:.0f} requests/s: our mean latency over hey's, which sends and reads without Python",
        fmean(later_ms),
        "ms",
        limit=_PYTHON_MS,
        how=f"[{_interval(later_ms)}] over {hey_ms:.1f}, {ROUNDS} rounds in turns",
    )
    rounds = at(fast, CONNECTIONS)
    yield Finding(
        f"{fast:.0f} requests/s: hey's mean latency over ours, which has those too who came while "
        "all of hey's workers waited",
        fmean(seen.mean_s for seen in rounds["hey"])
        / fmean(seen.mean_s for seen in rounds["ours"]),
        "x",
        limit=1.0,
        how=f"{CONNECTIONS} workers, {ROUNDS} rounds of {SECONDS:g} s in turns",
    )


def _agreement(rounds: Mapping[str, list[Seen]]) -> Iterator[Finding]:
    for name in [name for name in rounds if name != "ours"]:
        for quantity, of in _QUANTITIES.items():
            ratios = [
                of(theirs) / of(ours)
                for theirs, ours in zip(rounds[name], rounds["ours"], strict=True)
            ]
            yield Finding(
                f"closed loop of {CONNECTIONS}: {name}'s {quantity} against ours, off by",
                100 * abs(fmean(ratios) - 1),
                "%",
                limit=100 * _FURTHEST,
                how=f"ratio {fmean(ratios):.3f} [{_interval(ratios)}], {ROUNDS} rounds in turns",
            )


def _interval(values: Sequence[float]) -> str:
    """Of their mean."""
    bounds = bootstrap.mean(values, _CONFIDENCE, 0)
    return ", ".join("?" if bound is None else f"{bound:.3f}" for bound in bounds)


def _rounds(each: Mapping[str, Callable[[], Seen]]) -> dict[str, list[Seen]]:
    seen: dict[str, list[Seen]] = {name: [] for name in each}
    rng = random.Random(0)
    for _ in range(ROUNDS):
        for name in rng.sample(list(each), len(each)):
            seen[name].append(each[name]())
    return seen


def _told(traffic: Traffic) -> Seen:
    times = [reply.latency_s for reply in traffic.replies if reply.ok]
    begun = min(reply.sent_s for reply in traffic.replies)
    seconds = max(reply.done_s for reply in traffic.replies) - begun
    return Seen(len(times) / seconds, fmean(times))


def _wrk(target: Target, body: str) -> Seen:
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
        raise ValueError(out)
    return Seen(float(rate[1]), _seconds(mean))


def _hey(target: Target, body: str, rate: float, workers: int) -> Seen:
    out = _output(
        target,
        ["hey", "-z", f"{SECONDS:g}s", "-c", str(workers), "-q", f"{rate / workers:.3f}",
         "-m", "POST", "-T", "application/json", "-D", body, target.url + target.path],
    )  # fmt: skip
    mean = re.search(r"Average:\s+([\d.]+) secs", out)
    seen_rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if not (mean and seen_rate):
        raise ValueError(out)
    return Seen(float(seen_rate[1]), float(mean[1]))


def _output(target: Target, command: list[str]) -> str:
    """On the generator's cores."""
    cores = ",".join(map(str, target.cpus or [0]))
    return subprocess.run(
        ["taskset", "-c", cores, *command], capture_output=True, text=True, check=True
    ).stdout


def _seconds(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[found[2]]
