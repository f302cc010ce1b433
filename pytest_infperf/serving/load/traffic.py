"""What a generator saw: its requests with their times, and how busy it was itself.

Times are of the host's monotonic clock, in seconds: a generator, the server and the run share it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pytest_infperf.host.files import write_atomically

NO_ANSWER = 0


@dataclass(frozen=True)
class Reply:
    intended_s: float
    """When it was to be sent. In a closed loop, when it was."""
    sent_s: float
    done_s: float
    status: int
    """Of HTTP; 0 when there was no answer."""
    error: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def latency_s(self) -> float:
        """From the intended send time, so that waiting for a slow server or generator counts."""
        return self.done_s - self.intended_s

    @property
    def service_s(self) -> float:
        return self.done_s - self.sent_s

    @property
    def lag_s(self) -> float:
        """By which the generator was late."""
        return self.sent_s - self.intended_s


@dataclass(frozen=True)
class Generator:
    """One process that sent."""

    cpu_s: float
    wall_s: float

    @property
    def busy(self) -> float:
        """Share of one core."""
        return self.cpu_s / self.wall_s if self.wall_s else 0.0


@dataclass(frozen=True)
class Traffic:
    replies: Sequence[Reply]
    """By intended time."""
    generators: Sequence[Generator]
    dropped: int = 0
    """Requests that were not sent, because too many had no answer."""
    samples: int = 1
    """Of a request."""


@dataclass
class Log:
    """A generator's file while it writes: a reply a line, and at last itself."""

    path: Path
    replies: list[Reply] = field(default_factory=list)

    def write(self, generator: Generator, dropped: int = 0) -> None:
        lines = [json.dumps(list(asdict(reply).values())) for reply in self.replies]
        lines.append(json.dumps({**asdict(generator), "dropped": dropped}))
        write_atomically(self.path, "\n".join(lines) + "\n")


def read(paths: Sequence[Path], samples: int) -> Traffic:
    replies: list[Reply] = []
    generators: list[Generator] = []
    dropped = 0
    for path in paths:
        *lines, last = path.read_text().splitlines()
        replies += [Reply(*json.loads(line)) for line in lines]
        facts = json.loads(last)
        dropped += facts.pop("dropped")
        generators.append(Generator(**facts))
    replies.sort(key=lambda reply: reply.intended_s)
    return Traffic(replies, generators, dropped, samples)
