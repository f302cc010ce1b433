"""The generator of open loops and streams: `python -m pytest_infperf.serving.load.open_loop`.

Open loop: arrival times are drawn before anything is sent, with exponential gaps, and a request
goes out at its time whether or not others are answered (Schroeder et al. 2006, "Open Versus Closed:
A Cautionary Tale"). Streams: each connection sends again when it has its answer.
"""

from __future__ import annotations

import asyncio
import gc
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, process_time

import aiohttp

from pytest_infperf.host.processes import die_with_parent
from pytest_infperf.serving.load.config import GeneratorConfig
from pytest_infperf.serving.load.traffic import NO_ANSWER, Generator, Log, Reply

MOST_OPEN = 5000
"""Requests without an answer; the next ones are dropped, and counted."""
_TIMER_S = 0.001
"""How exact the event loop's timer is; what is left of a wait is spent looking for answers."""
_HEADERS = {"content-type": "application/json"}


class Sender:
    def __init__(self, plan: GeneratorConfig, session: aiohttp.ClientSession) -> None:
        self._plan = plan
        self._session = session
        self._bodies = plan.endless_bodies()
        self.log = Log(Path(plan.out))
        self.dropped = 0

    async def send(self, intended_s: float | None = None) -> None:
        body, sent_s = next(self._bodies), monotonic()
        status, error = NO_ANSWER, ""
        try:
            async with self._session.post(self._plan.path, data=body, headers=_HEADERS) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            error = type(failure).__name__
        except asyncio.CancelledError:
            error = "cut off"
        done_s = monotonic()
        intended_s = sent_s if intended_s is None else intended_s
        self.log.replies.append(Reply(intended_s, sent_s, done_s, status, error))

    async def at_random_times(self, rate: float) -> None:
        open_ends: set[asyncio.Task[None]] = set()
        begun = monotonic()
        for after in arrivals(rate, self._plan.seconds, self._plan.seed):
            await until(begun + after)
            if len(open_ends) >= MOST_OPEN:
                self.dropped += 1
                continue
            task = asyncio.create_task(self.send(begun + after))
            open_ends.add(task)
            task.add_done_callback(open_ends.discard)
        if open_ends:
            await asyncio.wait(open_ends)

    async def in_streams(self) -> None:
        until_s = monotonic() + self._plan.seconds
        left = self._plan.requests

        async def stream() -> None:
            nonlocal left
            while monotonic() < until_s and left != 0:
                if left is not None:
                    left -= 1
                await self.send()

        await asyncio.gather(*(stream() for _ in range(self._plan.connections)))


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Of a Poisson process, in seconds from its beginning; the same ones for the same seed."""
    rng = random.Random(seed)
    at = rng.expovariate(rate)
    while at < seconds:
        yield at
        at += rng.expovariate(rate)


async def until(moment_s: float) -> None:
    if (left_s := moment_s - monotonic() - _TIMER_S) > 0:
        await asyncio.sleep(left_s)
    while monotonic() < moment_s:
        await asyncio.sleep(0)


async def generate(plan: GeneratorConfig) -> None:
    timeout = aiohttp.ClientTimeout(total=plan.timeout_s)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(plan.url, timeout=timeout, connector=connector) as session:
        sender = Sender(plan, session)
        begun, cpu = monotonic(), process_time()
        sending = sender.in_streams() if plan.rate is None else sender.at_random_times(plan.rate)
        task = asyncio.ensure_future(sending)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with suppress(asyncio.CancelledError):  # an interrupted run keeps what was seen
            await task
        generator = Generator(process_time() - cpu, monotonic() - begun)
        sender.log.write(generator, sender.dropped)


def main() -> None:
    die_with_parent(signal.SIGTERM)
    gc.collect()
    gc.freeze()
    asyncio.run(generate(GeneratorConfig.from_environment()))


if __name__ == "__main__":
    main()
