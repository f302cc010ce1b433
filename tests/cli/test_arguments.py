"""The help of every command, the bounds of its numbers, and rules for all commands."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_infperf import __version__, cli
from pytest_infperf.cli.arguments import SHELLS, actions
from pytest_infperf.errors import WorkerError
from pytest_infperf.options import OPTIONS, Number

NOT_NUMBERS = ("-1", "nan", "inf", "-inf", "1e999", "9" * 5000, "many", "")
MAY_BE_0 = {"--batch-window-ms", "--grace", "--spare", "--seed", "--port"}
"""Options that accept 0 in at least one command."""


def commands() -> Iterator[tuple[str, ArgumentParser]]:
    whole = cli.build_parser()
    yield "infperf", whole
    [of_commands] = (action for action in whole._actions if action.nargs == "A...")
    assert isinstance(of_commands.choices, dict)
    yield from of_commands.choices.items()


def options_with_value() -> list[tuple[str, Action]]:
    return [
        (name, action)
        for name, parser in commands()
        for action in parser._actions
        if action.option_strings and action.nargs != 0
    ]


@pytest.mark.parametrize(("name", "parser"), list(commands()), ids=lambda value: str(value)[:9])
def test_every_argument_has_help(name: str, parser: ArgumentParser) -> None:
    assert parser.description
    without = [action.dest for action in parser._actions if not action.help]
    assert without == []
    shown = parser.format_help()
    assert max(map(len, shown.splitlines())) <= 80


def test_every_option_shows_its_default() -> None:
    missing = []
    for name, action in options_with_value():
        if action.required or action.default == "==SUPPRESS==":
            continue
        formatter = cli.HelpFormatter("infperf")
        formatter.add_argument(action)
        if "(default:" not in " ".join(formatter.format_help().split()):
            missing.append((name, action.dest))
    assert missing == []


def test_the_defaults_of_a_suite_are_numbers_in_the_help_of_serve() -> None:
    parser = dict(commands())["serve"]
    shown = " ".join(parser.format_help().split())
    assert "(default: the suite's, otherwise 64)" in shown
    assert "in seconds (default: the suite's, otherwise 30)" in shown


def test_a_column_of_init_is_described_and_a_second_text_is_optional() -> None:
    shown = " ".join(dict(commands())["init"].format_help().split())
    assert (
        "--pair COLUMN column with the second text of each pair, for classification, regression "
        "(default: none)"
    ) in shown
    assert "column with the label, for classification, vision (default: the one whose" in shown


def test_every_option_of_pytest_shows_its_default() -> None:
    valued = [option for option in OPTIONS.values() if not option.is_switch]
    assert [option.name for option in valued if "(default: " not in option.help] == []


def test_a_default_is_within_the_bounds() -> None:
    for name, action in options_with_value():
        if isinstance(action.type, Number) and action.default is not None:
            assert action.type(str(action.default)) == action.default, (name, action.dest)


def test_no_number_is_without_bounds() -> None:
    assert [(name, a.dest) for name, a in options_with_value() if a.type in (int, float)] == []


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_numbers_out_of_range_are_usage_errors(text: str) -> None:
    """Check every option of every command, and of pytest."""
    parsers = {
        option: action.type
        for _, action in options_with_value()
        if isinstance(action.type, Number)
        for option in action.option_strings
    }
    parsers |= {option.flag: option.parse for option in OPTIONS.values() if option.parse is not str}
    assert len(parsers) > 20
    for option, parse in parsers.items():
        with pytest.raises(ArgumentTypeError, match="is not a"):
            parse(text)
        if option not in MAY_BE_0 and not option.startswith("--infperf-seed"):
            with pytest.raises(ArgumentTypeError, match="'0' is not a"):
                parse("0")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["calibrate", "suites/echo", "--budget", "0"], "--budget: '0' is not a number of seconds"),
        (["calibrate", "suites/echo", "--runs", "1"], "--runs: '1' is not a whole number of at le"),
        (["history", "--confidence", "1"], "'1' is not a number between 0.5 and 1, such as 0.99"),
        (["serve", "x", "--port", "65536"], "--port: '65536' is not a port from 0 to 65535"),
        (["deploy", "x", "--port", "0"], "--port: '0' is not a port from 1 to 65535"),
        (["plan", "a", "--rate", "1/s", "--utilisation", "1.1"], "above 0 and at most 1"),
        (["plan", "a", "--rate", "1/s", "--spare", "-1"], "'-1' is not a whole number of at least"),
        (["plan", "a", "--rate", "1/s", "--samples", "9", "--within", "0"], "--within: '0' is"),
        (["plan", "a", "--rate", "1/s", "--latency-limit", "0 ms"], "not a time above 0, such as"),
        (["load", "http://a", "--bodies", "b", "--limit", "soon"], "--limit: 'soon'"),
        (["load", "http://a", "--bodies", "b", "--percentile", "100"], "between 0 and 100"),
        (["study", "x", "--variants", "a", "--instances", "b", "--hours", "inf"], "'inf' is not"),
        (["init", "--budget", "0"], "--budget: '0' is not a number of seconds above 0"),
    ],
)
def test_a_usage_error_names_the_option_and_its_bounds(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"pytest-infperf {__version__}\n"


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [
        (WorkerError("it ended with status 1"), 1, "infperf doctor: it ended with status 1\n"),
        (KeyboardInterrupt(), 130, "infperf doctor: interrupted\n"),
    ],
)
def test_the_exit_status_of_an_interrupted_command(
    raised: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pytest_infperf.cli import doctor

    def run(_: object) -> int:
        raise raised

    monkeypatch.setattr(doctor, "run", run)
    assert cli.main(["doctor"]) == status
    assert capsys.readouterr().err == words


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_every_command_and_option(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as ended:
        cli.main(["--print-completion", shell])
    assert ended.value.code == 0
    script = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert name in script
    for action in actions(cli.build_parser()):
        for option in action.option_strings:
            assert option.lstrip("-") in script


def test_the_completion_of_bash_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit):
        cli.main(["--print-completion", "bash"])
    script = capsys.readouterr().out
    complete = (
        f"{script}\nCOMP_WORDS=(infperf calibrate --bu); COMP_CWORD=2; "
        '_shtab_infperf; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", complete], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["--budget"]


def test_completion_without_shtab_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--print-completion", "bash"])
    assert ended.value.code == 2
    assert "pip install 'pytest-infperf[completion]'" in capsys.readouterr().err


AS_ON_WINDOWS = """
import signal, sys
for name in ("SIGKILL", "SIGSTOP", "SIGCONT", "SIGHUP"):
    delattr(signal, name)
