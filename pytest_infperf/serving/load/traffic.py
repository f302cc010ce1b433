"""Traffic as recorded by a load generator: requests with their times, and its own CPU time.

Times are seconds of the host's monotonic clock, which the generator, the server and the run share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pytest_infperf.host.files import write_atomically

NO_ANSWER = 0
"""Status of a request without a response."""
_MOST_OF_REFUSAL = 10_000
"""Maximum size of the text of a refusal in a file of replies, in bytes."""


@dataclass(frozen=True)
class Reply:
    """One request, with the times and the status of its answer."""

    intended_s: float
    """Time at which it was due, in seconds; in a closed loop, `sent_s`."""
    sent_s: float
    """Time at which it was sent, in seconds."""
    done_s: float
    """Time at which the answer was read or the request failed, in seconds."""
    status: int
    """HTTP status, or NO_ANSWER."""
    error: str = ""
    """Name of the exception if there was no response, or what is wrong with a streamed one."""
    arrivals_s: Sequence[float] | None = None
    """Times at which pieces of the output arrived, in seconds; None if it was not streamed."""
    prompt_tokens: int | None = None
    """Number of tokens of the prompt; None if the server did not count them."""
    output_tokens: int | None = None
    """Number of tokens of the output; None if the server did not count them."""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx, and the response is complete."""
        return 200 <= self.status < 300 and not self.error

    @property
    def latency_s(self) -> float:
        """Time from the intended send time, in seconds.

        It includes the wait for a slow server or a slow generator.
        """
        return self.done_s - self.intended_s

    @property
    def service_s(self) -> float:
        """Time from the actual send time, in seconds."""
        return self.done_s - self.sent_s

    @property
    def first_token_s(self) -> float | None:
        """Time from the intended send time to the first token, in seconds; None if unknown.

        An output without text has its end token at its end.
        """
        if self.arrivals_s is None:
            return None
        return self.arrivals_s[0] - self.intended_s if self.arrivals_s else self.latency_s

    @property
    def lag_s(self) -> float:
        """Time by which the generator sent late, in seconds."""
        return self.sent_s - self.intended_s


@dataclass(frozen=True)
class GeneratorUsage:
    """CPU time of one process of a load generator."""

    cpu_s: float
    """CPU time, in seconds."""
    wall_s: float
    """Duration of the load, in seconds."""

    @property
    def busy(self) -> float:
        """Fraction of one core."""
        return self.cpu_s / self.wall_s if self.wall_s else 0.0


@dataclass(frozen=True)
class Traffic:
    """Everything that the processes of a load generator recorded in one run."""

    replies: Sequence[Reply]
    """Requests in the order of their intended times."""
    generators: Sequence[GeneratorUsage]
    """CPU time of each process."""
    dropped: int = 0
    """Number of requests that were not sent, because too many others were open."""
    samples: int = 1
    """Samples in each request."""
    refusal: str = ""
    """Start of the text of the first answer that is an error; empty if there is none."""


@dataclass
class ReplyFile:
    """The file of one generator process: a line for each reply, and a last line for the process."""

    path: Path
    replies: list[Reply] = field(default_factory=list)
    """Replies so far; `write` writes them."""
    refusal: str = ""
    """Start of the text of the first answer that is an error."""

    def add(self, reply: Reply, body: bytes) -> None:
        """Add a reply, with the body of its answer."""
        self.replies.append(reply)
        if not reply.ok and not self.refusal:
            self.refusal = body[:_MOST_OF_REFUSAL].decode(errors="replace").strip()

    def write(self, usage: GeneratorUsage, dropped: int = 0) -> None:
        """Write the file under a temporary name first, so that it is either complete or absent."""
        lines = [json.dumps([*vars(reply).values()]) for reply in self.replies]
        lines.append(json.dumps({**asdict(usage), "dropped": dropped, "refusal": self.refusal}))
        write_atomically(self.path, "\n".join(lines) + "\n")


def read(paths: Sequence[Path], samples: int) -> Traffic:
    """Return the traffic in the files of all processes of a generator.

    `samples` is the number of samples in each request.
    """
    replies: list[Reply] = []
    generators: list[GeneratorUsage] = []
    dropped, refusals = 0, []
    for path in paths:
        *lines, last = path.read_text().splitlines()
        replies += [Reply(*json.loads(line)) for line in lines]
        process = json.loads(last)
        dropped += process.pop("dropped")
        refusals.append(process.pop("refusal"))
        generators.append(GeneratorUsage(**process))
    replies.sort(key=lambda reply: reply.intended_s)
    refusal = next(filter(None, refusals), "")
    return Traffic(replies, generators, dropped, samples, refusal)
