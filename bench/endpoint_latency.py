"""Compare the percentiles of our open loop with autocannon's, on an endpoint that stalls.

The endpoint is a separate FastAPI app that waits 20 ms for each request and stops for 0.3 s about
every two seconds, as during garbage collection. Percentiles from intended send times include the
requests that arrive during a stall. autocannon (from npm) sends at a fixed rate on enough
connections, and corrects for coordinated omission, as wrk2 does. Stalls come at random times,
because autocannon sends all requests of a second together: regular stalls would meet all or none.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import fmean

from bench.finding import Finding, interval
from bench.other_servers import wait_for
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.server.address import bound
from pytest_infperf.stats import quantile

RATE = 100.0
"""Requests per second."""
SECONDS = 20.0
"""Duration of one round of one generator, in seconds."""
ROUNDS = 6
CONNECTIONS = 50
"""Connections of autocannon, more than the number of waiting requests at any time."""
PERCENTILES = (0.5, 0.9, 0.99)
_LARGEST_DIFFERENCE = 0.1
"""Limit on the difference between the percentiles, as a fraction."""
_APP = """
import asyncio, contextlib, random, time
from fastapi import FastAPI

async def stall():
    while True:
        await asyncio.sleep(random.uniform(0.7, 2.7))
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
    autocannon = shutil.which("autocannon")
    if not autocannon:
        raise SystemExit("autocannon is not installed: npm install --global autocannon")
    with _endpoint() as url:
        target = Target(url, "/answer", [_BODY], 1, timeout_s=30, cpus=None)
        seeds = count()
        measure: dict[str, Callable[[], list[float]]] = {
            "ours": lambda: _ours(target, next(seeds)),
            "autocannon": lambda: _autocannon(autocannon, url),
        }
        rounds: dict[str, list[list[float]]] = {name: [] for name in measure}
        rng = random.Random(0)
        for _ in range(ROUNDS):
            for name in rng.sample(list(measure), len(measure)):
                rounds[name].append(measure[name]())
    for index, percentile in enumerate(PERCENTILES):
        pairs = zip(rounds["autocannon"], rounds["ours"], strict=True)
        ratios = [theirs[index] / ours[index] for theirs, ours in pairs]
        ours_ms = 1e3 * fmean(ours[index] for ours in rounds["ours"])
        yield Finding(
            f"{RATE:g} requests/s: difference of p{100 * percentile:g}",
            100 * abs(fmean(ratios) - 1),
            "%",
            limit=100 * _LARGEST_DIFFERENCE,
            detail=f"autocannon / ours {fmean(ratios):.3f} [{interval(ratios)}], ours "
            f"{ours_ms:.1f} ms; {ROUNDS} rounds of {SECONDS:g} s in turns",
        )


@contextmanager
def _endpoint() -> Iterator[str]:
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="infperf-endpoint-") as folder:
        Path(folder, "stalling.py").write_text(_APP)
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "stalling:app", "--port", str(port),
             "--log-level", "error", "--no-access-log"],
            cwd=folder,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process)
            yield url
        finally:
            process.terminate()
            process.wait()


def _ours(target: Target, seed: int) -> list[float]:
    replies = generators.open_loop(target, RATE, SECONDS, seed).replies
    latencies_s = [reply.latency_s for reply in replies if reply.ok]
    return [quantile.percentile(latencies_s, percentile) for percentile in PERCENTILES]


def _autocannon(command: str, url: str) -> list[float]:
    out = subprocess.run(
        [command, "--json", "--connections", str(CONNECTIONS), "--overallRate", f"{RATE:g}",
         "--duration", f"{SECONDS:g}", "--method", "POST", "--body", _BODY.decode(),
         "--headers", "content-type=application/json", f"{url}/answer"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    latency_ms = json.loads(out)["latency"]
    return [latency_ms[f"p{100 * percentile:g}"] / 1e3 for percentile in PERCENTILES]
