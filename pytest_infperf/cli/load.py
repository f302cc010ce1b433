"""`infperf load URL --bodies FILE`: measure the speed of a running server under load."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from rich.console import Console

from pytest_infperf.backends.endpoint import Endpoint
from pytest_infperf.cli.arguments import time_s
from pytest_infperf.cli.measures_table import measures_table
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.options import confidence, count, non_negative, percentile, positive, seconds
from pytest_infperf.records.points import at
from pytest_infperf.records.quantity import format_value
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.measure import LoadResult, LoadTest
from pytest_infperf.suite.loads import ClosedLoop, Load, OpenLoop, Server, SingleStream

_USUAL_TRIALS = 7
"""Usual number of rates that a search tries."""
_STARTING_S = 1.0
"""Usual time to start a load generator, in seconds."""
_TOKEN_LIMITS = {
    "ttft": "time to the first token",
    "tpot": "time per output token",
    "itl": "time between two tokens",
}
"""Options that limit times of tokens, and what they limit."""
_AIMS = {
    "latency": "requests are answered within {}",
    "ttft": "requests have their first token within {}",
    "tpot": "requests take at most {} per output token",
    "itl": "tokens come within {} of the one before",
}
"""What is true of most requests or tokens if a limit is met, by kind of times."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "url", metavar="URL", help="address that requests are posted to, such as "
        "https://host/v1/models/reviews:predict; ${NAME} in it is an environment variable",
    )  # fmt: skip
    parser.add_argument(
        "--bodies", type=Path, required=True, metavar="FILE",
        help="file with one request body per line, as JSON; they are sent in turn",
    )  # fmt: skip
    parser.add_argument(
        "--header", type=_header, action="append", default=[], metavar="NAME:VALUE",
        help="header of each request, such as 'Authorization: Bearer ${TOKEN}'; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--stream", action="store_true",
        help="ask for streamed responses, by OpenAI's API for (chat) completions, and measure the "
        "times of tokens; adds stream and stream_options to each body",
    )  # fmt: skip
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--users", type=count, metavar="N",
        help="number of users who each wait for the response before they send the next request",
    )  # fmt: skip
    kind.add_argument(
        "--rate", type=positive, metavar="R",
        help="requests per second, sent at random times, whether or not earlier ones are answered",
    )  # fmt: skip
    kind.add_argument(
        "--limit", type=time_s, metavar="TIME",
        help="search for the highest rate of requests at which nearly all of them (see "
        "--percentile) are answered within this time, such as '250 ms'. Rates are tried for 4 s "
        "each, or for 10 times the limit if that is longer, usually 5 to 9 of them; the result is "
        "then tried for --seconds (default: none of these three, one request after another)",
    )  # fmt: skip
    for option, what in _TOKEN_LIMITS.items():
        parser.add_argument(
            f"--{option}", type=time_s, metavar="TIME",
            help=f"search for the highest rate as with --limit, for a limit on the {what}; implies "
            "--stream. Of several limits, the rate keeps all",
        )  # fmt: skip
    parser.add_argument(
        "--percentile", type=percentile, default=99.0, metavar="PERCENT",
        help="fraction of the requests that must be answered within --limit, or of the times that "
        "must be within another limit, in percent "
        "(default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=seconds, default=10.0, metavar="SECONDS",
        help="duration of the load, in seconds; with a limit, that of the last trial, not of the "
        "search (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=seconds, default=30.0, metavar="SECONDS",
        help="time after which a request counts as an error, in seconds (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--verify", metavar="FILE",
        help="certificates of the authorities to trust (default: those of this system)",
    )  # fmt: skip
    parser.add_argument(
        "--confidence", type=confidence, default=0.99, metavar="C",
        help="probability with which an interval contains the true value (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=non_negative, default=0, metavar="N",
        help="seed of the random times of --rate and --limit (default: %(default)d)",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    load = _load(arguments)
    bodies = _bodies(arguments.bodies)
    endpoint = Endpoint(
        arguments.url,
        headers=dict(arguments.header),
        verify=arguments.verify,
        timeout_s=arguments.timeout,
    )
    target = Target.at(endpoint.address(), bodies)
    if arguments.stream or (isinstance(load, Server) and load.limits_tokens):
        target = target.streamed()
    driver = LoadDriver(target, None, arguments.seed, _progress(_plan(load)))
    test = LoadTest(driver, arguments.confidence, [], arguments.seconds, None, None)
    try:
        result = test.measure(load, arguments.seconds)
    except WorkerError as error:
        print(f"infperf load: {endpoint.shown_url}: {error}", file=sys.stderr)
        return 1
    _show(f"{endpoint.shown_url}: {_description(load)}", load, result, arguments.confidence)
    return 0


def _load(arguments: Namespace) -> Load:
    seconds = arguments.seconds
    token_limits = {f"{option}_s": getattr(arguments, option) for option in _TOKEN_LIMITS}
    is_search = arguments.limit is not None or any(token_limits.values())
    if is_search and (arguments.users is not None or arguments.rate is not None):
        raise UserError(
            "--ttft, --tpot and --itl are limits of a search for the highest rate: omit --users "
            "and --rate, or measure these times at that load with --stream"
        )
    if arguments.users is not None:
        return ClosedLoop(arguments.users, seconds=seconds)
    if arguments.rate is not None:
        return OpenLoop(arguments.rate, seconds=seconds)
    if not is_search:
        return SingleStream(seconds=seconds)
    percentile = arguments.percentile / 100
    return Server(limit_s=arguments.limit, percentile=percentile, seconds=seconds, **token_limits)


def _bodies(path: Path) -> list[bytes]:
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--bodies {path}: {error}") from None
    bodies = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}:{number} is not JSON: {error}") from None
            bodies.append(line.encode())
    if not bodies:
        raise UserError(f"--bodies {path}: the file contains no request body")
    return bodies


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ArgumentTypeError(f"{text!r} is not a header: write NAME:VALUE")
    return name.strip(), value.strip()


