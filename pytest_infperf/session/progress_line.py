"""The progress line on pytest's terminal, if it does not disturb other output."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from pytest_infperf.report.progress import Progress, progress_for
from pytest_infperf.session import xdist

if TYPE_CHECKING:
    import pytest


def on_terminal(config: pytest.Config) -> Progress:
    """Return the progress line.

    Nothing is shown with -q or -p no:terminal, nor in xdist's workers, because their lines would
    be mixed. With -vv, a log has a line per phase.
    """
    manager = config.pluginmanager
    quiet = (
        xdist.is_worker(config)
        or manager.is_blocked("terminal")
        or manager.is_blocked("terminalreporter")
        or config.option.verbose < 0
        or config.option.collectonly
    )
    try:
        # pytest captures stdout while tests run, but not a duplicate of its descriptor.
        stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding)
    except (OSError, io.UnsupportedOperation):
        return progress_for(sys.stderr, quiet=True, interactive=False)

    config.add_cleanup(stream.close)

    return progress_for(
        stream,
        quiet=quiet,
        interactive=stream.isatty(),
        width=lambda: config.get_terminal_writer().fullwidth,
        column=lambda: config.get_terminal_writer().width_of_current_line,
        every_phase=not quiet and config.option.verbose >= 2,
    )
