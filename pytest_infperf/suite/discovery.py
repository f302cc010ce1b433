"""Find the `suite.py` beside tests, and import it by a name that workers can use too."""

from __future__ import annotations

import ast
import os
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pytest_infperf.errors import UserError
from pytest_infperf.suite.suite import Suite

SUITE_FILE = "suite.py"


@dataclass(frozen=True)
class SuiteAddress:
    """The root folder and module name with which any process loads a suite."""

    root: str
    """The folder that the module is imported from."""
    module: str
    """The dotted name of the module, such as `suites.translation.suite`."""

    @property
    def path(self) -> Path:
        """The file of the suite."""
        return Path(self.root, *self.module.split(".")).with_suffix(".py")

    def load(self) -> Suite:
        """Import the module and return its suite.

        Raises
        ------
        UserError
            If the module defines no suite, or one that is not valid; the message names the file
            and the line.
        """
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        try:
            module = import_module(self.module)
        except UserError as error:
            raise UserError(f"{self._where(error)}: {error}") from error
        suite = getattr(module, "suite", None)
        if not isinstance(suite, Suite):
            raise UserError(f"{module.__file__} must define `suite = Suite(...)`")
        return suite.at(Path(str(module.__file__)).parent)

    def _where(self, error: UserError) -> str:
        """Return the suite's file, and the line in it that led to the error, if there is one."""
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename) == self.path
        ]
        return f"{self.path}:{lines[-1]}" if lines else str(self.path)


def has_suite_beside(test_file: Path) -> bool:
    """Return whether the folder of a test file has a suite.py."""
    return _suite_file(test_file).is_file()


def suite_beside(test_file: Path, root: Path) -> SuiteAddress:
    """Return the address of the suite.py in the folder of a test file.

    Raises
    ------
    UserError
        If there is no such file, or a folder in its path cannot be part of a module name.
    """
    path = _suite_file(test_file)
    if not has_suite_beside(test_file):
        raise UserError(
            f"{test_file} uses the `variant` fixture, but there is no suite.py beside it"
        )
    start = root if path.is_relative_to(root) else path.parent
    parts = path.relative_to(start).with_suffix("").parts
    if dotted := [part for part in parts if "." in part]:
        raise UserError(
            f"{path}: workers import a suite by name, and {dotted[0]!r} has a dot in it; "
            "rename the folder"
        )
    return SuiteAddress(str(start), ".".join(parts))


def _suite_file(test_file: Path) -> Path:
    return test_file.parent / SUITE_FILE


def suite_names_below(root: Path) -> set[str]:
    """Return the names of a project's suites, read from their files without importing them."""
    names = set()
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if not _holds_no_suites(Path(folder, name))]
        if SUITE_FILE in files:
            names |= _names_in(Path(folder, SUITE_FILE))
    return names


def _holds_no_suites(folder: Path) -> bool:
    return folder.name.startswith(".") or (folder / "pyvenv.cfg").exists()


def _names_in(suite_file: Path) -> set[str]:
    """Return the first arguments of `Suite("name", ...)`, and the name of the folder."""
    try:
        calls = [n for n in ast.walk(ast.parse(suite_file.read_bytes())) if isinstance(n, ast.Call)]
    except (OSError, SyntaxError):
        calls = []
    texts = {
        call.args[0].value
        for call in calls
        if _called(call) == "Suite" and call.args and isinstance(call.args[0], ast.Constant)
    }
    return {text for text in texts if isinstance(text, str)} | {suite_file.parent.name}


def _called(call: ast.Call) -> str:
    """Return `Suite` for both `Suite(...)` and `pytest_infperf.Suite(...)`."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))
