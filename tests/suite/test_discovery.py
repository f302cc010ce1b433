"""Suites are found by their files, and loaded by a name that a worker can use."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.suite import naming
from pytest_infperf.suite.discovery import SuiteAddress, suite_beside, suite_names_below

ROOT = Path(__file__).parents[2]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_names_of_suites_are_read_from_all_folders(tmp_path: Path) -> None:
    write(tmp_path / "suites" / "zh-en" / "suite.py", 'suite = Suite("translation", task=task)')
    write(tmp_path / "other" / "deep" / "speech" / "suite.py", "suite = made_elsewhere()")
    assert suite_names_below(tmp_path) - {"zh-en"} == {"translation", "speech"}


def test_environments_and_hidden_folders_are_not_searched(tmp_path: Path) -> None:
    write(tmp_path / "env" / "pyvenv.cfg", "")
    write(tmp_path / "env" / "lib" / "suite.py", "")
    write(tmp_path / ".hidden" / "suite.py", "")
    assert suite_names_below(tmp_path) == set()


def test_a_suite_that_cannot_be_parsed_has_the_name_of_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "broken" / "suite.py", "suite = (")
    assert suite_names_below(tmp_path) == {"broken"}


def test_the_shipped_suite_is_imported_by_its_path_from_the_root() -> None:
    address = suite_beside(ROOT / "suites" / "translation" / "test_translation.py", ROOT)
    assert address.module == "suites.translation.suite"
    assert address.load().folder == ROOT / "suites" / "translation"


SUITE = "from pytest_infperf import Echo, Fake, Suite\n"
SUITE += 'suite = Suite("named", task=Echo(), model="model", variants=[Fake()])\n'


@pytest.mark.usefixtures("_imports_are_undone")
@pytest.mark.parametrize("folder", ["test", "code", "types", "platform", "tests", "json/inner"])
@pytest.mark.parametrize("with_init", [False, True])
def test_a_folder_whose_name_is_taken_is_imported_by_a_name_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, with_init: bool
) -> None:
    """`tests` is the package of this test."""
    monkeypatch.chdir(ROOT)
    suite_file = tmp_path / folder / "suite.py"
    write(suite_file, SUITE)
    if with_init:
        write(suite_file.with_name("__init__.py"), "")
    address = suite_beside(suite_file, tmp_path)
    assert address.load().folder == suite_file.parent
    done = in_a_new_process(address)
    assert done.stdout == f"{suite_file.parent}\n", done.stderr


@pytest.mark.usefixtures("_imports_are_undone")
def test_helpers_and_classes_of_such_a_suite(tmp_path: Path) -> None:
    write(tmp_path / "code/shared.py", "PACE = 2")
    write(tmp_path / "code/echo/helper.py", "ID = 'own'")
    write(tmp_path / "common.py", "COUNT = 3")
    write(
        tmp_path / "code/echo/suite.py",
        """
from pytest_infperf import Echo, Fake, Suite
from common import COUNT
from ..shared import PACE
from .helper import ID

class Own(Fake):
    pass

suite = Suite("x", task=Echo(count=COUNT), model="m", variants=[Own(id=ID, query_ms=PACE)])
""",
    )
    address = suite_beside(tmp_path / "code/echo/test_it.py", tmp_path)
    (backend,) = address.load().variants
    description = naming.describe(backend)
    assert description["type"] == "infperf_suites.code.echo.suite:Own"
    assert naming.restore(description) == backend
    assert pickle.loads(pickle.dumps(backend)) == backend


@pytest.mark.usefixtures("_imports_are_undone")
def test_suites_outside_of_the_root_are_not_taken_for_each_other(tmp_path: Path) -> None:
    addresses = []
    for name in ("one", "other"):
        write(tmp_path / name / "suite.py", SUITE)
        addresses.append(suite_beside(tmp_path / name / "test_it.py", tmp_path / "root"))
        assert addresses[-1].load().folder == tmp_path / name
    assert [address.load().folder.name for address in addresses] == ["one", "other"]


@pytest.mark.usefixtures("_imports_are_undone")
def test_a_name_that_leads_elsewhere_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    write(tmp_path / "code/suite.py", SUITE)
    with pytest.raises(UserError, match="Rename the folder code, or the module that hides it"):
        SuiteAddress(str(tmp_path), "code.suite").load()
    write(tmp_path / "more/suite.py", "import none_such")
    with pytest.raises(UserError, match="none_such"):
        SuiteAddress(str(tmp_path), "more.suite").load()


@pytest.mark.usefixtures("_imports_are_undone")
@pytest.mark.parametrize(
    ("suite", "helper", "message"),
    [
        (
            "from pytest_infperf import Torch\n\nvariant = Torch(int9='x')\n",
            "",
            "{folder}/suite.py:3: variant = Torch(int9='x')\n"
            "TypeError: Torch.__init__() got an unexpected keyword argument 'int9'",
        ),
        (
            "from mistaken import helper\n",
            "def made(): return nothing\n\nmade()\n",
            "{folder}/suite.py:1: from mistaken import helper\n"
            "{folder}/helper.py:3: made()\n"
            "{folder}/helper.py:1: def made(): return nothing\n"
            "NameError: name 'nothing' is not defined",
        ),
        (
            "x = (\n",
            "",
            '  File "{folder}/suite.py", line 1\n    x = (\n        ^\n'
            "SyntaxError: '(' was never closed",
        ),
    ],
)
def test_a_mistake_is_shown_with_the_line_of_the_user_alone(
    tmp_path: Path, suite: str, helper: str, message: str
) -> None:
    folder = tmp_path / "mistaken"
    write(folder / "suite.py", suite)
    write(folder / "helper.py", helper)
    with pytest.raises(UserError) as raised:
        SuiteAddress(str(tmp_path), "mistaken.suite").load()
    assert str(raised.value) == message.format(folder=folder)


@pytest.fixture
def _imports_are_undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = {**sys.modules}
    yield
    for name in {*sys.modules} - {*known}:
        del sys.modules[name]


def in_a_new_process(address: SuiteAddress) -> subprocess.CompletedProcess[str]:
    """Load a suite as a worker does, and print its folder."""
    program = (
        "from pytest_infperf.suite.discovery import SuiteAddress; "
        f"print(SuiteAddress(**{asdict(address)!r}).load().folder)"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_a_folder_with_a_dot_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "v1.5" / "suite.py", "")
    with pytest.raises(UserError, match=r"'v1\.5' contains a dot; rename the folder"):
        suite_beside(tmp_path / "v1.5" / "test_it.py", tmp_path)
