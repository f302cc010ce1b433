"""GitHub pull requests and GitLab merge requests, found from the variables of a CI job.

See GitHub Docs, REST API endpoints for issue comments, and GitLab Docs, Notes API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pytest_infperf.errors import UserError


class NotPosted(UserError):
    """The comment could not be written; the message contains the reason."""


@dataclass(frozen=True)
class Discussion:
    """The comments of one pull request or merge request."""

    platform: Literal["GitHub", "GitLab"]
    comments_url: str
    """Address for listing and creating comments."""
    comment_url: str
    """Address of one comment, without its number."""
    user_url: str
    """Address of the description of the token's owner."""
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each request."""
        if self.platform == "GitLab":
            return {"PRIVATE-TOKEN": self.token}
        return {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    @property
    def update_method(self) -> str:
        """HTTP method for replacing the text of a comment."""
        return "PATCH" if self.platform == "GitHub" else "PUT"

    def is_own(self, comment: Mapping[str, Any], user: Mapping[str, Any] | None) -> bool:
        """Return whether the owner of the token wrote a comment.

        GitHub does not describe the owner of a job's token, which is a bot (`user` is None).
        """
        author = comment.get("user") or comment.get("author") or {}
        if user is None:
            return bool(author.get("type") == "Bot")
        return author.get("id") == user.get("id")


def discussion(environment: Mapping[str, str], number: int | None = None) -> Discussion:
    """Return the discussion of the CI job's pull request.

    Parameters
    ----------
    environment : mapping of str to str
        The variables of the job.
    number : int, optional
        The number of the pull request; by default the one that the job runs for.

    Raises
    ------
    NotPosted
        If this is no job of GitHub or GitLab, or a variable is missing.
    """
    if environment.get("GITLAB_CI"):
        api = _variable(environment, "CI_API_V4_URL")
        # The pipeline of a fork runs in its own project.
        target = environment.get("CI_MERGE_REQUEST_PROJECT_ID")
        project = quote(target or _variable(environment, "CI_PROJECT_ID"), safe="")
        number = number or _merge_request(environment)
        notes = f"{api}/projects/{project}/merge_requests/{number}/notes"
        token = _token(environment, "GITLAB_TOKEN")
        if not token:
            raise NotPosted(
                "GITLAB_TOKEN is not set; CI_JOB_TOKEN cannot write comments: create a project "
                "access token with the scope api, and store it as the masked variable GITLAB_TOKEN"
            )
        return Discussion("GitLab", notes, notes, f"{api}/user", token)
    if not environment.get("GITHUB_REPOSITORY"):
        raise NotPosted(
            "this is not a job of GitHub Actions or GitLab CI: GITHUB_REPOSITORY and GITLAB_CI are "
            "not set; print the comment with --dry-run"
        )
    api = environment.get("GITHUB_API_URL") or "https://api.github.com"
    issues = f"{api}/repos/{environment['GITHUB_REPOSITORY']}/issues"
    number = number or _pull_request(environment)
    token = _token(environment, "GITHUB_TOKEN")
    if not token:
        raise NotPosted(
            "GITHUB_TOKEN is not set; add `env: {GITHUB_TOKEN: ${{ github.token }}}` to the step"
        )
    comments = f"{issues}/{number}/comments"
    return Discussion("GitHub", comments, f"{issues}/comments", f"{api}/user", token)


def job_url(environment: Mapping[str, str]) -> str:
    """Return the address of the CI job; empty outside CI."""
    if url := environment.get("CI_JOB_URL"):
        return url
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run_id = (environment.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run_id}" if server and run_id else ""


def _variable(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    raise NotPosted(f"{name} is not set; GitLab sets it in each job")


def _token(environment: Mapping[str, str], name: str) -> str:
    """Return a token without spaces at its ends; empty if it is not set."""
    token = environment.get(name, "").strip()
    if not all("!" <= character <= "~" for character in token):
        raise NotPosted(f"{name} has a character that no token has; store the secret again")
    return token


def _merge_request(environment: Mapping[str, str]) -> int:
    number = environment.get("CI_MERGE_REQUEST_IID", "")
    if not number.isdecimal():
        raise NotPosted(
            "CI_MERGE_REQUEST_IID is not set: this job does not run for a merge request; add the "
            'rule `if: $CI_PIPELINE_SOURCE == "merge_request_event"`, or specify --number'
        )
    return int(number)


def _pull_request(environment: Mapping[str, str]) -> int:
    """Return the number from the file that describes the event."""
    path = environment.get("GITHUB_EVENT_PATH", "")
    try:
        event = json.loads(Path(path).read_text("utf-8")) if path else {}
        number = (event.get("pull_request") or {}).get("number")
        if number is None and (event.get("issue") or {}).get("pull_request"):
            number = event["issue"]["number"]
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise NotPosted(
            f"GITHUB_EVENT_PATH {path}: the file does not describe an event ({error})"
        ) from error
    if not isinstance(number, int):
        raise NotPosted(
            "this job does not run for a pull request; add the condition "
            "`if: github.event_name == 'pull_request'`, or specify --number"
        )
    return number
