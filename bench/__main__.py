"""`python -m bench [NAME ...]`: run benchmarks and compare each result with its limit.

The exit status is 1 if a limit is not met. docs/method.md lists the limits. `python -m bench peers`
has no limit and its own options: it compares the rules of other tools.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from bench import (
    calibration,
    coverage,
    endpoint_latency,
    killed_worker,
    load_generators,
    overload,
    peers,
    plain_pytest,
    regression,
    token_times,
    verdicts,
    warm_up,
    worker_overhead,
)
from bench.finding import Finding

BENCHMARKS: dict[str, Callable[[], Iterable[Finding]]] = {
    "plain-pytest": plain_pytest.findings,
    "worker-overhead": worker_overhead.findings,
    "warm-up": warm_up.findings,
    "calibration": calibration.findings,
    "verdicts": verdicts.findings,
    "coverage": coverage.findings,
    "regression": regression.findings,
    "load-generators": load_generators.findings,
    "overload": overload.findings,
    "killed-worker": killed_worker.findings,
    "endpoint-latency": endpoint_latency.findings,
    "token-times": token_times.findings,
}


def main() -> int:
    if sys.argv[1:2] == ["peers"]:
        return peers.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - BENCHMARKS.keys():
        parser.error(f"unknown benchmark {', '.join(unknown)}; choose from {', '.join(BENCHMARKS)}")
    met = True
    for name in names:
        for finding in BENCHMARKS[name]():
            print(finding, flush=True)
            met &= finding.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
