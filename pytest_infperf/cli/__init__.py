"""The command `infperf`, for the steps before and after a run of `pytest --infperf`.

Each command is a module or package here with two functions: `configure` declares its arguments,
`run` executes it and returns the exit status. Only the called command's module is imported.
"""

from __future__ import annotations

import io
import os
import sys
from argparse import ArgumentParser
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.metadata import version
from textwrap import fill

from pytest_infperf.cli.arguments import SHELLS, HelpFormatter, completion_option
from pytest_infperf.errors import UserError, WorkerError, check_platform

COMMANDS = {
    "init": "write a suite, its gates and a CI workflow for a model",
    "doctor": "report conditions of this host that disturb measurements or slow inference",
    "calibrate": "measure the smallest slowdown that this host can detect",
    "compare": "compare two saved runs",
    "history": "show measures over saved runs, and where they changed",
    "serve": "serve a variant behind an HTTP API",
    "load": "measure latency and throughput of a running server under load",
    "explore": "measure how each parameter of a server affects response time and CPU usage",
    "plan": "estimate the instances that a request rate needs, and their cost",
    "study": "serve variants on instance types, load them, and compare quality, speed and cost",
    "deploy": "serve a variant on an EC2 instance, list such instances, or tear them down",
    "judge": "judge results of vllm bench serve, GuideLLM or AIPerf by thresholds.toml",
    "comment": "write results as a comment on a pull request or merge request",
    "report": "merge records of several hosts into one table",
}
"""Help text of each command, by its name."""


_EXIT_STATUS = """\
exit status:
  0    success
  1    a limit is broken, or something could not be measured
  2    wrong arguments, files or settings
  3    a limit is inconclusive, if an option requests this status
  130  interrupted with Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    The status is 0 on success, 1 if a limit is broken, something cannot be measured or the reader
    of the output ended first, 2 for a UserError, 3 if an option requests it for a limit that is
    inconclusive, and 130 after Ctrl-C. Wrong arguments raise SystemExit(2), as usual for argparse.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        check_platform()
    except UserError as error:
        print(f"infperf: {error}", file=sys.stderr)
        return 2
    parsed = build_parser(argv[:1]).parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # an encoding such as ASCII lacks characters
        sys.stdout.reconfigure(errors="replace")
    try:
        status: int = import_module(f"{__name__}.{parsed.command}").run(parsed)
        sys.stdout.flush()
    except UserError as error:
        print(f"infperf {parsed.command}: {error}", file=sys.stderr)
        return 2
    except WorkerError as error:
        print(f"infperf {parsed.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"infperf {parsed.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # As rich does: the interpreter flushes stdout when it ends, which would print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def build_parser(commands: Collection[str] = COMMANDS) -> ArgumentParser:
    """Return the parser of the command line.

    Parameters
    ----------
    commands : collection of str, default all
        The commands to declare arguments for. Each of their modules is imported.
    """
    parser = ArgumentParser(
        "infperf",
        description="Commands for the steps before and after a run of `pytest --infperf`.",
        epilog=_EXIT_STATUS,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"pytest-infperf {version('pytest-infperf')}",
        help="show the version and exit",
    )  # fmt: skip
    parser.add_argument(
        "--print-completion", action=completion_option(build_parser), choices=SHELLS,
        help="print a script for shell completion of infperf's arguments and exit",
    )  # fmt: skip
    subparsers = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="COMMAND",
        help="the command to run; `infperf COMMAND --help` describes its arguments",
    )
    for name, purpose in COMMANDS.items():
        command = subparsers.add_parser(
            name,
            help=purpose,
            description=fill(f"{purpose[0].upper()}{purpose[1:]}.", 79),
            formatter_class=HelpFormatter,
        )
        if name in commands:
            import_module(f"{__name__}.{name}").configure(command)
    return parser