def _description(load: Load) -> str:
    if isinstance(load, ClosedLoop):
        return f"{load.users} users" if load.users > 1 else "1 user"
    if isinstance(load, OpenLoop):
        return f"{load.rate:g} requests/s at random times"
    if isinstance(load, Server):
        return f"highest rate at which {_aim(load)}"
    return "one request after another"


def _aim(load: Server) -> str:
    share = f"{100 * load.percentile:g} % of the"
    return " and ".join(
        f"{share} {_AIMS[kind].format(format_value(limit_s, 's'))}"
        for kind, limit_s in load.limits_s.items()
    )


def _plan(load: Load) -> str:
    """Return what the command is going to do, and for how long."""
    lasts_s = load.lasts_s(full=False)
    if not isinstance(load, Server):
        return f"{_description(load)} for {lasts_s:g} s"
    trial_s = load.trial_lasts_s
    each = f"at least {trial_s:g}" if load.limits_tokens else f"{trial_s:g}"
    about_s = _USUAL_TRIALS * (trial_s + _STARTING_S) + lasts_s
    return (
        f"searching for the {_description(load)}: usually 5 to 9 rates are tried for {each} s "
        f"each, then the result for {lasts_s:g} s: about {about_s:.0f} s in all"
    )


def _progress(plan: str) -> Callable[[str], None]:
    """Write the plan to stderr, and return a function that writes a line for each step."""
    start_s = monotonic()
    print(f"infperf load: {plan}", file=sys.stderr, flush=True)

    def report(step: str) -> None:
        if step:
            passed_s = monotonic() - start_s
            print(f"infperf load: after {passed_s:.0f} s: {step}", file=sys.stderr, flush=True)

    return report


def _unsustained(load: Server, result: LoadResult) -> str:
    """Return why no rate was sustained; empty if one was."""
    if result.measured.measures[at("highest_rate", load.name)].value:
        return ""
    tried = [float(rate) for rate in result.evidence.trials]
    lowest = f"at {min(tried):.3g} requests/s" if tried else "one after another"
    return f"there is no rate at which {_aim(load)} without errors, not even {lowest}"


def _show(title: str, load: Load, result: LoadResult, confidence: float) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(title, soft_wrap=True)
    console.print(measures_table(result.measured.measures, confidence))
    evidence = result.evidence
    failed = ", ".join(f"{count:,} x {kind}" for kind, count in evidence.errors.items())
    console.print(
        f"{evidence.requests:,} requests in {evidence.seconds:.3g} s; "
        f"errors: {failed or 'none'}", soft_wrap=True,
    )  # fmt: skip
    if result.refusal:
        console.print(
            f"the first response with an error begins with: {result.refusal}", soft_wrap=True
        )
    if isinstance(load, Server) and (reason := _unsustained(load, result)):
        console.print(reason, soft_wrap=True)
    if isinstance(load, Server) and load.limits_tokens and evidence.first_broken:
        console.print(f"the first limit to break: {evidence.first_broken}", soft_wrap=True)
    if evidence.why_no_tokens:
        console.print(f"times of tokens that are missing: {evidence.why_no_tokens}", soft_wrap=True)
    if result.measured.doubt:
        console.print(f"in doubt: {result.measured.doubt}", soft_wrap=True)
