"""Interpreters of other environments: the packages that they have, and those that they lack.

A variant can be built and run by an interpreter of its own (`Backend.python`). This package must
be importable there. If it runs from a source tree, processes of the other interpreter import it
from there, too; otherwise the same version must be installed in the other environment.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from shlex import join

from pytest_infperf.errors import UserError
from pytest_infperf.host.environment import without_observers

_OWN = "pytest-infperf"
_LOWEST = (3, 11)
_TIME_LIMIT_S = 60
_IMPORTED = {
    "lazy_loader": "lazy-loader",
    "numpy": "numpy",
    "psutil": "psutil",
    "pydantic": "pydantic",
}
"""The modules that every worker imports, with their distributions."""
_PROBE = """\
import json, platform, sys
from importlib import metadata, util
versions = [(d.metadata["Name"], d.version) for d in metadata.distributions()]
lacking = [name for name in sys.argv[1:] if util.find_spec(name) is None]
print(json.dumps([platform.python_version(), versions, lacking]))
"""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that can run a worker."""

    path: str
    """The path of the executable file."""
    version: str
    """The version of Python, such as `3.12.4`."""
    distributions: Mapping[str, str] = field(repr=False)
    """The version of each installed distribution, by normalised name."""

    def version_of(self, distribution: str) -> str | None:
        """Return the version of an installed distribution; None if it is not installed."""
        return self.distributions.get(_normalised(distribution))

    def versions(self, distributions: Iterable[str]) -> dict[str, str]:
        """Return the versions of Python and of the installed ones among these distributions."""
        found = ((name, self.version_of(name)) for name in sorted(set(distributions)))
        return {"python": self.version, **{name: known for name, known in found if known}}

    def check(self, extra: str, purpose: str) -> None:
        """Raise UserError if the environment lacks packages of an extra of pytest-infperf."""
        if lacking := list(self._unmet(extra)):
            raise UserError(
                f"{self.path} cannot run {purpose}, because it lacks packages: "
                f"{pip_install(self.path, lacking)}"
            )

    def _unmet(self, extra: str) -> Iterator[str]:
        from packaging.requirements import Requirement

        for requirement in map(Requirement, metadata.requires(_OWN) or ()):
            marker = requirement.marker
            if not marker or marker.evaluate({"extra": ""}):
                continue  # not of an extra
            if not marker.evaluate({"extra": extra}):
                continue
            version = self.version_of(requirement.name)
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                requirement.marker = None
                yield str(requirement)


def pip_install(python: str, packages: Iterable[str]) -> str:
    """Return the command that installs packages in the environment of an interpreter."""
    return join([python, "-m", "pip", "install", *packages])


def find(named: str, folder: Path) -> str:
    """Return the path of an interpreter, which may be relative to a folder or begin with `~`.

    Links are not followed, because an interpreter finds its environment by its own path.

    Raises UserError if there is no such file, or it cannot be executed.
    """
    path = os.path.abspath(folder / Path(named).expanduser())
    if not os.path.exists(path):
        raise UserError(
            f"python={named!r}: there is no file {path}: create its environment, or correct the "
            "path, which is relative to the suite's folder"
        )
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise UserError(f"python={named!r}: {path} is not an executable file")
    return path


@lru_cache
def interpreter_at(path: str) -> Interpreter:
    """Return an interpreter with the packages of its environment, which are read once.

    Raises UserError if it is no Python interpreter that can run a worker.
    """
    version, distributions, lacking = _facts(path)
    if tuple(map(int, version.split(".")[:2])) < _LOWEST:
        raise UserError(
            f"{path} is Python {version}, and {_OWN} needs {'.'.join(map(str, _LOWEST))} or later"
        )
    found = Interpreter(path, version, distributions)
    if source_tree() is None:
        own = metadata.version(_OWN)
        if (there := found.version_of(_OWN)) != own:
            raise UserError(
                f"{path} has {f'{_OWN} {there}' if there else f'no {_OWN}'}, and this run has "
                f"{own}: {pip_install(path, [f'{_OWN}=={own}'])}"
            )
    if lacking:
        raise UserError(
            f"{path} cannot run a worker, because it lacks packages: "
            f"{pip_install(path, [_IMPORTED[name] for name in lacking])}"
        )
    return found


def source_tree() -> Path | None:
    """Return the folder that contains this package; None if it was installed there."""
    folder = Path(__file__).parents[2]
    return None if any(folder.glob("pytest_infperf-*.dist-info")) else folder


def _facts(path: str) -> tuple[str, dict[str, str], list[str]]:
    """Return the version of an interpreter, its distributions and the modules that it lacks."""
    try:
        done = subprocess.run(
            [path, "-c", _PROBE, *_IMPORTED],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=without_observers(os.environ),
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{path} did not list its packages within {_TIME_LIMIT_S} s") from None
    except OSError as error:
        raise UserError(f"{path} is not a Python interpreter: {error.strerror}") from error
    try:
        version, pairs, lacking = json.loads(done.stdout.splitlines()[-1])
        distributions: dict[str, str] = {}
        for name, found in pairs:
            if name:  # the first of two distributions of one name is imported
                distributions.setdefault(_normalised(name), found)
    except (ValueError, TypeError, IndexError):
        reason = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise UserError(f"{path} is not a Python interpreter: {reason}") from None
    return version, distributions, lacking


def _normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
