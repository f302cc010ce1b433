"""The line of pytest's header that describes a run."""

from __future__ import annotations

from importlib.metadata import version

from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.quantity import format_value
from pytest_infperf.session import limits_file
from pytest_infperf.session.session import Session


def header_line(session: Session) -> str:
    """Return the version, the host, the budget, the file of limits and the other revision."""
    settings, thresholds, host = session.settings, session.thresholds, session.run.host
    budgets_s = [
        settings.budget_s or thresholds.policy(suite).budget_s
        for suite in ("", *thresholds.measured_suites)
    ]
    ends = dict.fromkeys(format_value(end(budgets_s), "s") for end in (min, max))
    budget = f"budget {' to '.join(ends)} per test"
    if settings.time_s:
        budget = f"measuring time {format_value(settings.time_s, 's')}"
    parts = [
        f"infperf: {version('pytest-infperf')}",
        f"on {', '.join(host_names(host)) or 'an unknown CPU'}",
        f"{host['logical_cores']} cores",
        budget,
        limits_file.named(settings),
    ]
    if against := session.run.against:
        parts.append(f"against {against['name']} ({against['commit'][:10]})")
    return ", ".join(parts)
