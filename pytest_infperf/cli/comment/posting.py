"""Write a comment: it is created once and updated in place afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_infperf.cli.comment.platforms import Discussion, NotPosted

if TYPE_CHECKING:
    import httpx

WAITS_S = (1.0, 4.0, 16.0)
"""Waiting times before the second and each later attempt, in seconds."""
_MAX_WAIT_S = 60.0
_TIME_LIMIT_S = 30.0
_PAGE = 100
"""Comments per page, the maximum of both platforms."""
_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})

_REMEDIES = {
    "GitHub": {
        401: "GITHUB_TOKEN is not valid",
        403: "the token may not write comments: give the job `permissions: pull-requests: write`. "
        "The token of a pull request from a fork is always read-only",
        404: "the pull request does not exist, or the token has no access to the repository",
    },
    "GitLab": {
        401: "GITLAB_TOKEN is not valid, or has expired",
        403: "the token may not write comments: it needs the scope api and the role Reporter",
        404: "the merge request does not exist, or the token has no access to the project",
    },
}


class _Temporary(Exception):
    """A request failed, but a retry may succeed."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def post(discussion: Discussion, marker: str, text: str) -> str:
    """Create the comment that starts with a marker, or replace its text.

    Parameters
    ----------
    discussion : Discussion
        The pull request or merge request.
    marker : str
        The first line of the comment, which identifies it to later calls.
    text : str
        The whole text, with the marker.

    Returns
    -------
    str
        The address of the comment; on GitLab that in its API.

    Raises
    ------
    NotPosted
        If the platform refuses it, or does not answer after several tries.
    """
    try:
        import httpx
    except ImportError as error:
        raise NotPosted("comments need httpx: pip install 'pytest-infperf[comment]'") from error
    with httpx.Client(headers=discussion.headers, timeout=_TIME_LIMIT_S) as client:
        for wait_s in (*WAITS_S, None):
            try:
                # A failed request may have created the comment, so each attempt looks for it.
                return _create_or_update(client, discussion, marker, text)
            except _Temporary as failed:
                if wait_s is None:
                    raise NotPosted(f"{failed}, in {len(WAITS_S) + 1} attempts") from None
                time.sleep(min(failed.wait_s or wait_s, _MAX_WAIT_S))
    raise AssertionError("the last try returns or raises")


def _create_or_update(client: httpx.Client, discussion: Discussion, marker: str, text: str) -> str:
    user = _owner(client, discussion)
    for comment in _comments(client, discussion):
        body = str(comment.get("body") or "")
        if body.partition("\n")[0].strip() == marker and discussion.is_own(comment, user):
            url = f"{discussion.comment_url}/{comment['id']}"
            written = _send(client, discussion, discussion.update_method, url, json={"body": text})
            break
    else:
        url = discussion.comments_url
        written = _send(client, discussion, "POST", url, json={"body": text})
    if not isinstance(written, dict):
        raise NotPosted(f"{discussion.platform} did not return the comment")
    return str(written.get("html_url") or f"{discussion.comment_url}/{written.get('id')}")


def _owner(client: httpx.Client, discussion: Discussion) -> Mapping[str, Any] | None:
    """Return the owner of the token; None for the token of a job of GitHub Actions."""
    accepted = (403, 404) if discussion.platform == "GitHub" else ()
    user = _send(client, discussion, "GET", discussion.user_url, accepted=accepted)
    return user if isinstance(user, dict) else None


def _comments(client: httpx.Client, discussion: Discussion) -> Iterator[Mapping[str, Any]]:
    page = 1
    while True:
        found = _send(
            client,
            discussion,
            "GET",
            discussion.comments_url,
            params={"per_page": _PAGE, "page": page},
        )
        if not isinstance(found, list):
            raise NotPosted(f"{discussion.platform} did not return a list of comments")
        yield from (comment for comment in found if isinstance(comment, dict))
        if not found:
            return
        page += 1


def _send(
    client: httpx.Client,
    discussion: Discussion,
    method: str,
    url: str,
    *,
    accepted: tuple[int, ...] = (),
    **options: Any,
) -> Any:
    """Send a request and return the response; None for an accepted status."""
    import httpx

    request = f"{discussion.platform}: {method} {url}"
    try:
        response = client.request(method, url, **options)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError) as error:
        raise NotPosted(f"{request} is not possible ({type(error).__name__})") from None
    except httpx.RequestError as error:
        raise _Temporary(f"{request} failed ({type(error).__name__})") from error
    status = response.status_code
    wait_s = response.headers.get("Retry-After", "")
    if status in _TEMPORARY or (status == 403 and wait_s):
        raise _Temporary(
            f"{request} returned {status}", float(wait_s) if wait_s.isdecimal() else None
        )
    if status in accepted:
        return None
    if not response.is_success:
        remedy = _REMEDIES[discussion.platform].get(status, "")
        raise NotPosted(
            f"{request} returned {status}{_reason(response, discussion.token)}"
            f"{f'; {remedy}' if remedy else ''}"
        )
    try:
        return response.json()
    except ValueError:
        raise NotPosted(f"{request} did not return JSON") from None


def _reason(response: httpx.Response, token: str) -> str:
    """Return the platform's own message, without the token."""
    try:
        message = response.json().get("message")
    except (ValueError, AttributeError):
        return ""
    text = " ".join(str(message or "").split()).replace(token, "***")[:200]
    return f" ({text})" if text else ""
