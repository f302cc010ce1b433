"""`infperf serve FOLDER --variant ID`: a variant behind an HTTP API, until it is interrupted."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.errors import UserError
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.run.suite_server import Cores
from pytest_infperf.serving.server.settings import ENVIRONMENT, METRICS_FOLDER

_OWN = ("workers", "queue", "batch", "batch_window_ms", "timeout_s", "max_body_bytes")
"""Options that stand for fields of `Serving`."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, metavar="FOLDER", help="of a suite, with its suite.py")
    parser.add_argument("--variant", metavar="ID", help="to serve (default: the baseline)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: the suite's)")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="of each worker (default: the variant's, or its share of the cores)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this host alone")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0 takes a free one")
    parser.add_argument("--queue", type=int, metavar="N", help="requests that may wait, a worker")
    parser.add_argument("--batch", type=int, metavar="N", help="samples a query at most")
    parser.add_argument(
        "--batch-window-ms", type=float, metavar="MS", help="that a batch waits for more"
    )
    parser.add_argument("--timeout", type=float, metavar="SECONDS", dest="timeout_s")
    parser.add_argument("--max-body-bytes", type=int, metavar="N")
    parser.add_argument("--quiet", action="store_true", help="no line in the log for each request")
    parser.add_argument("--cache", type=Path, default=Path(".infperf_cache"))


def run(arguments: Namespace) -> int:
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise UserError(f"{' and '.join(missing)}: pip install 'pytest-infperf[serve]'")
    suite_run, variant_id = one_variant(arguments.suite, arguments.variant, arguments.cache)
    asked = {name: value for name in _OWN if (value := getattr(arguments, name)) is not None}
    serving = replace(suite_run.suite.serving, **asked)
    suite_run.server.cores = Cores.shared(usable_cores())
    deployment = suite_run.server.deployment(variant_id, serving)
    deployment = replace(
        deployment,
        host=arguments.host,
        port=arguments.port,
        threads=arguments.threads or deployment.threads,
        log=not arguments.quiet,
    )
    print(
        f"{suite_run.suite.name}[{variant_id}]: {serving.workers} x {deployment.threads} threads "
        f"on http://{arguments.host}:{arguments.port}, described at /docs",
        file=sys.stderr,
        flush=True,
    )
    environment = {**os.environ, ENVIRONMENT: deployment.to_json()}
    environment.pop(METRICS_FOLDER, None)  # the server makes a folder of its own
    os.execve(sys.executable, [sys.executable, "-m", "pytest_infperf.serving.server"], environment)
