"""Finding a suite: `suite.py` beside the tests, imported by a name that a worker can use too."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pytest_infperf.errors import UserError
from pytest_infperf.suite import Suite


@dataclass(frozen=True)
class SuiteAddress:
    """What a process of any checkout needs to load a suite by name."""

    root: str
    """The folder that the module's name starts from."""
    module: str
    """Such as `suites.translation.suite`."""

    def load(self) -> Suite:
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        module = import_module(self.module)
        suite = getattr(module, "suite", None)
        if not isinstance(suite, Suite):
            raise UserError(f"{module.__file__} must define `suite = Suite(...)`")
        no_two_alike(suite, str(module.__file__))
        return suite.at(Path(str(module.__file__)).parent)


def no_two_alike(suite: Suite, where: str) -> None:
    """Raises UserError when two variants have one id."""
    ids = [variant.variant_id for variant in suite.variants]
    if twice := {i for i in ids if ids.count(i) > 1}:
        raise UserError(
            f"{where}: more than one variant is called {', '.join(sorted(twice))}; "
            "give one of them an id of its own: Torch(..., id=...)"
        )


def has_suite_beside(test_file: Path) -> bool:
    return _suite_file(test_file).is_file()


def suite_beside(test_file: Path, root: Path) -> SuiteAddress:
    """The address of the suite.py in the folder of a test file."""
    path = _suite_file(test_file)
    if not has_suite_beside(test_file):
        raise UserError(
            f"{test_file} uses the `variant` fixture, but there is no suite.py beside it"
        )
    start = root if path.is_relative_to(root) else path.parent
    return SuiteAddress(str(start), ".".join(path.relative_to(start).with_suffix("").parts))


def _suite_file(test_file: Path) -> Path:
    return test_file.parent / "suite.py"


def sibling_suites(folder: Path) -> set[str]:
    """Names of the folders beside a suite's that hold suites as well."""
    return {path.parent.name for path in folder.parent.glob("*/suite.py")}
