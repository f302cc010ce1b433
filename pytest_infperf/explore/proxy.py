"""A proxy that delays requests: `python -m pytest_infperf.explore.proxy SECONDS URL...`.

It writes the port for each URL to stdout, as one line of JSON. Connections are not delayed. A delay
ends up to a millisecond late, the resolution of the event loop's timer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

from pytest_infperf.host.processes import die_with_parent

_CHUNK_BYTES = 65536


async def serve(delay_s: float, urls: Sequence[str]) -> None:
    """Forward connections until the process is ended."""
    ports = []
    for url in urls:
        connected = partial(_pass_on, url, delay_s)
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


async def _pass_on(url: str, delay_s: float, reader: StreamReader, writer: StreamWriter) -> None:
    parts = urlsplit(url)
    try:
        answers, requests = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_forward(reader, requests, delay_s), _forward(answers, writer, 0.0))


async def _forward(reader: StreamReader, writer: StreamWriter, delay_s: float) -> None:
    """Write the received data after a delay, in order, and then close the connection."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            loop.call_later(delay_s, writer.write, data)
    loop.call_later(delay_s, writer.close)


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(serve(float(sys.argv[1]), sys.argv[2:]))
