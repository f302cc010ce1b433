"""One server under several generators of load: ours, Locust's, wrk's and hey's, in turns.

Closed loop: as many connections each, the next request after the last answer. Fixed rate: our open
loop sends at random times whatever is answered; hey's workers each wait for their answer before
they send the next one, which leaves out what would have been sent meanwhile (coordinated omission).
wrk and hey are Debian's packages of these names; what is not installed is left out.
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

from bench.finding import Finding
from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.load import generators
from pytest_infperf.load.generators import Target
from pytest_infperf.load.shapes import ClosedLoop
from pytest_infperf.load.traffic import Traffic
from pytest_infperf.measure.blocks import endless_draw
from pytest_infperf.stats import bootstrap, quantile

SUITE = Path("suites/serving/translation")
VARIANT = "onnx-fused-int8"
CONNECTIONS = 4
SECONDS = 5.0
ROUNDS = 8
FIXED_SHARE = 0.5
"""Of the closed loop's rate."""
_FURTHEST = 0.1
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Seen:
    """What one generator reports of one round."""

    rate: float
    """Requests a second."""
    mean_s: float
    p99_s: float


_QUANTITIES: Mapping[str, Callable[[Seen], float]] = {
    "requests a second": lambda seen: seen.rate,
    "mean latency": lambda seen: seen.mean_s,
}


def findings() -> Iterator[Finding]:
    suite_run, variant = one_variant(SUITE, VARIANT, Path(".infperf_cache"))
    try:
        server = suite_run.server.running(variant)
        draw = endless_draw(suite_run.numbers, 0)
        target = suite_run.server.target(server, suite_run.samples, draw)
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
    yield from _agreement("closed loop", rounds)


def _fixed_rate(target: Target, body: str) -> Iterator[Finding]:
    if not shutil.which("hey"):
        return
    full = _told(generators.streams(target, SECONDS, CONNECTIONS)).rate
    rate, seeds = FIXED_SHARE * full, count()
    rounds = _rounds(
        {
            "ours": lambda: _told(generators.open_loop(target, rate, SECONDS, next(seeds))),
            "hey": lambda: _hey(target, body, rate),
        }
    )
    ours, theirs = rounds["ours"], rounds["hey"]
    yield Finding(
        f"fixed rate of {rate:.0f}/s: hey's mean latency over ours, which has those who wait "
        "because others came at the same time",
        fmean(seen.mean_s for seen in theirs) / fmean(seen.mean_s for seen in ours),
        "x",
        limit=1.0 + _FURTHEST,
        how=f"{ROUNDS} rounds of {SECONDS:g} s in turns",
    )


def _agreement(what: str, rounds: Mapping[str, list[Seen]]) -> Iterator[Finding]:
    for name in [name for name in rounds if name != "ours"]:
        for quantity, of in _QUANTITIES.items():
            ratios = [
                of(theirs) / of(ours)
                for theirs, ours in zip(rounds[name], rounds["ours"], strict=True)
            ]
            bounds = bootstrap.mean(ratios, _CONFIDENCE, 0)
            interval = ", ".join("?" if b is None else f"{b:.3f}" for b in bounds)
            yield Finding(
                f"{what} of {CONNECTIONS}: {name}'s {quantity} against ours, off by",
                100 * abs(fmean(ratios) - 1),
                "%",
                limit=100 * _FURTHEST,
                how=f"ratio {fmean(ratios):.3f} [{interval}], {ROUNDS} rounds in turns",
            )


def _rounds(each: Mapping[str, Callable[[], Seen]]) -> dict[str, list[Seen]]:
    seen: dict[str, list[Seen]] = {name: [] for name in each}
    draw = random.Random(0)
    for _ in range(ROUNDS):
        for name in draw.sample(list(each), len(each)):
            seen[name].append(each[name]())
    return seen


def _told(traffic: Traffic) -> Seen:
    times = [reply.latency_s for reply in traffic.replies if reply.ok]
    begun = min(reply.sent_s for reply in traffic.replies)
    seconds = max(reply.done_s for reply in traffic.replies) - begun
    return Seen(len(times) / seconds, fmean(times), quantile.percentile(times, 0.99))


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
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS:g}s", "--latency", "-s", file.name,
             target.url + target.path],
        )  # fmt: skip
    mean = re.search(r"Latency\s+([\d.]+)(us|ms|s)", out)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if not (mean and p99 and rate):
        raise ValueError(out)
    return Seen(float(rate[1]), _seconds(mean), _seconds(p99))


def _hey(target: Target, body: str, rate: float) -> Seen:
    out = _output(
        target,
        ["hey", "-z", f"{SECONDS:g}s", "-c", str(CONNECTIONS), "-q", f"{rate / CONNECTIONS:.3f}",
         "-m", "POST", "-T", "application/json", "-D", body, target.url + target.path],
    )  # fmt: skip
    mean = re.search(r"Average:\s+([\d.]+) secs", out)
    p99 = re.search(r"99% in ([\d.]+) secs", out)
    seen_rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if not (mean and p99 and seen_rate):
        raise ValueError(out)
    return Seen(float(seen_rate[1]), float(mean[1]), float(p99[1]))


def _output(target: Target, command: list[str]) -> str:
    """On the generator's cores."""
    cores = ",".join(map(str, target.cpus or [0]))
    return subprocess.run(
        ["taskset", "-c", cores, *command], capture_output=True, text=True, check=True
    ).stdout


def _seconds(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[found[2]]
