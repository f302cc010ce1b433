"""Copy saved runs between the storage of this host and a remote one.

In the remote storage, the name of a run ends with a hash of its content. Different runs therefore
never have the same name, and a copy never replaces another file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from pytest_infperf.errors import UserError
from pytest_infperf.history.store import no_saved_run, read
from pytest_infperf.host.files import atomic_replacement
from pytest_infperf.records.file import RecordError

_DIGITS = 16
_REMOTE_NAME = re.compile(
    r"(?:(?!\.)[^/\\\x00-\x1f]+/)?(?!\.)[^/\\\x00-\x1f]+-(?P<digest>[0-9a-f]{16})\.json"
)
"""Path of a run in a remote storage: at most one folder, and no hidden file."""


class Remote(Protocol):
    """A remote storage. Its text form names it in messages."""

    def names(self) -> Iterable[str]:
        """Return the paths of all files."""

    def download(self, name: str) -> bytes:
        """Return the content of a file."""

    def upload(self, files: Mapping[str, Path]) -> None:
        """Add files of this host. A file becomes visible only when it is complete.

        Parameters
        ----------
        files : mapping of str to Path
            The paths in the remote storage, with the files to copy.
        """


def push(
    storage: Path, remote: Remote, report_skipped: Callable[[str], None] = lambda reason: None
) -> tuple[int, int]:
    """Upload the runs that are missing in the remote storage.

    Parameters
    ----------
    storage : Path
        The folder of the saved runs.
    remote : Remote
        The remote storage.
    report_skipped : callable, optional
        Called with the reason for each file that is not a saved run, or whose name no pull takes.

    Returns
    -------
    tuple of int
        The number of uploaded runs, and of runs that were already there.

    Raises
    ------
    UserError
        If there is no storage, or the remote storage refuses a file.
    """
    if not storage.is_dir():
        raise no_saved_run(storage)
    known = {digest_of(name) for name in remote.names()}
    missing = {}
    found = 0
    for path, digest in _local_runs(storage, report_skipped):
        if digest in known:
            found += 1
            continue
        try:
            read(path)
        except RecordError as error:
            report_skipped(str(error))
            continue
        name = _remote_name(path.relative_to(storage), digest)
        if not digest_of(name):
            report_skipped(
                f"{path}: a remote storage does not take names that begin with a dot or have a "
                "backslash or a line break"
            )
            continue
        missing[name] = path
    if missing:
        remote.upload(missing)
    return len(missing), found


def pull(
    storage: Path, remote: Remote, report_skipped: Callable[[str], None] = lambda reason: None
) -> tuple[int, int]:
    """Download the runs that are missing in the storage of this host.

    Parameters
    ----------
    storage : Path
        The folder of the saved runs, which is created if it is missing.
    remote : Remote
        The remote storage.
    report_skipped : callable, optional
        Called with the reason for each damaged file.

    Returns
    -------
    tuple of int
        The number of downloaded runs, and of runs that were already here.
    """
    known = {digest for _, digest in _local_runs(storage, report_skipped)}
    copied = found = 0
    for name in sorted(remote.names()):
        digest = digest_of(name)
        if not digest:
            continue
        if digest in known:
            found += 1
            continue
        content = remote.download(name)
        if _digest(content) != digest:
            report_skipped(f"{name} of {remote}: the file is incomplete or was changed")
            continue
        _write(storage / name, content)
        copied += 1
    return copied, found


def digest_of(name: str) -> str:
    """Return the hash in the name of a run; empty for any other name."""
    match = _REMOTE_NAME.fullmatch(name)
    return match["digest"] if match else ""


def _local_runs(storage: Path, report_skipped: Callable[[str], None]) -> Iterator[tuple[Path, str]]:
    for path in sorted({*storage.glob("*/*.json"), *storage.glob("*.json")}):
        try:
            yield path, _digest(path.read_bytes())
        except OSError as error:
            report_skipped(f"{path}: it cannot be read ({error.strerror or error})")


def _remote_name(path: Path, digest: str) -> str:
    name = path.as_posix()
    return name if digest_of(name) == digest else f"{name.removesuffix('.json')}-{digest}.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _write(path: Path, content: bytes) -> None:
    """Write a file that becomes visible only when it is complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replacement(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: it cannot be written ({error.strerror or error})") from error
