"""Trials of an exploration: servers with the setting, clients, and the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import Any

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.explore.design import Setting, Trial
from pytest_infperf.explore.engine import Engine, Servers
from pytest_infperf.explore.parameters import describe
from pytest_infperf.explore.store import Outcome
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.serving.load.generators import Target, streams
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.usage import sample_usage
from pytest_infperf.stats import quantile
from pytest_infperf.suite.samples import Samples

__tracebackhide__ = errors.meant_for_the_user


_WARM_UP_REQUESTS = 4
"""Requests of each user before the measured ones."""
_WARM_UP_S = 60.0
_MAX_TRIAL_S = 3600.0
"""Time in which a trial's number of requests must be sent, in seconds."""
_SIZED_SAMPLES = 50
"""Number of different samples of a chosen length."""


@dataclass(frozen=True)
class Explorer:
    """Runs the trials of one variant."""

    suite_run: SuiteRun
    engine: Engine
    """Engine that runs the servers."""
    seconds: float | None = None
    """Duration of the load in a trial, in seconds; None for a number of requests."""
    requests: int | None = None
    """Number of requests in a trial, over all users; None for a duration."""

    def outcomes(
        self, trials: Sequence[Trial], done: set[str], report_progress: Callable[[str], None]
    ) -> Iterator[Outcome]:
        """Run the trials whose keys are not in `done`, and yield their outcomes.

        Raises ControlGroupError if limits on CPU time or memory cannot be set on this host.
        """
        left = [trial for trial in trials if trial.key not in done]
        for number, trial in enumerate(left, len(trials) - len(left) + 1):
            report_progress(f"{number}/{len(trials)} {describe(trial.setting)}")
            yield self._outcome(trial)

    def check(self, settings: Iterable[Setting]) -> None:
        """Raise UserError if the task cannot make samples of one of the lengths."""
        for length in {setting["length"] for setting in settings if "length" in setting}:
            self.suite_run.suite.task.sized(self.suite_run.samples.inputs, 0, round(length))

    def _outcome(self, trial: Trial) -> Outcome:
        setting = trial.setting
        try:
            run = self._run(setting)
            failure = "" if run.answered else "no request was answered"
        except WorkerError as error:
            run, failure = None, str(error).partition("\n")[0]
        if run is None or failure:
            return Outcome(trial.key, trial.replicate, setting, failure=failure)
        latencies = [reply.latency_s for reply in run.steady_replies]
        energy = run.usage.energy
        joules = energy.joules / len(run.answered) if energy else None
        is_estimate = energy is not None and energy.estimated
        return Outcome(
            trial.key,
            trial.replicate,
            setting,
            response_s=fmean(latencies),
            cores=run.cores,
            p99_s=quantile.percentile(latencies, 0.99),
            requests=len(run.replies),
            requests_per_hour=3600 * len(run.answered) / run.seconds,
            error_rate=run.error_rate,
            peak_memory_bytes=run.usage.peak_memory_bytes,
            energy_per_request_j=None if is_estimate else joules,
            estimated_energy_per_request_j=joules if is_estimate else None,
            doubt=self._too_few(run) or run.doubt,
        )

    def _too_few(self, run: LoadRun) -> str:
        """Return a message if not all requests were sent in time; empty if they were."""
        sent = len(run.replies)
        if self.requests is None or sent >= self.requests:
            return ""
        return f"{sent} of {self.requests} requests were sent in {_MAX_TRIAL_S:g} s"

    def _run(self, setting: Setting) -> LoadRun:
        """Start the servers of a setting, warm them up, and put load on them."""
        users = round(setting.get("users", 1))
        with self.engine.servers(setting) as servers:
            target = replace(
                self._target(servers, setting),
                replica_urls=servers.urls,
                launcher=servers.launcher,
            )
            warm_up = _WARM_UP_REQUESTS * max(users, servers.replicas)
            streams(target, _WARM_UP_S, users, requests=warm_up)
            with servers.checked(), sample_usage(*servers.processes()) as sampler:
                traffic = streams(target, self.seconds or _MAX_TRIAL_S, users, self.requests)
            return LoadRun(traffic, sampler.usage)

    def _target(self, servers: Servers, setting: Setting) -> Target:
        """Return the servers with requests of the setting's payload and length."""
        run, size = self.suite_run, round(setting.get("payload", 1))
        order = endless_order(run.numbers, run.seed)
        samples, length = run.samples, setting.get("length")
        if length is None:
            return run.server.target(servers.urls[0], servers.deployment, samples, order, size)
        inputs, sized = samples.inputs, run.suite.task.sized
        long = [
            _cut(sized(inputs, i, round(length)), round(length))
            for i in islice(order, _SIZED_SAMPLES)
        ]
        order = endless_order(range(len(long)), run.seed)
        sized_samples = Samples(long, long)
        return run.server.target(servers.urls[0], servers.deployment, sized_samples, order, size)


def _cut(sample: Any, length: int) -> Any:
    """Return the first words of a text, of words or of a pair of texts; other inputs unchanged.

    A server does not truncate to the length, unlike codecs in a sweep. The words have `length`
    tokens or more.
    """
    if isinstance(sample, str):
        return " ".join(sample.split()[:length])
    if isinstance(sample, tuple):
        return tuple(_cut(text, length) for text in sample)
    return sample[:length] if isinstance(sample, list) else sample
