"""The difference between processes of the same code on this host, stored in the cache.

Every comparison of several pairs of processes adds their observed difference. If it is larger than
the cautious prior assumes, later runs use a prior with the observed difference. If it is smaller,
they keep the cautious prior: a smaller one would cause wrong verdicts when the host is busy, and
verdicts would be hardly faster (`python -m bench calibration`).
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
"""Minimum number of comparisons from which a prior is estimated."""
_MOST_DEVIATION = 0.03
"""Maximum standard deviation of a prior, so that an hour of heavy load has no lasting effect."""
_MOST_COMPARISONS = 60
"""Number of the latest comparisons that are kept."""


class HostNoise:
    """The observed differences between processes on a host.

    Parameters
    ----------
    cache : Path
        The folder of artifacts, in which the differences are stored.
    host : mapping
        The fingerprint of the host.
    """

    def __init__(self, cache: Path, host: Mapping[str, Any]) -> None:
        # The instance type is left out: it is unknown if EC2's metadata service may not be asked.
        facts = [host.get(fact) for fact in DECIDES_SPEED if fact != "instance_type"]
        name = hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]
        self._path = cache / "hosts" / f"{name}.json"
        self._about = {fact: host.get(fact) for fact in ("cpu_model", "logical_cores")}
        self._comparisons: list[tuple[int, float]] = []
        with suppress(OSError, ValueError, TypeError, KeyError):  # a damaged file is ignored
            document = json.loads(self._path.read_text(encoding="utf-8"))
            self._comparisons = [(int(n), float(v)) for n, v in document["comparisons"]]

    def prior(self) -> ProcessPrior:
        """Return the prior for processes on this host."""
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

        If the cache cannot be written, they are known in this run only.
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
