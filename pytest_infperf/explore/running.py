"""Trials of an exploration: a server with the setting, clients that wait, and the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.explore.design import Setting, Trial, describe
from pytest_infperf.explore.store import Outcome
from pytest_infperf.host.control_group import ControlGroup, limited
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.serving.load.generators import Target, streams
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.usage import sample_usage
from pytest_infperf.serving.server.process import ServerProcess
from pytest_infperf.stats import quantile

__tracebackhide__ = errors.meant_for_the_user

FACTORS = {
    "users": ("clients that each wait for an answer: requests in flight", ""),
    "payload": ("samples in a request", "samples"),
    "length": ("minimum length of each sample, in the unit that the task counts", ""),
    "replicas": ("server processes, each with its own copy of the model", ""),
    "cpu": ("limit of the server's CPU time, in cores", "cores"),
    "memory": ("limit of the server's memory", "bytes"),
}
"""Parameters that can be varied, with their purpose and their unit."""
_WARM_UP_REQUESTS = 4
"""Requests of each user before the measured ones."""
_WARM_UP_S = 60.0
_MAX_TRIAL_S = 3600.0
"""Time in which a trial's number of requests must be sent, in seconds."""
_SIZED_SAMPLES = 50
"""Number of different samples that are made of a chosen length."""


@dataclass(frozen=True)
class Explorer:
    """Runs the trials of one variant."""

    suite_run: SuiteRun
    variant_id: str
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

    def _outcome(self, trial: Trial) -> Outcome:
        setting = trial.setting
        memory = setting.get("memory")
        with limited(setting.get("cpu"), None if memory is None else round(memory)) as limits:
            try:
                run = self._run(setting, limits)
                failure = ""
            except WorkerError as error:
                run, failure = None, str(error).partition("\n")[0]
            if kills := limits.kills():
                run, failure = None, f"memory ran out: {kills} processes were killed"
        if run is None or not run.answered:
            failure = failure or "no request was answered"
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
        """Return that the requests were not all sent in time; empty if they were."""
        sent = len(run.replies)
        if self.requests is None or sent >= self.requests:
            return ""
        return f"{sent} of {self.requests} requests were sent in {_MAX_TRIAL_S:g} s"

    def _run(self, setting: Setting, limits: ControlGroup) -> LoadRun:
        """Start a server with the setting, warm it up, and put load on it."""
        suite_server, suite = self.suite_run.server, self.suite_run.suite
        replicas = round(setting.get("replicas", suite.serving.workers))
        serving = replace(suite.serving, workers=replicas)
        deployment = replace(
            suite_server.deployment(self.variant_id, serving), groups=tuple(limits.folders)
        )
        with closing(suite_server.started(deployment, lambda: limits.kills() > 0)) as server:
            users = round(setting.get("users", 1))
            target = self._target(server, setting)
            streams(target, _WARM_UP_S, users, requests=_WARM_UP_REQUESTS * users)
            with server.checked(), sample_usage(server.process) as sampler:
                traffic = streams(target, self.seconds or _MAX_TRIAL_S, users, self.requests)
            return LoadRun(traffic, sampler.usage)

    def _target(self, server: ServerProcess, setting: Setting) -> Target:
        """Return the server with requests of the setting's payload and length."""
        run, size = self.suite_run, round(setting.get("payload", 1))
        order = endless_order(run.numbers, run.seed)
        samples, length = run.samples, setting.get("length")
        if length is None:
            return run.server.target(server, samples, order, size)
        inputs, sized = samples.inputs, run.suite.task.sized
        long = [sized(inputs, i, round(length)) for i in islice(order, _SIZED_SAMPLES)]
        return run.server.target(
            server, replace(samples, inputs=long), endless_order(range(len(long)), run.seed), size
        )
