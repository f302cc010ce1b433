"""Discovery of suites: `suite.py` beside the tests, imported by a name that works in any process.

The name is the path from the root, such as `suites.translation.suite`. Tests can import the suite
by the same name. If that name leads to another module, because the folder is named `test`, `code`
or like an installed package, the root is imported as a package of our own instead.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import traceback
from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from pytest_infperf.errors import UserError
from pytest_infperf.suite.suite import Suite

SUITE_FILE = "suite.py"
BENCHMARK_FIXTURE = "infperf_benchmark"
_PACKAGE = "infperf_suites"
"""Name of the package that represents a root."""
_OWN_FOLDER = Path(__file__).parents[1]


@dataclass(frozen=True)
class SuiteAddress:
    """The root folder and the module name by which any process loads a suite."""

    root: str
    """The folder from which the module is imported."""
    module: str
    """The dotted name of the module, such as `suites.translation.suite`."""
    package: str = ""
    """Name of the package that represents the root; empty if the module's name leads to it."""

    @property
    def _imported_as(self) -> str:
        return f"{self.package}.{self.module}" if self.package else self.module

    @property
    def path(self) -> Path:
        """The file of the suite."""
        return Path(self.root, *self.module.split(".")).with_suffix(".py")

    def named(self, suite: str) -> str:
        """Return a description of the suite for messages."""
        return f"suite {suite}"

    def load(self) -> Suite:
        """Import the module and return its suite.

        Raises
        ------
        UserError
            If the module cannot be imported, defines no suite or an invalid one, or if its name
            leads to another module; the message names the file and the line.
        """
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        if self.package:
            _stand_for(self.package, self.root)
        try:
            module = import_module(self._imported_as)
        except UserError as error:
            raise UserError(f"{self._where(error)}: {error}") from error
        except ModuleNotFoundError as error:
            if not _is_part(error.name, self._imported_as):
                raise self._failed(error) from error  # the suite imports a missing module
            raise self._hidden(f"there is no module {error.name}") from error
        except Exception as error:
            raise self._failed(error) from error
        if not _same_file(module.__file__, self.path):
            raise self._hidden(f"that is {module.__file__}")
        suite = getattr(module, "suite", None)
        if not isinstance(suite, Suite):
            raise UserError(f"{module.__file__} must define `suite = Suite(...)`")
        return suite.at(Path(str(module.__file__)).parent, module.__package__ or "")

    def _hidden(self, found: str) -> UserError:
        return UserError(
            f"{self.path} cannot be imported as {self._imported_as}: {found}. Rename the folder "
            f"{self.module.partition('.')[0]}, or the module that hides it"
        )

    def _failed(self, error: Exception) -> UserError:
        """Return an error with the user's line and the original error, without other frames."""
        lines = [
            f"{frame.filename}:{frame.lineno}: {frame.line}"
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(self.root)
            and "site-packages" not in Path(frame.filename).parts
            and not Path(frame.filename).is_relative_to(_OWN_FOLDER)
        ]
        sentence = "".join(traceback.format_exception_only(error)).rstrip()
        return UserError("\n".join([*lines, sentence]))

    def _where(self, error: UserError) -> str:
        """Return the suite's file and, if known, the line that led to the error."""
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
            f"{path}: workers import a suite by name, but {dotted[0]!r} contains a dot; "
            "rename the folder"
        )
    module = ".".join(parts)
    if _leads_to(path, start, module):
        return SuiteAddress(str(start), module)
    package = _PACKAGE if start == root else f"{_PACKAGE}_{_digest(start)}"
    return SuiteAddress(str(start), module, package)


def _digest(folder: Path) -> str:
    """Return a unique name for a folder outside of the root."""
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]


def _leads_to(file: Path, root: Path, module: str) -> bool:
    """Return whether a module's name leads to a file, in this process and in a new one.

    Modules of the standard library can be imported before the root is searched, and a regular
    package anywhere on the path takes precedence over a folder without `__init__.py`.
    """
    names = module.split(".")
    if names[0] in sys.stdlib_module_names:
        return False
    path = sys.path if str(root) in sys.path else [str(root), *sys.path]
    folder, origin = root, None
    for end, name in enumerate(names, 1):
        folder /= name
        spec = PathFinder.find_spec(name, path)
        known = sys.modules.get(".".join(names[:end]))
        if spec is None or (known is not None and not _is_at(known, folder)):
            return False
        path, origin = list(spec.submodule_search_locations or ()), spec.origin
    return _same_file(origin, file)


def _is_at(module: ModuleType, path: Path) -> bool:
    """Return whether an imported module is the folder at a path, or the file with `.py`."""
    folders = [str(folder) for folder in getattr(module, "__path__", ())]
    files = [module.__file__] if getattr(module, "__file__", None) else []
    return any(_same_file(folder, path) for folder in folders) or any(
        _same_file(file, path.with_name(f"{path.name}.py")) for file in files
    )


def _is_part(name: str | None, module: str) -> bool:
    """Return whether a dotted name is that of a module or of one of its parent packages."""
    return name is not None and f"{module}.".startswith(f"{name}.")


def _same_file(found: str | None, path: Path) -> bool:
    return found is not None and os.path.realpath(found) == os.path.realpath(path)


def _stand_for(package: str, root: str) -> None:
    """Register a package that represents a folder, so that modules in it can be imported.

    Relative imports work in them as usual.
    """
    known = sys.modules.get(package)
    if known and known.__path__ == [root]:
        return
    for name in [name for name in sys.modules if _is_part(package, name)]:
        del sys.modules[name]
    module = ModuleType(package, f"The folder {root}.")
    module.__path__ = [root]
    sys.modules[package] = module


def _suite_file(test_file: Path) -> Path:
    return test_file.parent / SUITE_FILE


def suite_names_below(root: Path, benchmark_files: Collection[str] = ()) -> set[str]:
    """Return the names of a project's suites, read from their files without importing them.

    Parameters
    ----------
    root : Path
        The folder of the project.
    benchmark_files : collection of str
        Names of test files that also name a suite if a file with the name uses
        `infperf_benchmark`.
    """
    names = set()
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if not _holds_no_suites(Path(folder, name))]
        if SUITE_FILE in files:
            names |= _names_in(Path(folder, SUITE_FILE))
        names |= {
            name
            for name in benchmark_files
            if f"{name}.py" in files and takes_benchmark(Path(folder, f"{name}.py"))
        }
    return names


def takes_benchmark(test_file: Path) -> bool:
    """Return whether the source of a test file contains the fixture name `infperf_benchmark`."""
    try:
        return BENCHMARK_FIXTURE.encode() in test_file.read_bytes()
    except OSError:
        return False


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
