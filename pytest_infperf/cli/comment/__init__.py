"""`infperf comment RECORD...`: results as one comment on a pull request or merge request."""

from pytest_infperf.cli.comment.command import configure, run

__all__ = ["configure", "run"]
