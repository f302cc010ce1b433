"""Remote storages of saved runs: any file system of fsspec, and a branch of the repository."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError, brief
from pytest_infperf.history.git_branch import GitBranch
from pytest_infperf.history.transfer import Remote

_BRANCH = "git+branch:"
_SHOWS_INCOMPLETE_FILES = frozenset({"file", "local", "sftp", "ssh", "ftp", "smb"})
"""Protocols in which a file can be read while it is written."""
_EXAMPLES = "s3://bucket/prefix, file:///shared/folder or git+branch:infperf-history"


def open_remote(url: str, folder: Path) -> Remote:
    """Return the remote storage of an address.

    Parameters
    ----------
    url : str
        An address of fsspec, such as `s3://bucket/prefix`, or `git+branch:NAME`.
    folder : Path
        A folder in the repository; its remote `origin` contains the branch.

    Raises
    ------
    UserError
        If the address is not valid, or its protocol needs a package that is not installed.
    """
    if url.startswith(_BRANCH):
        return GitBranch(url.removeprefix(_BRANCH), folder)
    if "://" not in url:
        raise UserError(f"{url}: this is not a URL; write, for example, {_EXAMPLES}")
    return FileSystem(url)


class FileSystem:
    """A folder in a file system of fsspec.

    Parameters
    ----------
    url : str
        The address of the folder.
    """

    def __init__(self, url: str) -> None:
        self._shown = _without_password(url)
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise UserError(
                f"{self._shown}: remote storages need fsspec: "
                "pip install 'pytest-infperf[history-remote]'"
            ) from error
        try:
            self._files, root = url_to_fs(url)
        except ImportError as error:
            raise UserError(
                f"{self._shown}: {_reason(error)}; for S3: "
                "pip install 'pytest-infperf[history-remote]'"
            ) from error
        except Exception as error:  # some file systems connect here
            raise UserError(
                f"{self._shown}: {_reason(error)}; check the address, such as {_EXAMPLES}"
            ) from error
        self._root = str(root).rstrip("/")

    def __str__(self) -> str:
        return self._shown

    def names(self) -> Iterable[str]:
        """Return the paths of all files; none if the folder does not exist yet."""
        self._files.invalidate_cache()
        paths = self._try(self._files.find, self._root)
        return [str(path).removeprefix(self._root).lstrip("/") for path in paths]

    def download(self, name: str) -> bytes:
        """Return the content of a file."""
        return bytes(self._try(self._files.cat_file, f"{self._root}/{name}"))

    def upload(self, files: Mapping[str, Path]) -> None:
        """Add files of this host, each in one step."""
        protocols = self._files.protocol
        protocols = {protocols} if isinstance(protocols, str) else {*protocols}
        for name, path in files.items():
            target = f"{self._root}/{name}"
            if not protocols & _SHOWS_INCOMPLETE_FILES:
                self._try(self._files.put_file, str(path), target)
                continue
            partial = f"{target}.{uuid.uuid4().hex}.part"
            self._try(self._files.makedirs, target.rpartition("/")[0], exist_ok=True)
            self._try(self._files.put_file, str(path), partial)
            self._try(self._files.mv, partial, target)

    def _try(self, call: Callable[..., Any], *arguments: str, **options: Any) -> Any:
        """Call a function of fsspec, which raises the errors of the libraries that it uses."""
        try:
            return call(*arguments, **options)
        except Exception as error:
            raise UserError(
                f"{self._shown}: {type(error).__name__}: {_reason(error)}; check the address, the "
                "credentials and their permissions"
            ) from error


def _reason(error: Exception) -> str:
    return _without_password(brief(error))


def _without_password(text: str) -> str:
    """Return the text without the users and passwords of its addresses."""
    return re.sub(r"://[^/\s]+@", "://***@", text)
