"""Lines above a suite's table: what was measured, and on which host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_infperf.records.record import Record
from pytest_infperf.report.tables import cells


def suite_heading(suite: str, records: Sequence[Record]) -> str:
    """Return the suite's name with its number of variants, baseline, confidence and samples."""
    parts = [suite, f"{len(records)} variants" if len(records) > 1 else "1 variant"]
    settings = _common_settings(records)
    if baseline := settings.get("baseline_id"):
        parts.append(f"baseline {baseline}")
    if confidence := settings.get("confidence"):
        parts.append(f"{100 * confidence:.4g} % confidence")
    if samples := settings.get("samples"):
        parts.append(f"{samples} sample{'' if samples == 1 else 's'}")
    return " · ".join(parts)


def host_heading(host: Mapping[str, Any]) -> str:
    """Return the host's instance type, CPU, cores and GPUs, as far as they are known."""
    parts = [
        host.get("instance_type"),
        host.get("cpu_model") or "unknown CPU",
        _cores(host),
        *(host.get("gpus") or ()),
    ]
    return ", ".join(part for part in parts if part)


def _common_settings(records: Sequence[Record]) -> dict[str, Any]:
    """Return each setting from the first variant that has it: a variant that failed has few."""
    common: dict[str, Any] = {}
    for record in records:
        for key, value in record.settings.entries().items():
            common.setdefault(key, value)
        if cells.is_baseline(record):
            common.setdefault("baseline_id", record.variant)
    return common


def _cores(host: Mapping[str, Any]) -> str | None:
    logical, physical = host.get("logical_cores"), host.get("physical_cores")
    cores = physical or logical
    if not cores:
        return None
    text = f"{cores} core{'s' if cores > 1 else ''}"
    if physical and logical and logical != physical:
        text += f" with {logical} threads"
    limits = [len(host.get("affinity") or ()), host.get("cgroup_cpu_cores")]
    usable = min((limit for limit in limits if limit), default=None)
    return f"{text}, {usable:g} usable" if usable and usable < (logical or cores) else text
