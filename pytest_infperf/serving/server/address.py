"""The address that a server listens on."""

from __future__ import annotations

import errno
import socket

from pytest_infperf.errors import UserError


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address; connections wait until one is accepted.

    If two servers bind a port at the same time, only one can listen. Raises UserError if the
    address is not available.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"port {port} of {host} is in use: end the process that listens there, or choose "
                "another port (--port 0 uses a free one)"
            ) from None
        if error.errno == errno.EACCES:
            raise UserError(
                f"port {port} requires root privileges: choose a port of at least 1024 (--port)"
            ) from None
        raise UserError(
            f"cannot listen on {host}: {error.strerror}: choose an address of this host (--host)"
        ) from None
    listener.set_inheritable(True)
    return listener
