"""The network between load generator and servers: its delay and its packet loss.

netem of the Linux kernel (tc-netem(8)) is set on a new pair of virtual interfaces. One of them is
in an unnamed network namespace, in which the generator runs; no other interface is changed. The
namespace ends with the process that holds it, even if this process is killed. If netem cannot be
set, a proxy delays the requests to the servers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address

from pytest_infperf import errors
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host.processes import child_environment, kill_group

__tracebackhide__ = errors.meant_for_the_user

_FIRST_ADDRESS = IPv4Address("198.18.0.0")
"""First address of the /15 that RFC 2544 reserves for tests of network devices."""
_PAIRS = 2**15
"""Number of /30 networks in it."""
_HOLDER = ["unshare", "--net", "sh", "-c", "echo; exec cat"]


class LinkError(UserError):
    """This host does not allow setting delay and loss; the message contains the cause."""


@dataclass(frozen=True)
class Link:
    """The two ends of a network."""

    host: str = "127.0.0.1"
    """Address that servers listen on."""
    launcher: Sequence[str] = ()
    """Command prefix that runs a command at the generator's end."""


@contextmanager
def netem(delay_ms: float = 0.0, loss: float = 0.0) -> Iterator[Link]:
    """Yield a network with a delay towards the servers, and loss in both directions.

    `loss` is a fraction of the packets. Raises LinkError if this host does not allow it.
    """
    with ExitStack() as cleanup:
        try:
            link = _create(delay_ms, loss, cleanup)
        except (OSError, subprocess.CalledProcessError) as error:
            output = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise LinkError(
                f"cannot set delay and loss with netem ({output[0]}): run as root on Linux, with "
                "iproute2, util-linux and the kernel's module sch_netem"
            ) from error
        yield link


def _create(delay_ms: float, loss: float, cleanup: ExitStack) -> Link:
    holder = subprocess.Popen(
        _HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    cleanup.enter_context(holder)  # closes its stdin, which ends it, and waits
    assert holder.stdout
    assert holder.stderr
    if not holder.stdout.readline():
        raise OSError(holder.stderr.read())
    inside = ["nsenter", "--target", str(holder.pid), "--net", "--"]
    ours, theirs = f"infperf{os.getpid():x}", "infperf0"
    network = _FIRST_ADDRESS + 4 * (os.getpid() % _PAIRS)
    _run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs,
         "netns", str(holder.pid))  # fmt: skip
    cleanup.callback(_remove, ours)
    losses: list[str] = ["loss", f"{100 * loss:g}%"] if loss else []
    delays: list[str] = ["delay", f"{delay_ms:g}ms"] if delay_ms else []
    nothing: list[str] = []
    ends = (
        (nothing, ours, network + 1, losses),
        (inside, theirs, network + 2, delays + losses),
    )
    for prefix, name, address, options in ends:
        _run(*prefix, "ip", "address", "add", f"{address}/30", "dev", name)
        _run(*prefix, "ip", "link", "set", name, "up")
        if options:
            _run(*prefix, "tc", "qdisc", "add", "dev", name, "root", "netem", *options)
    return Link(str(network + 1), inside)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _remove(name: str) -> None:
    with suppress(subprocess.CalledProcessError):  # it is also removed with the namespace
        _run("ip", "link", "delete", name)


@contextmanager
def delayed(urls: Sequence[str], delay_ms: float) -> Iterator[Sequence[str]]:
    """Yield URLs of a proxy that forwards requests to the servers after a delay.

    Answers are forwarded at once. Raises WorkerError if the proxy does not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest_infperf.explore.proxy", str(delay_ms / 1e3), *urls],
        env=child_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout
            if not (line := process.stdout.readline()):
                raise WorkerError("the proxy that delays requests did not start")
            yield [f"http://127.0.0.1:{port}" for port in json.loads(line)]
        finally:
            kill_group(process.pid)
