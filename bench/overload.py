"""Goodput of a server at 1, 4 and 16 times as many clients as places in its queue.

Every client sends its next request as soon as it has an answer or a refusal. If wrk (a Debian
package) is installed, it counts the answers; otherwise our own generator counts and times them.
Other servers do the same work afterwards (`bench.other_servers`), if they are installed (extra
`peers`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from urllib.request import urlopen

from bench import other_servers
from bench.finding import Finding
from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target

QUEUE = 64
TIMES = (1, 4, 16)
SECONDS = 5.0
"""Duration of one load, in seconds."""
WARM_UP_S = 1.0
"""Time in which all clients connect, in seconds. Its answers are not counted."""
QUERY_MS = {"fast": 0.2, "slow": 10.0}
_WRK = """
local ffi = require("ffi")
ffi.cdef("typedef struct {{ long s; long us; }} moment; int gettimeofday(moment *, void *);")
local now = ffi.new("moment")
local function seconds()
    ffi.C.gettimeofday(now, nil)
    return tonumber(now.s) + tonumber(now.us) / 1e6
end

wrk.method, wrk.body = "POST", [[{body}]]
wrk.headers["content-type"] = "application/json"
answers = 0
function setup(thread) the_thread = thread end
function init() start = seconds() end
function response(status)
    local at = seconds() - start
    if status == 200 and at >= {begin_s} and at < {end_s} then answers = answers + 1 end
end
function done() print("answers", the_thread:get("answers")) end
"""
_SUITE = f"""
from pytest_infperf import Echo, Fake, Serving, Suite
suite = Suite("echo", task=Echo(), model="model", serving=Serving(queue={QUEUE}),
    variants=[Fake(id=name, query_ms=ms) for name, ms in {QUERY_MS}.items()])
"""


@dataclass(frozen=True)
class Load:
    """Results of one load, as observed by the clients."""

    goodput: float
    """Answers with status 200 per second."""
    p99_s: float
    """99th percentile of the latency of those answers, in seconds."""
    health_s: float
    """Maximum response time of /healthz, in seconds."""

    def __str__(self) -> str:
        return (
            f"{self.goodput:.0f}/s, p99 {1e3 * self.p99_s:.0f} ms, "
            f"/healthz {1e3 * self.health_s:.0f} ms"
        )


def findings() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="infperf-overload-") as name:
        folder = Path(name)
        (folder / "suite.py").write_text(_SUITE)
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        for variant in QUERY_MS:
            yield from _findings(folder, variant)


def _findings(folder: Path, variant: str) -> Iterator[Finding]:
    suite_run, variant = one_variant(folder, variant, folder / "cache")
    with closing(suite_run):
        server = suite_run.server.running(variant)
        order = endless_order(suite_run.numbers, 0)
        target = suite_run.server.target(server.url, server.deployment, suite_run.samples, order)
        target = replace(target, bodies=target.bodies[:1])  # wrk sends one body
        ours = {times: _load(target, times * QUEUE) for times in TIMES}
        cores = suite_run.server.cores.server
    others = {
        name: _loads_of_another(name, target, QUERY_MS[variant] / 1e3, cores, folder)
        for name in other_servers.installed()
    }
    yield from _compared(variant, ours, others)


def _loads_of_another(
    name: str, target: Target, work_s: float, cores: Sequence[int], folder: Path
) -> dict[int, Load]:
    with other_servers.started(name, target.path, work_s, cores, folder) as url:
        return {times: _load(replace(target, url=url), times * QUEUE) for times in TIMES}


def _compared(
    variant: str, ours: Mapping[int, Load], others: Mapping[str, Mapping[int, Load]]
) -> Iterator[Finding]:
    best = max(load.goodput for load in ours.values())
    for times, load in ours.items():
        where = f"{variant}, {times} x {QUEUE} clients"
        beside = [f"{name} {loads[times]}" for name, loads in others.items()]
        beside += [f"{name} is not installed" for name in other_servers.missing()]
        yield Finding(
            f"{where}: goodput, relative to its best", 100 * load.goodput / best, "%", limit=90,
            at_least=True, detail="; ".join([f"ours {load}", *beside]),
        )  # fmt: skip
        yield Finding(
            f"{where}: p99 of answers", 1e3 * load.p99_s, "ms", limit=1e3 * (QUEUE + 1) / best,
            detail="the limit is the time for a full queue and the request in progress",
        )  # fmt: skip
        yield Finding(
            f"{where}: longest /healthz", 1e3 * load.health_s, "ms", limit=100,
            detail=f"requested continuously for {SECONDS:g} s",
        )  # fmt: skip


def _load(target: Target, clients: int) -> Load:
    done = Event()
    times_s: list[float] = []

    def ask_for_health() -> None:
        while not done.wait(0.05):
            start_s = monotonic()
            try:
                with urlopen(f"{target.url}/healthz", timeout=60) as response:
                    response.read()
            except OSError:
                times_s.append(inf)  # no answer at all
            times_s.append(monotonic() - start_s)

    asking = Thread(target=ask_for_health)
    asking.start()
    try:
        goodput, p99_s = _own(target, clients)
        if shutil.which("wrk"):
            goodput = _goodput_of_wrk(target, clients)
    finally:
        done.set()
        asking.join()
    return Load(goodput, p99_s, max(times_s, default=inf))


def _own(target: Target, clients: int) -> tuple[float, float]:
    replies = generators.streams(target, WARM_UP_S + SECONDS, clients).replies
    begin_s = min(reply.sent_s for reply in replies) + WARM_UP_S
    latencies_s = sorted(
        reply.latency_s
        for reply in replies
        if reply.ok and begin_s <= reply.done_s <= begin_s + SECONDS
    )
    if not latencies_s:
        return 0.0, inf
    return len(latencies_s) / SECONDS, latencies_s[int(0.99 * len(latencies_s))]


def _goodput_of_wrk(target: Target, clients: int) -> float:
    """Return the answers with status 200 per second after the warm-up, over all connections."""
    script = _WRK.format(
        body=target.bodies[0].decode(), begin_s=WARM_UP_S, end_s=WARM_UP_S + SECONDS
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{clients}", f"-d{WARM_UP_S + SECONDS + 1:g}s", "-s", file.name]
        out = subprocess.run(
            [*command, target.url + target.path], capture_output=True, text=True, check=True
        ).stdout
    found = re.search(r"answers\s+(\d+)", out)
    if not found:
        raise ValueError(f"cannot read the output of wrk:\n{out}")
    return int(found[1]) / SECONDS
