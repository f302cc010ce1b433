"""Interpreters of other environments: what they have, and which ones are refused."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.host import interpreter
from pytest_infperf.host.interpreter import Interpreter, find, interpreter_at
from tests.environments import make_empty_environment, make_environment

SERVE = ("fastapi", "fastapi-offline", "uvicorn", "jinja2", "prometheus-client")


def script(folder: Path, text: str) -> str:
    """Return the path of an executable file."""
    path = folder / "python"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_the_versions_of_an_environment(tmp_path: Path) -> None:
    found = interpreter_at(str(make_environment(tmp_path / "env", infperf_runtime="1.5")))
    assert found.version == platform.python_version()
    assert found.version_of("Infperf_Runtime") == "1.5"
    assert found.version_of("no-such-distribution") is None
    assert found.versions(["infperf-runtime", "no-such-distribution", "numpy"]) == {
        "python": platform.python_version(),
        "infperf-runtime": "1.5",
        "numpy": version("numpy"),
    }


def test_a_path_is_relative_to_a_folder_and_links_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = make_empty_environment(tmp_path / "env")
    assert python.is_symlink()
    (tmp_path / "suites").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in ("../env/bin/python", str(python), "~/env/bin/python"):
        assert find(named, tmp_path / "suites") == str(python)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("env/bin/python", r"python='env/bin/python': there is no file .*/env/bin/python: create"),
        ("text", r"python='text': .*/text is not an executable file"),
        ("folder", r"python='folder': .*/folder is not an executable file"),
    ],
)
def test_a_path_that_is_no_executable_file_is_refused(
    tmp_path: Path, named: str, message: str
) -> None:
    (tmp_path / "text").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=message):
        find(named, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\necho hello\n", "is not a Python interpreter: hello"),
        ("#!/bin/sh\necho broken >&2; exit 3\n", "is not a Python interpreter: broken"),
        ("#!/bin/sh\n", "is not a Python interpreter: no output"),
        ("\x7fELF", "is not a Python interpreter: Exec format error"),
        (
            "#!/bin/sh\necho '[\"3.9.2\", [], []]'\n",
            r"python is Python 3\.9\.2, and pytest-infperf needs 3\.11 or later",
        ),
        (
            '#!/bin/sh\necho \'["3.12.1", [], ["lazy_loader", "psutil"]]\'\n',
            "lacks packages: .*/python -m pip install lazy-loader psutil",
        ),
    ],
)
def test_a_program_that_cannot_run_a_worker_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        interpreter_at(script(tmp_path, text))


def test_an_empty_environment_lacks_what_a_worker_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = make_empty_environment(tmp_path / "env")
    command = f"{python} -m pip install lazy-loader numpy psutil pydantic"
    with pytest.raises(UserError, match=command):
        interpreter_at(str(python))


@pytest.mark.parametrize(
    ("installed", "found"),
    [('["pytest-infperf", "0.0.1"]', "pytest-infperf 0.0.1"), ("", "no pytest-infperf")],
)
def test_an_installed_package_needs_the_same_version_in_both_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str, found: str
) -> None:
    monkeypatch.setattr(interpreter, "source_tree", lambda: None)
    own = version("pytest-infperf")
    python = script(tmp_path, f"#!/bin/sh\necho '[\"3.12.1\", [{installed}], []]'\n")
    message = f"has {found}, and this run has {own}: .* -m pip install pytest-infperf=={own}"
    with pytest.raises(UserError, match=message):
        interpreter_at(python)


def test_the_packages_of_an_extra_are_checked() -> None:
    versions = dict.fromkeys((*SERVE, "python-json-logger"), "99")
    Interpreter("/env/bin/python", "3.12.1", versions).check("serve", "a server")
    old = {**versions, "fastapi": "0.1"}
    del old["uvicorn"]
    with pytest.raises(UserError) as raised:
        Interpreter("/env/bin/python", "3.12.1", old).check("serve", "a server of there")
    assert str(raised.value) == (
        "/env/bin/python cannot run a server of there, because it lacks packages: "
        "/env/bin/python -m pip install 'fastapi>=0.115' 'uvicorn[standard]>=0.34'"
    )
