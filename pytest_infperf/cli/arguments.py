"""Help format, shell completion and types that the parsers of all commands share."""

from __future__ import annotations

from argparse import (
    SUPPRESS,
    Action,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_infperf.records.quantity import parse_quantity

SHELLS = ("bash", "zsh", "tcsh")


class HelpFormatter(RawDescriptionHelpFormatter):
    """Adds the default to the help of an option with a value, unless the help contains it."""

    def _get_help_string(self, action: Action) -> str | None:
        takes_value = action.option_strings and action.nargs != 0 and not action.required
        if not takes_value or action.default is SUPPRESS or "(default" in (action.help or ""):
            return action.help
        is_unset = action.default is None or action.default == []
        return f"{action.help} (default: {'none' if is_unset else '%(default)s'})"


def time_s(text: str) -> float:
    """Parse a positive time with a unit, such as "250 ms", and return it in seconds."""
    try:
        seconds = parse_quantity(text, "s")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a time above 0, such as '250 ms'")
    return seconds


def completion_option(whole_parser: Callable[[], ArgumentParser]) -> type[Action]:
    """Return the action that prints a script with which a shell completes the command.

    `whole_parser` returns the parser with the arguments of every command.
    """

    class PrintCompletion(Action):
        def __call__(
            self, parser: ArgumentParser, namespace: Namespace, values: Any, _: str | None = None
        ) -> None:
            try:
                import shtab
            except ImportError:
                parser.error(
                    f"{self.option_strings[0]} needs shtab: pip install "
                    "'pytest-infperf[completion]'"
                )
            whole = whole_parser()
            for action in actions(whole):
                if action.type is Path or action.metavar in ("PATH", "FILE", "FOLDER"):
                    vars(action)["complete"] = shtab.FILE
            print(shtab.complete(whole, values))
            parser.exit()

    return PrintCompletion


def actions(parser: ArgumentParser) -> Iterator[Action]:
    """Yield the arguments of a parser, then those of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from actions(command)
