"""The generator of open loops and streams: `python -m pytest_infperf.serving.load.open_loop`.

Open loop: arrival times with exponential gaps are drawn in advance, and each request is sent at its
time whether or not others are answered (Schroeder et al. 2006, "Open Versus Closed: A Cautionary
Tale"). Streams: each connection sends its next request when the previous one is answered.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, process_time

import aiohttp

from pytest_infperf.host.environment import refuse_observers
from pytest_infperf.host.processes import die_with_parent
from pytest_infperf.serving.load.config import GeneratorConfig
from pytest_infperf.serving.load.streamed import StreamReader, is_stream
from pytest_infperf.serving.load.traffic import NO_ANSWER, GeneratorUsage, Reply, ReplyFile

MAX_OPEN = 5000
"""Maximum number of unanswered requests; further ones are dropped and counted."""
_TIMER_S = 0.001
"""Resolution of the event loop's timer, in seconds; the rest of a wait is spent polling."""


class Sender:
    """Sends requests, and records their replies."""

    def __init__(self, config: GeneratorConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        self._bodies = config.endless_bodies()
        self._urls = cycle([url + config.path for url in config.replica_urls] or [config.path])
        self.file = ReplyFile(Path(config.out))
        self.dropped = 0

    async def send(self, intended_s: float | None = None) -> None:
        """Send one request; None is due at once."""
        body, sent_s = next(self._bodies), monotonic()
        status, error, answer, reader = NO_ANSWER, "", b"", None
        try:
            async with self._session.post(
                next(self._urls), data=body, allow_redirects=False
            ) as response:
                if self._config.streams and is_stream(response.status, response.content_type):
                    reader = StreamReader()
                    async for received in response.content.iter_any():
                        reader.feed(received, monotonic())
                else:
                    answer = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            error = type(failure).__name__
        done_s = monotonic()
        intended_s = sent_s if intended_s is None else intended_s
        reply = Reply(intended_s, sent_s, done_s, status, error)
        if reader:
            reply, answer = reader.completed(reply), reader.refused.encode()
        self.file.add(reply, answer)

    async def at_random_times(self, rate: float) -> None:
        """Send requests at the arrival times, and wait for the last answers."""
        open_requests: set[asyncio.Task[None]] = set()
        start_s = monotonic()
        times_s = arrivals(rate, self._config.seconds, self._config.seed)
        for arrival_s in islice(times_s, self._config.requests):
            await until(start_s + arrival_s)
            if len(open_requests) >= MAX_OPEN:
                self.dropped += 1
                continue
            task = asyncio.create_task(self.send(start_s + arrival_s))
            open_requests.add(task)
            task.add_done_callback(open_requests.discard)
        if open_requests:
            await asyncio.wait(open_requests)

    async def in_streams(self) -> None:
        """Send requests one after the other on each connection."""
        end_s = monotonic() + self._config.seconds
        left = self._config.requests

        async def stream() -> None:
            nonlocal left
            while monotonic() < end_s and left != 0:
                if left is not None:
                    left -= 1
                await self.send()

        await asyncio.gather(*(stream() for _ in range(self._config.connections)))


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Yield the arrival times of a Poisson process, in seconds from its start.

    The same seed gives the same times.
    """
    rng = random.Random(seed)
    at_s = rng.expovariate(rate)
    while at_s < seconds:
        yield at_s
        at_s += rng.expovariate(rate)


async def until(moment_s: float) -> None:
    """Wait until a moment of the monotonic clock; the last millisecond is polled."""
    if (left_s := moment_s - monotonic() - _TIMER_S) > 0:
        await asyncio.sleep(left_s)
    while monotonic() < moment_s:
        await asyncio.sleep(0)


async def generate(config: GeneratorConfig) -> None:
    """Send the load, and write the replies."""
    timeout = aiohttp.ClientTimeout(total=config.timeout_s)
    certificates = config.ssl_context() if config.certificates else True
    connector = aiohttp.TCPConnector(limit=0, ssl=certificates)
    async with aiohttp.ClientSession(
        config.url,
        headers=config.all_headers,
        timeout=timeout,
        connector=connector,
        trust_env=config.uses_proxies,
    ) as session:
        sender = Sender(config, session)
        start_s, start_cpu_s = monotonic(), process_time()
        if config.rate is None:
            await sender.in_streams()
        else:
            await sender.at_random_times(config.rate)
        usage = GeneratorUsage(process_time() - start_cpu_s, monotonic() - start_s)
        sender.file.write(usage, sender.dropped)


def main() -> None:
    die_with_parent()
    refuse_observers()
    gc.collect()
    gc.freeze()
    asyncio.run(generate(GeneratorConfig.from_environment()))


if __name__ == "__main__":
    main()
