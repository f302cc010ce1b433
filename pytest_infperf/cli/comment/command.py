"""The arguments and the steps of `infperf comment`."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from pytest_infperf.cli.comment import platforms
from pytest_infperf.cli.comment.platforms import NotPosted
from pytest_infperf.cli.comment.posting import post
from pytest_infperf.errors import UserError
from pytest_infperf.history import comparison
from pytest_infperf.history.store import (
    DEFAULT_STORAGE,
    HistoryStore,
    read,
    storage_folder,
    with_records,
)
from pytest_infperf.options import count
from pytest_infperf.report.comment import body
from pytest_infperf.report.github import annotation

_NAME = re.compile(r"(?!.*--)[\w.:/@+ -]{1,100}")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="RECORD",
        help="records, written by `pytest --infperf-json`, one per host",
    )
    parser.add_argument(
        "--against",
        metavar="RUN",
        help="compare the record with a saved run: a file, a number, latest, latest~1, or a git "
        "revision",
    )
    parser.add_argument(
        "--storage",
        default=DEFAULT_STORAGE,
        help="storage of pytest-benchmark (default: %(default)s)",
    )
    parser.add_argument(
        "--name",
        default="results",
        help="key of the comment; jobs with different names write different comments "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--number",
        type=count,
        metavar="N",
        help="number of the pull request or merge request (default: that of the CI job)",
    )
    parser.add_argument(
        "--report-url", metavar="URL", help="link to the report (default: the CI job)"
    )
    parser.add_argument(
        "--best-effort",
        action="store_true",
        help="exit with 0 and a warning if the comment cannot be written, for example because the "
        "pull request comes from a fork",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the comment and do not send it"
    )


def run(arguments: Namespace) -> int:
    marker = _marker(arguments.name)
    environment = dict(os.environ)
    report_url = arguments.report_url
    if report_url is None:
        report_url = platforms.job_url(environment)
    text = f"{marker}\n{_body(arguments, report_url)}"
    if arguments.dry_run:
        print(text, end="")
        return 0
    try:
        print(f"comment: {post(platforms.discussion(environment, arguments.number), marker, text)}")
    except NotPosted as error:
        if not arguments.best_effort:
            raise
        if environment.get("GITHUB_ACTIONS") == "true":
            print(annotation("warning", "infperf comment", str(error)))
        print(f"infperf comment: warning: {error}", file=sys.stderr)
    return 0


def _marker(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--name {name!r}: use letters, digits, spaces and . : / @ + _ -, without two hyphens "
            "in a row"
        )
    return f"<!-- pytest-infperf: {name} -->"


def _body(arguments: Namespace, report_url: str) -> str:
    saved = [with_records(read(Path(name))) for name in arguments.files]
    compared = None
    if arguments.against:
        if len(saved) > 1:
            raise UserError("--against: specify one record, because a saved run is of one host")
        folder = Path.cwd()
        store = HistoryStore(
            storage_folder(arguments.storage, folder),
            lambda reason: print(f"skipped {reason}", file=sys.stderr),
        )
        compared = comparison.compare(with_records(store.find(arguments.against, folder)), saved[0])
    return body([each.run for each in saved], compared, report_url)
