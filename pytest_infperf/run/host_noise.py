"""What processes of the same code differ by on this host, kept from run to run beside the cache.

Every comparison of several pairs of processes adds what they differed by. A host on which they
differ by more than the cautious prior has it gets a prior with what it has shown. A host on which
they differ by less keeps the cautious one: a smaller one would make verdicts wrong in the hour in
which the host is loud, and would decide hardly sooner (`python -m bench calibration`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_infperf.host.files import write_atomically
from pytest_infperf.host.fingerprint import DECIDES_SPEED
from pytest_infperf.records.evidence import ProcessPrior

_LEAST_COMPARISONS = 5
"""Minimum number of comparisons that tell something of a host."""
_MOST_DEVIATION = 0.03
"""Maximum standard deviation of a prior: that of an hour of heavy load decides nothing for days."""
_MOST_COMPARISONS = 60
"""Number of the latest comparisons that are kept."""


class HostNoise:
    """The differences between processes that a host has shown.

    Parameters
    ----------
    cache : Path
        The folder of artifacts, in which what hosts have shown is kept.
    host : mapping
        The fingerprint of the host.
    """

    def __init__(self, cache: Path, host: Mapping[str, Any]) -> None:
        # Without the instance type, which only a run that may ask EC2's metadata service knows.
        facts = [host.get(fact) for fact in DECIDES_SPEED if fact != "instance_type"]
        name = hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]
        self._path = cache / "hosts" / f"{name}.json"
        self._about = {fact: host.get(fact) for fact in ("cpu_model", "logical_cores")}
        self._comparisons: list[tuple[int, float]] = []
        with suppress(OSError, ValueError, TypeError, KeyError):  # a damaged file tells nothing
            document = json.loads(self._path.read_text(encoding="utf-8"))
            self._comparisons = [(int(n), float(v)) for n, v in document["comparisons"]]

    def prior(self) -> ProcessPrior:
        """Return what is known of processes on this host."""
        from pytest_infperf.stats.processes import CAUTIOUS, typical_deviation

        comparisons = len(self._comparisons)
        if comparisons >= _LEAST_COMPARISONS:
            shown = typical_deviation(self._comparisons)
            if shown > CAUTIOUS.deviation:
                deviation = min(shown, _MOST_DEVIATION)
                return ProcessPrior(deviation, CAUTIOUS.processes, comparisons)
        return ProcessPrior(CAUTIOUS.deviation, CAUTIOUS.processes, 0)

    def add(self, by_process: Sequence[Sequence[float]]) -> None:
        """Add the log ratios of a comparison, by pair of processes.

        A cache that cannot be written keeps nothing; this run knows it all the same.
        """
        from pytest_infperf.stats.processes import variance_between

        processes = [log_ratios for log_ratios in by_process if log_ratios]
        if len(processes) < 2:
            return
        self._comparisons.append((len(processes) - 1, variance_between(processes)))
        del self._comparisons[:-_MOST_COMPARISONS]
        document = {"schema": 1, "host": self._about, "comparisons": self._comparisons}
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(document) + "\n")
