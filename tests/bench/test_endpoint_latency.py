"""The percentiles of loadtest come from the text that it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import endpoint_latency
from bench.endpoint_latency import RATE, SECONDS

OUTPUT = """
Concurrent clients:  53
Running on cores:    1
Agent:               none

Completed requests:  {completed}
Total errors:        {errors}
Total time:          30.002 s
Mean latency:        42.1 ms
Effective rps:       100

Percentage of requests served within a certain time
  50%      22 ms
  90%      118 ms
  95%      216 ms
  99%      301 ms
 100%      321 ms (longest request)
"""
SENT = round(RATE * SECONDS)


def command(folder: Path, **counts: int) -> str:
    """Return the path of a program that prints the output of loadtest."""
    program = folder / "loadtest"
    program.write_text(f"#!/bin/sh\ncat <<'END'{OUTPUT.format(**counts)}END\n")
    program.chmod(0o755)
    return str(program)


def test_percentiles_are_in_the_middle_of_a_millisecond(tmp_path: Path) -> None:
    loadtest = command(tmp_path, completed=SENT, errors=0)
    percentiles = endpoint_latency._loadtest(loadtest, "http://host")
    assert percentiles == pytest.approx([0.0225, 0.1185, 0.3015])


@pytest.mark.parametrize(
    ("completed", "errors", "message"),
    [(SENT // 2, 0, f"{SENT // 2} of {SENT} requests, 0 errors"), (SENT, 3, "3 errors")],
)
def test_a_lower_rate_and_errors_are_not_compared(
    tmp_path: Path, completed: int, errors: int, message: str
) -> None:
    loadtest = command(tmp_path, completed=completed, errors=errors)
    with pytest.raises(RuntimeError, match=message):
        endpoint_latency._loadtest(loadtest, "http://host")
