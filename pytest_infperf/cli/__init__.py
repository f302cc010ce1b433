"""The command `infperf`: what comes before and after a run of `pytest --infperf`.

Each command is a module or package here with two functions: `configure` declares its arguments,
`run` executes it and returns the exit status. Only the called command's module is imported.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module

from pytest_infperf.errors import UserError

COMMANDS = {
    "init": "write a suite, its limits and a CI workflow for a model",
    "doctor": "report what on this host disturbs measurements or slows inference",
    "calibrate": "measure the smallest slowdown that this host can detect",
    "compare": "compare two saved runs",
    "history": "show how measures developed over saved runs, and where they changed",
    "serve": "serve a variant behind an HTTP API",
    "load": "put load on a server that already runs, and measure its latency and throughput",
    "explore": "measure how each parameter of a server affects response time and CPU usage",
    "plan": "estimate the instances that a request rate needs, and their cost",
    "study": "serve variants on instance types, load them, and compare quality, speed and cost",
    "deploy": "serve a variant on an EC2 instance, list such instances, or tear them down",
    "comment": "write results as a comment on a pull request or merge request",
    "report": "merge records of several hosts into one table",
}
"""Help text of each command, by its name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    The status is 0 on success, 1 if a check that the options ask for fails, and 2 for a UserError.
    Wrong arguments raise SystemExit(2), as usual for argparse.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    parser = ArgumentParser(
        "infperf", description="What comes before and after a run of pytest --infperf."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = subparsers.add_parser(name, help=purpose, description=purpose)
        if name in argv[:1]:
            import_module(f"{__name__}.{name}").configure(command)
    parsed = parser.parse_args(argv)
    try:
        status: int = import_module(f"{__name__}.{parsed.command}").run(parsed)
    except UserError as error:
        print(f"infperf {parsed.command}: {error}", file=sys.stderr)
        return 2
    return status
