"""`infperf serve FOLDER --variant ID`: serve a variant behind an HTTP API until interrupted."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.errors import UserError
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.options import count, not_below_0, port_or_0, seconds
from pytest_infperf.run.suite_server import Cores
from pytest_infperf.serving.server.address import bound
from pytest_infperf.serving.server.settings import ENVIRONMENT, METRICS_FOLDER
from pytest_infperf.suite.serving import Serving

_REQUIRED = ("fastapi", "fastapi_offline", "uvicorn")
_SERVING_FIELDS = (
    "workers",
    "queue",
    "batch",
    "batch_window_ms",
    "timeout_s",
    "max_body_bytes",
    "grace_s",
)
"""Fields of `Serving` that have an option."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "suite", type=Path, metavar="FOLDER", help="folder of the suite, with its suite.py"
    )
    parser.add_argument("--variant", metavar="ID", help="variant to serve (default: the baseline)")
    parser.add_argument(
        "--workers", type=count, metavar="N",
        help="server processes, each with its own copy of the model "
        f"(default: {_of_suite('workers')})",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=count, metavar="N",
        help="threads of each process (default: the variant's, or an equal part of the cores)",
    )  # fmt: skip
    parser.add_argument(
        "--host", default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, only this host)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=port_or_0, default=8000, metavar="N",
        help="port to listen on; 0 selects a free one (default: 8000)",
    )  # fmt: skip
    parser.add_argument(
        "--queue", type=count, metavar="N",
        help="requests that may wait in each process; further ones are refused with status 429 "
        f"(default: {_of_suite('queue')})",
    )  # fmt: skip
    parser.add_argument(
        "--batch", type=count, metavar="N",
        help="maximum number of samples in a query, to which waiting requests are combined "
        f"(default: {_of_suite('batch')})",
    )  # fmt: skip
    parser.add_argument(
        "--batch-window-ms", type=not_below_0, metavar="MS",
        help="time that a request waits for others to be combined with, in milliseconds "
        f"(default: {_of_suite('batch_window_ms')})",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", dest="timeout_s",
        help=f"time limit of a request, in seconds (default: {_of_suite('timeout_s')})",
    )  # fmt: skip
    parser.add_argument(
        "--max-body-bytes", type=count, metavar="N",
        help="maximum size of a request, in bytes (default: the suite's, otherwise that of the "
        "task's usual requests)",
    )  # fmt: skip
    parser.add_argument(
        "--allowed-hosts", type=_host_patterns, default=["*"], metavar="NAMES",
        help="names allowed in the Host header, such as 'api.example.com,*.internal' "
        "(default: *, any)",
    )  # fmt: skip
    parser.add_argument(
        "--grace", type=not_below_0, metavar="SECONDS", dest="grace_s",
        help="time after SIGTERM in which /readyz returns 503 and requests are still accepted, in "
        f"seconds (default: {_of_suite('grace_s')})",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="do not log each request")
    parser.add_argument(
        "--cache", type=Path, default=Path(".infperf_cache"), metavar="FOLDER",
        help="folder of built variants (default: .infperf_cache)",
    )  # fmt: skip


def _of_suite(field: str) -> str:
    """Return the description of a default: that of the suite's `Serving`, or of `Serving()`."""
    return f"the suite's, otherwise {getattr(Serving(), field):g}"


def _host_patterns(text: str) -> list[str]:
    patterns = [pattern.strip() for pattern in text.split(",")]
    for pattern in patterns:
        if pattern != "*" and not re.fullmatch(r"(\*\.)?[\w.:\[\]-]+", pattern):
            raise ArgumentTypeError(
                f"{pattern!r} is not a name such as a.example.com or *.internal"
            )
    return patterns


def run(arguments: Namespace) -> int:
    if missing := [name for name in _REQUIRED if find_spec(name) is None]:
        raise UserError(
            f"infperf serve needs {' and '.join(missing)}: pip install 'pytest-infperf[serve]'"
        )
    bound(arguments.host, arguments.port).close()  # raises before the build if it cannot work
    suite_run, variant_id = one_variant(arguments.suite, arguments.variant, arguments.cache)
    given = {
        name: value for name in _SERVING_FIELDS if (value := getattr(arguments, name)) is not None
    }
    serving = replace(suite_run.suite.serving, **given)
    suite_run.server.cores = Cores.shared(usable_cores())
    deployment = suite_run.server.deployment(variant_id, serving)
    deployment = replace(
        deployment,
        host=arguments.host,
        port=arguments.port,
        threads=arguments.threads or deployment.threads,
        log=not arguments.quiet,
        allowed_hosts=arguments.allowed_hosts,
    )
    title = (
        f"{suite_run.suite.name}[{variant_id}]: {serving.workers} x {deployment.threads} threads"
    )
    deployment = replace(deployment, title=title)
    checkout = suite_run.server.checkout_of(variant_id)
    environment = {
        **os.environ,
        ENVIRONMENT: deployment.to_json(),
        "PYTHONPATH": checkout.environment()["PYTHONPATH"],
    }
    environment.pop(METRICS_FOLDER, None)  # the server creates its own folder
    python = str(checkout.python)
    os.execve(python, [python, "-m", "pytest_infperf.serving.server"], environment)
