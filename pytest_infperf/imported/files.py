"""Reading of result files: `vllm bench serve`, GuideLLM and AIPerf.

Each format has the times of single requests, which intervals and verdicts on percentiles need. A
file with summaries only is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.imported.run import ServedRequest, ServedRun
from pytest_infperf.records.points import point


def read_runs(path: Path) -> list[ServedRun]:
    """Return the runs in a result file; its format is detected.

    Raises
    ------
    UserError
        If the file cannot be read, has another format, or has no times of single requests.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    document = _parsed(text, path)
    try:
        runs = list(_reader(document, path)(document, path))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} has an unexpected structure ({type(error).__name__}: {error}): it may be of a "
            "version that is not known here"
        ) from error
    for run in runs:
        if not run.requests:
            raise UserError(f"{path}: no request of {run.load} was answered, {run.failed} failed")
        for number, request in enumerate(run.requests, 1):
            if not request.is_timed:
                raise UserError(
                    f"{path}: answered request {number} of {run.load} has a time that is not a "
                    "finite number above 0, so its limits cannot be judged"
                )
    if len({run.load for run in runs}) < len(runs):
        raise UserError(f"{path} has several runs at one load: write each to a file of its own")
    return runs


def _parsed(text: str, path: Path) -> Any:
    """Return the JSON document, or the list of the documents of JSON Lines."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    documents = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                documents.append(json.loads(line))
            except ValueError as error:
                raise UserError(f"{path}:{number} is not JSON: {error}") from error
    return documents


def _reader(document: Any, path: Path) -> Callable[[Any, Path], Iterator[ServedRun]]:
    if isinstance(document, Mapping):
        if "benchmarks" in document:
            return _guidellm
        if "request_throughput" in document:
            return _vllm
        if "time_to_first_token" in document or "request_latency" in document:
            raise UserError(
                f"{path} has only AIPerf's summary: import profile_export.jsonl, which has each "
                "request"
            )
    elif isinstance(document, list) and document and "metadata" in document[0]:
        return _aiperf
    raise UserError(
        f"{path} is not a result file of vllm bench serve, GuideLLM (benchmarks.json) or AIPerf "
        "(profile_export.jsonl)"
    )


def _vllm(document: Mapping[str, Any], path: Path) -> Iterator[ServedRun]:
    if "ttfts" not in document:
        raise UserError(
            f"{path} has no times of single requests: run vllm bench serve with --save-result and "
            "--save-detailed"
        )
    starts = document.get("start_times") or [None] * len(document["ttfts"])
    columns = ("ttfts", "itls", "input_lens", "output_lens", "errors")
    rows = list(zip(starts, *(document[name] for name in columns), strict=True))
    requests = [
        ServedRequest(
            latency_s=first + sum(gaps),
            prompt_tokens=prompt,
            output_tokens=output,
            first_token_s=first,
            gaps_s=gaps,
            start_s=start,
        )
        for start, first, gaps, prompt, output, error in rows
        if not error
    ]
    users = document.get("max_concurrency")
    load = point("users", users) if users else point("rate", float(document["request_rate"]))
    failed = len(rows) - len(requests)
    yield ServedRun("vllm bench serve", load, document.get("model_id") or "", requests, failed)


def _guidellm(document: Mapping[str, Any], path: Path) -> Iterator[ServedRun]:
    for number, benchmark in enumerate(document["benchmarks"]):
        by_state = benchmark["requests"]
        requests = [_of_guidellm(request) for request in by_state["successful"]]
        counted = benchmark.get("metrics", {}).get("request_totals", {}).get("successful")
        if counted and counted != len(requests):
            raise UserError(
                f"{path} has {len(requests)} of {counted} answered requests: run guidellm "
                "without a limit on the sampled requests"
            )
        strategy = benchmark.get("config", {}).get("strategy", {})
        yield ServedRun(
            "GuideLLM",
            _load_of(strategy) or f"benchmark={number}",
            str(benchmark.get("config", {}).get("model") or ""),
            requests,
            len(by_state["errored"]),
        )


def _of_guidellm(request: Mapping[str, Any]) -> ServedRequest:
    first_ms = request["time_to_first_token_ms"]
    return ServedRequest(
        latency_s=request["request_latency"],
        prompt_tokens=request["prompt_tokens"] or 0,
        output_tokens=request["output_tokens"] or 0,
        first_token_s=None if first_ms is None else first_ms / 1e3,
        start_s=request.get("request_start_time"),
    )


def _load_of(strategy: Mapping[str, Any]) -> str:
    if users := strategy.get("streams") or strategy.get("max_concurrency"):
        return point("users", users)
    if rate := strategy.get("rate"):
        return point("rate", rate)
    return point("users", 1) if strategy.get("type_") == "synchronous" else ""


def _aiperf(records: Sequence[Mapping[str, Any]], path: Path) -> Iterator[ServedRun]:
    profiled = [r for r in records if r["metadata"].get("benchmark_phase") != "warmup"]
    requests = [_of_aiperf(record) for record in profiled if not record["error"]]
    failed = len(profiled) - len(requests)
    yield ServedRun("AIPerf", "aiperf", "", requests, failed)


def _of_aiperf(record: Mapping[str, Any]) -> ServedRequest:
    metrics = record["metrics"]
    first = metrics.get("time_to_first_token")
    chunks = metrics.get("inter_chunk_latency")
    return ServedRequest(
        latency_s=_seconds(metrics["request_latency"]),
        prompt_tokens=int(metrics["input_sequence_length"]["value"]),
        output_tokens=int(metrics["output_sequence_length"]["value"]),
        first_token_s=None if first is None else _seconds(first),
        gaps_s=[value * _SCALES[chunks["unit"]] for value in chunks["value"]] if chunks else (),
        start_s=record["metadata"]["request_start_ns"] / 1e9,
    )


_SCALES = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def _seconds(metric: Mapping[str, Any]) -> float:
    return float(metric["value"]) * _SCALES[metric["unit"]]
