"""The messages of errors in pytest's short summary and in JUnit's attribute `message`.

pytest cuts a line of the summary to the width of the terminal: what the test's id says already
would leave no room for the reason.
"""

from __future__ import annotations

import re
from typing import Any

from pytest_infperf import errors

_BROKEN = re.compile(r"(?P<verdict>FAIL|INCONCLUSIVE) [^\s\[]+\[\S*\] ")


def shorten(report: Any, raised: BaseException) -> None:
    """Remove the module of an error of this package from the message of a report.

    For a broken limit its class, the suite and the variant are removed too.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    module = type(raised).__module__
    if crash is None or not module.startswith(f"{__name__.partition('.')[0]}."):
        return
    message = crash.message.removeprefix(f"{module}.")
    if isinstance(raised, errors.GateBroken):
        message = message.removeprefix(f"{type(raised).__qualname__}: ")
        message = _BROKEN.sub(r"\g<verdict> ", message, count=1)
    crash.message = message
