"""The facts of a host, with readable labels and units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_infperf.records.quantity import format_value


def _frequency(hertz: float) -> str:
    return f"{hertz / 1e9:.3g} GHz"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


_FACTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "instance_type": ("instance type", str),
    "region": ("region", str),
    "usd_per_hour": ("price", lambda usd: f"{usd:g} USD an hour"),
    "price_source": ("source of the price", str),
    "cpu_model": ("CPU", str),
    "cpu_vendor": ("CPU vendor", str),
    "architecture": ("architecture", str),
    "instruction_sets": ("instruction sets", lambda names: ", ".join(names) or "none"),
    "logical_cores": ("logical cores", str),
    "physical_cores": ("physical cores", str),
    "threads_per_core": ("threads per core", str),
    "affinity": ("cores of the run", lambda cores: ", ".join(map(str, cores))),
    "cgroup_cpu_cores": ("CPU limit", lambda cores: f"{cores:g} cores"),
    "governor": ("frequency governor", str),
    "turbo": ("turbo", lambda is_on: "on" if is_on else "off"),
    "frequency_min_hz": ("lowest frequency", _frequency),
    "frequency_max_hz": ("highest frequency", _frequency),
    "memory_bytes": ("memory", lambda count: format_value(count, "bytes")),
    "steal_fraction": ("steal", _percent),
}
"""Label of each fact, and the function that formats its value; others are shown by their name."""


def host_facts(host: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and value of each known fact, the hardware first.

    Examples
    --------
    >>> host_facts({"kernel": "6.1", "memory_bytes": 25276502016, "steal_fraction": 0.0021})
    [('memory', '25.3 GB'), ('steal', '0.2 %'), ('kernel', '6.1')]
    """
    known = {name: value for name, value in host.items() if value not in (None, {}, [])}
    first = [
        (label, text(known.pop(name))) for name, (label, text) in _FACTS.items() if name in known
    ]
    return first + [(name.replace("_", " "), _text(value)) for name, value in known.items()]


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
