"""Compare the percentiles of our open loop with loadtest's, on an endpoint that stalls.

The endpoint is a separate FastAPI app that waits 20 ms for each request and stops for 0.3 s about
every two seconds, as during garbage collection. Open loops send the requests that arrive during a
stall, so about 15 % of requests wait for its end: the 90th and the 99th percentile are waits.

loadtest (from npm) sends at equal intervals, each request on a connection of its own and without a
limit on their number. It measures from the actual start of a request, with the connection, and
rounds down to whole milliseconds, to which half a millisecond is added here. Our requests arrive
at random times. Stalls come at random times as well, so that their phase in the intervals varies;
both generators then meet them equally often. Their total length varies little, because the 90th
percentile follows it closely.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import fmean

from bench import http_server
from bench.finding import Finding, interval
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.stats import quantile

RATE = 100.0
"""Requests per second."""
SECONDS = 30.0
"""Duration of one round of one generator, in seconds."""
ROUNDS = 10
"""Rounds of each generator, for an interval of about 6 % around the ratio of the 90th percentiles.

A simulation of both arrival processes gives standard deviations of the ratio of one round: 9 % at
the 90th percentile, 0.6 % at the 99th.
"""
PERCENTILES = (0.5, 0.9, 0.99)
_LARGEST_DIFFERENCE = 0.1
"""Limit on the difference between the percentiles, as a fraction."""
_LEAST_COMPLETED = 0.95
"""Fraction of the intended requests below which loadtest did not keep the rate."""
_COUNTS = ("Completed requests", "Total errors")
"""Counts in loadtest's output."""
_APP = """
import asyncio, contextlib, random, time
from fastapi import FastAPI

async def stall():
    while True:
        await asyncio.sleep(random.uniform(1.6, 1.8))
        time.sleep(0.3)

@contextlib.asynccontextmanager
async def lifespan(app):
    task = asyncio.create_task(stall())
    yield
    task.cancel()

app = FastAPI(lifespan=lifespan)

@app.post("/answer")
async def answer(body: dict):
    await asyncio.sleep(0.02)
    return {"answer": body["question"]}

@app.get("/healthz")
async def healthz():
    return {}
"""
_BODY = b'{"question": "why"}'


def findings() -> Iterator[Finding]:
    loadtest = shutil.which("loadtest")
    if not loadtest:
        raise SystemExit("loadtest is not installed: npm install --global loadtest")
    with _endpoint() as url:
        target = Target(url, "/answer", [_BODY], 1, timeout_s=30, cpus=None)
        seeds = count()
        measure: dict[str, Callable[[], list[float]]] = {
            "ours": lambda: _ours(target, next(seeds)),
            "loadtest": lambda: _loadtest(loadtest, url),
        }
        rounds: dict[str, list[list[float]]] = {name: [] for name in measure}
        rng = random.Random(0)
        for _ in range(ROUNDS):
            for name in rng.sample(list(measure), len(measure)):
                rounds[name].append(measure[name]())
    for index, percentile in enumerate(PERCENTILES):
        pairs = zip(rounds["loadtest"], rounds["ours"], strict=True)
        ratios = [theirs[index] / ours[index] for theirs, ours in pairs]
        ours_ms = 1e3 * fmean(ours[index] for ours in rounds["ours"])
        yield Finding(
            f"{RATE:g} requests/s: difference of p{100 * percentile:g}",
            100 * abs(fmean(ratios) - 1),
            "%",
            limit=100 * _LARGEST_DIFFERENCE,
            detail=f"loadtest / ours {fmean(ratios):.3f} [{interval(ratios)}], ours "
            f"{ours_ms:.1f} ms; {ROUNDS} rounds of {SECONDS:g} s in turns",
        )


@contextmanager
def _endpoint() -> Iterator[str]:
    def command(port: int) -> list[str]:
        at = ["--port", str(port), "--log-level", "error", "--no-access-log"]
        return [sys.executable, "-m", "uvicorn", "stalling:app", *at]

    with tempfile.TemporaryDirectory(prefix="infperf-endpoint-") as folder:
        Path(folder, "stalling.py").write_text(_APP)
        with http_server.started(command, Path(folder)) as url:
            yield url


def _ours(target: Target, seed: int) -> list[float]:
    replies = generators.open_loop(target, RATE, SECONDS, seed).replies
    latencies_s = [reply.latency_s for reply in replies if reply.ok]
    return [quantile.percentile(latencies_s, percentile) for percentile in PERCENTILES]


def _loadtest(command: str, url: str) -> list[float]:
    out = subprocess.run(
        [command, "--rps", f"{RATE:g}", "--maxSeconds", f"{SECONDS:g}", "--cores", "1", "--quiet",
         "--method", "POST", "--contentType", "application/json", "--data", _BODY.decode(),
         f"{url}/answer"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    sent = SECONDS * RATE
    completed, errors = (int(re.findall(rf"{words}: +(\d+)", out)[0]) for words in _COUNTS)
    if errors or completed < _LEAST_COMPLETED * sent:
        raise RuntimeError(f"loadtest: {completed} of {sent:g} requests, {errors} errors:\n{out}")
    found = {int(percent): int(ms) for percent, ms in re.findall(r"(\d+)% +(\d+) ms", out)}
    return [(found[round(100 * percentile)] + 0.5) / 1e3 for percentile in PERCENTILES]