for name in ("resource", "fcntl", "termios", "pwd", "grp"):
    sys.modules[name] = None
"""


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        timeout=120,
        check=False,
    )


def test_the_command_says_that_it_does_not_run_on_windows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert cli.main(["doctor"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("infperf: pytest-infperf does not run on Windows: ")
    assert err.count("\n") == 1


def test_the_names_of_the_package_can_be_imported_without_posix(tmp_path: Path) -> None:
    code = (
        f"{AS_ON_WINDOWS}\nimport pytest_infperf, pytest_infperf.plugin, pytest_infperf.cli\n"
        "for name in ('Suite', 'Torch', 'Fake', 'Function', '__version__'):\n"
        "    getattr(pytest_infperf, name)\n"
    )
    done = _run(code, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("asked", [True, False])
def test_pytest_on_windows(asked: bool, tmp_path: Path) -> None:
    """The plugin refuses to measure, and does not disturb a run that does not."""
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass\n")
    (tmp_path / "conftest.py").write_text("import sys\nsys.platform = 'win32'\n")
    options = ["--infperf"] if asked else []
    arguments = ["-p", "pytest_infperf.plugin", "-p", "no:cacheprovider", *options]
    done = _run(f"import pytest; raise SystemExit(pytest.main({arguments}))", tmp_path)
    if asked:
        assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
        assert done.stderr.strip().splitlines() == [
            "ERROR: pytest-infperf does not run on Windows: it pauses processes with POSIX "
            "signals. Use Linux, macOS, or the Windows Subsystem for Linux (WSL)"
        ]
    else:
        assert done.returncode == 0, done.stdout + done.stderr


def test_commands_write_files_only_through_the_common_writer() -> None:
    """The writer follows links, keeps permissions, and does not replace devices."""
    allowed = {"no_limits.write_text", "os.open"}  # in a temporary folder; of os.devnull
    folder = Path(cli.__file__).parent
    calls = {
        ast.unparse(node.func)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    writing = ("write_text", "write_bytes", "open", "savefig")
    assert {call for call in calls if call.rpartition(".")[2] in writing} == allowed


def test_the_table_of_exit_codes_is_that_of_the_help() -> None:
    page = Path(__file__).parents[2] / "docs/exit_codes.md"
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.read_text().splitlines()
        if re.match(r"\| \d", line)
    ]
    documented = {code: words for code, _, words in rows if words}
    shown = cli.build_parser(()).format_help().partition("exit status:\n")[2]
    assert documented == dict(line.split(maxsplit=1) for line in shown.splitlines())
    for code in pytest.ExitCode:
        assert any(row[0] == str(int(code)) and row[1] for row in rows), code


def test_an_option_that_changes_the_exit_status_is_in_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs/exit_codes.md").read_text()
    for name, parser in commands():
        for action in parser._actions:
            if found := re.search(r"exit with (\d)", str(action.help)):
                [option] = action.option_strings
                pattern = rf"`{name} [^`]*{option}\b[^`]*` \| {found[1]} "
                assert re.search(pattern, page), (name, option)
