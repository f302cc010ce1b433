"""Compare our times of tokens with GuideLLM's, on the same server.

The server is GuideLLM's mock server, which streams tokens at random intervals. Both clients send
one request after another, in turns. GuideLLM's inter-token latency of a request is our time per
output token: the time from the first to the last token, divided by the number of later tokens.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean

from bench import http_server
from bench.finding import Finding, interval
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.tokens import token_times

REQUESTS = 40
"""Requests of one round of one client."""
ROUNDS = 10
"""Rounds of each client.

The time to the first token has a standard deviation of 20 %, so that the ratio of the means of all
rounds has one of 1.4 %.
"""
OUTPUT_TOKENS = 32
_SERVER = (
    "--model", "mock", "--ttft-ms", "50", "--ttft-ms-std", "10", "--itl-ms", "10",
    "--itl-ms-std", "2",
)  # fmt: skip
_LARGEST_DIFFERENCE = 0.05
"""Limit on the difference between the means, as a fraction."""
_TIMES = ("time to the first token", "time per output token")
_PROMPT = "The quick brown fox jumps over the lazy dog"


def findings() -> Iterator[Finding]:
    guidellm = shutil.which("guidellm")
    if not guidellm:
        raise SystemExit("guidellm is not installed: pip install guidellm, in an environment apart")

    def command(port: int) -> list[str]:
        return [guidellm, "mock-server", "--port", str(port), *_SERVER]

    with (
        tempfile.TemporaryDirectory(prefix="infperf-tokens-") as name,
        http_server.started(command, Path(name), ready_path="/health") as url,
    ):
        measure: dict[str, Callable[[], list[float]]] = {
            "ours": lambda: _ours(url),
            "GuideLLM": lambda: _guidellm(guidellm, url, Path(name)),
        }
        rounds: dict[str, list[list[float]]] = {client: [] for client in measure}
        rng = random.Random(0)
        for _ in range(ROUNDS):
            for client in rng.sample(list(measure), len(measure)):
                rounds[client].append(measure[client]())
    for index, quantity in enumerate(_TIMES):
        pairs = zip(rounds["GuideLLM"], rounds["ours"], strict=True)
        ratios = [theirs[index] / ours[index] for theirs, ours in pairs]
        ours_ms = 1e3 * fmean(ours[index] for ours in rounds["ours"])
        yield Finding(
            f"difference of the mean {quantity}",
            100 * abs(fmean(ratios) - 1),
            "%",
            limit=100 * _LARGEST_DIFFERENCE,
            detail=f"GuideLLM / ours {fmean(ratios):.3f} [{interval(ratios)}], ours "
            f"{ours_ms:.2f} ms; {ROUNDS} rounds of {REQUESTS} requests in turns",
        )


def _ours(url: str) -> list[float]:
    request = {"model": "mock", "prompt": _PROMPT, "max_tokens": OUTPUT_TOKENS}
    body = json.dumps(request).encode()
    target = Target(url, "/v1/completions", [body], 1, timeout_s=30, cpus=None).streamed()
    replies = generators.streams(target, 600, requests=REQUESTS).replies
    if len(replies) != REQUESTS or not all(reply.ok for reply in replies):
        raise RuntimeError(f"{sum(reply.ok for reply in replies)} of {REQUESTS} requests succeeded")
    times = token_times(replies)
    return [fmean(times.first_s), fmean(times.per_token_s)]


def _guidellm(command: str, url: str, folder: Path) -> list[float]:
    prompts, results = folder / "prompts.jsonl", folder / "benchmarks.json"
    prompts.write_text(f"{json.dumps({'prompt': _PROMPT})}\n" * REQUESTS)
    settings = f"model=mock,request_format=/v1/completions,max_tokens={OUTPUT_TOKENS}"
    subprocess.run(
        [command, "run", "--backend", f"kind=openai_http,target={url},{settings}",
         "--profile", "kind=synchronous", "--data", f"kind=json_file,path={prompts}",
         "--constraint", f"kind=max_requests,count={REQUESTS}",
         "--output", f"kind=json,path={results}", "--disable-console"],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    (benchmark,) = json.loads(results.read_text("utf-8"))["benchmarks"]
    answered = benchmark["requests"]["successful"]
    if len(answered) != REQUESTS:
        raise RuntimeError(f"GuideLLM: {len(answered)} of {REQUESTS} requests succeeded")
    return [
        fmean(request[name] for request in answered) / 1e3
        for name in ("time_to_first_token_ms", "inter_token_latency_ms")
    ]
