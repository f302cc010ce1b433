"""Results of other load generators: requests of 0.16 s with four tokens, one a second."""

from __future__ import annotations

import json
from typing import Any


def vllm(requests: int, failed: int = 0) -> dict[str, Any]:
    n = requests + failed
    return {
        "model_id": "m",
        "max_concurrency": 16,
        "request_rate": "inf",
        "request_throughput": 1.0,
        "input_lens": [10] * n,
        "output_lens": [4] * requests + [0] * failed,
        "ttfts": [0.1] * requests + [0.0] * failed,
        "itls": [[0.02, 0.02, 0.02]] * requests + [[]] * failed,
        "start_times": [100.0 + i for i in range(n)],
        "errors": [""] * requests + ["Connection refused"] * failed,
    }


def guidellm(requests: int, failed: int = 0) -> dict[str, Any]:
    successful = [
        {
            "request_latency": 0.16,
            "time_to_first_token_ms": 100.0,
            "inter_token_latency_ms": 20.0,
            "prompt_tokens": 10,
            "output_tokens": 4,
            "request_start_time": 100.0 + i,
        }
        for i in range(requests)
    ]
    states = {"successful": successful, "errored": [{}] * failed, "incomplete": []}
    strategy = {"type_": "concurrent", "streams": 4}
    return {"benchmarks": [{"config": {"strategy": strategy}, "requests": states}]}


def aiperf_lines(requests: int, failed: int = 0) -> str:
    def record(i: int) -> dict[str, Any]:
        return {
            "metadata": {"request_start_ns": int((100 + i) * 1e9), "benchmark_phase": "profiling"},
            "metrics": {
                "request_latency": {"value": 160.0, "unit": "ms"},
                "time_to_first_token": {"value": 100.0, "unit": "ms"},
                "inter_chunk_latency": {"value": [20.0, 20.0, 20.0], "unit": "ms"},
                "input_sequence_length": {"value": 10, "unit": "tokens"},
                "output_sequence_length": {"value": 4, "unit": "tokens"},
            },
            "error": None,
        }

    error = {"code": 499, "type": "RequestCancellationError", "message": "cancelled"}
    failures = [record(i) | {"metrics": {}, "error": error} for i in range(failed)]
    return "\n".join(map(json.dumps, [*map(record, range(requests)), *failures]))
