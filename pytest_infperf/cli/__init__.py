"""The command `infperf`: what is done before and after a run of `pytest --infperf`.

Each command is a module here: `configure` declares its arguments, `run` does it and returns the
exit status. Only the module of the command that was called is imported.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module

from pytest_infperf.errors import UserError

COMMANDS = {
    "init": "write a suite, its limits and a CI workflow for a model",
    "doctor": "say what on this host disturbs measuring or slows inference",
    "calibrate": "measure how small a difference this host can show",
    "compare": "compare runs that were saved",
    "history": "show how measures went over many runs, and where they changed",
    "serve": "serve a variant behind an HTTP API",
    "explore": "say what each parameter of a server does to response time and CPU usage",
    "plan": "say how many instances a rate takes, and what they cost",
    "deploy": "serve a variant on an EC2 instance, list such instances, tear them down",
    "report": "merge records of several hosts into one table",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 0 when all is well, 1 for a finding that was asked to fail, 2 for a mistake."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = ArgumentParser("infperf", description=__doc__.partition("\n")[0])
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = subparsers.add_parser(name, help=purpose, description=purpose)
        if name in given[:1]:
            import_module(f"{__name__}.{name}").configure(command)
    parsed = parser.parse_args(given)
    try:
        status: int = import_module(f"{__name__}.{parsed.command}").run(parsed)
    except UserError as error:
        print(f"infperf {parsed.command}: {error}", file=sys.stderr)
        return 2
    return status
