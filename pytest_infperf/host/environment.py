"""Coverage tools, profilers and debug modes in measured processes: their variables and hooks.

A coverage tool or profiler in pytest may start itself in each Python process that inherits its
variables. Workers, servers and load generators run without it, because it slows variants
differently.
"""

from __future__ import annotations

import os
import sys
import threading
import tracemalloc
from collections.abc import Iterator, Mapping

from pytest_infperf.errors import UserError

_PREFIXES = (
    "COV_CORE_",  # pytest-cov
    "COVERAGE_",
    "PYINSTRUMENT_",
    "SCALENE_",
)
_NAMES = frozenset(
    {
        "CPUPROFILE", "HEAPCHECK", "HEAPPROFILE",  # gperftools
        "DD_PROFILING_ENABLED",
        "LD_DEBUG", "LD_PROFILE", "MALLOC_CHECK_", "MALLOC_TRACE",  # glibc
        "LINE_PROFILE",
        "PYTHONASYNCIODEBUG", "PYTHONDEBUG", "PYTHONDEVMODE", "PYTHONDUMPREFS", "PYTHONINSPECT",
        "PYTHONMALLOCSTATS", "PYTHONPERFSUPPORT", "PYTHONPROFILEIMPORTTIME", "PYTHONTRACEMALLOC",
        "PYTHONVERBOSE", "PYTHON_PERF_JIT_SUPPORT",
    }
)  # fmt: skip
_PRELOADS = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES")
_PRELOADED_PROFILERS = ("libscalene", "libprofiler", "libheaptrack", "libbytehound")
_MONITORING_TOOLS = 6
"""Maximum number of tools of sys.monitoring."""


def without_observers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables for coverage tools, profilers and debug modes.

    Variables that may also be set in production are kept, such as the choice of an allocator.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _NAMES and not name.startswith(_PREFIXES)
    }
    if kept.get("PYTHONMALLOC", "").endswith("debug"):
        del kept["PYTHONMALLOC"]
    for name in _PRELOADS:
        if name in kept:
            libraries = kept[name].replace(":", " ").split()
            kept[name] = ":".join(
                path
                for path in libraries
                if not os.path.basename(path).startswith(_PRELOADED_PROFILERS)
            )
            if not kept[name]:
                del kept[name]
    return kept


def refuse_observers() -> None:
    """Raise UserError if this process is traced or profiled, with the name of the tool."""
    if names := list(dict.fromkeys(_observers())):
        raise UserError(
            f"{' and '.join(names)} slows this process, so its times would be wrong. Measure "
            "without it, or configure it so that it does not start in child processes of pytest"
        )


def _observers() -> Iterator[str]:
    hooks = {
        "sys.settrace": sys.gettrace(),
        "sys.setprofile": sys.getprofile(),
        "threading.settrace": threading.gettrace(),
        "threading.setprofile": threading.getprofile(),
    }
    for place, hook in hooks.items():
        if hook is not None:
            yield f"{_name(hook)} (by {place})"
    monitoring = getattr(sys, "monitoring", None)
    for tool in range(_MONITORING_TOOLS if monitoring else 0):
        name = monitoring.get_tool(tool)  # type: ignore[union-attr]
        if name and monitoring.get_events(tool):  # type: ignore[union-attr]
            yield f"{name} (by sys.monitoring)"
    if tracemalloc.is_tracing():
        yield "tracemalloc"


def _name(hook: object) -> str:
    of_type = type(hook)
    module = getattr(hook, "__module__", None) or of_type.__module__
    return f"{module}.{getattr(hook, '__qualname__', of_type.__qualname__)}"
