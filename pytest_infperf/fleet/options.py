"""The options of a node's pytest: those of this run, except for its output files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_infperf.errors import UserError
from pytest_infperf.options import OPTIONS, Option

if TYPE_CHECKING:
    import pytest

_NOT_FOR_NODES = {"json", "html", "cache", "against", "against-python", "ray"}
NO_CACHE = "no:cacheprovider"
"""Argument of pytest's option -p that removes its cache, and with it the ini key cache_dir."""
_PATHS = {"thresholds", "prices"}


def node_options(config: pytest.Config) -> list[str]:
    """Return the command line of a node's pytest, without its tests.

    The ini file is shipped, so its settings are not repeated. Raises UserError if an option names
    a file outside the project, which is not shipped.
    """
    return list(_options(config))


def _options(config: pytest.Config) -> Iterator[str]:
    yield from ("--infperf", "--rootdir=.")
    if config.inipath:
        yield from ("-c", _below_root("-c", config.inipath, config.rootpath))
    for option in OPTIONS.values():
        if option.name not in _NOT_FOR_NODES:
            yield from _given(option, config)
    # Set to empty values, because the shipped ini file may set them too.
    for name in sorted(_NOT_FOR_NODES - {"cache"}):
        yield f"{OPTIONS[name].flag}="
    for setting in config.option.override_ini or ():
        yield from ("-o", setting)
    for name in config.option.plugins:
        yield from ("-p", name)
    if not config.pluginmanager.hasplugin("cacheprovider"):  # also if the ini file removes it
        yield from ("-p", NO_CACHE)
    for warning in config.option.pythonwarnings or ():
        yield from ("-W", warning)
    if config.option.maxfail:
        yield f"--maxfail={config.option.maxfail}"
    yield f"--tb={config.option.tbstyle}"


def _given(option: Option, config: pytest.Config) -> Iterator[str]:
    """Yield the option as it was given on this run's command line."""
    value = config.getoption(option.key)
    if option.is_switch:
        if value and option.name not in ("", "ray-quality"):
            yield option.flag
    elif value is not None:
        if option.name in _PATHS and value != "aws":
            value = _below_root(option.flag, config.rootpath / value, config.rootpath)
        yield f"{option.flag}={value}"


def _below_root(option: str, path: Path, root: Path) -> str:
    if not path.is_relative_to(root):
        raise UserError(f"{option}: {path} is outside {root}, and only files below it are shipped")
    return str(path.relative_to(root))
