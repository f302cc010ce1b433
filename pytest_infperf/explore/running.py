"""One trial after the other: a server as the setting says, users who wait, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.explore.design import Setting, Trial
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
    "users": ("clients who each wait for an answer: requests in flight", ""),
    "payload": ("samples of a request", "samples"),
    "length": ("of each sample, in the unit that the task counts, at least", ""),
    "replicas": ("server processes, each with a model of its own", ""),
    "cpu": ("processor time that the server may use, in cores", "cores"),
    "memory": ("that the server may use", "bytes"),
}
_WARM_UP = 4
"""Requests a user, before those that count."""


@dataclass(frozen=True)
class Explorer:
    suite_run: SuiteRun
    variant_id: str
    seconds: float
    """Of load, a trial."""

    def outcomes(
        self, trials: Sequence[Trial], done: set[str], report_progress: Callable[[str], None]
    ) -> Iterator[Outcome]:
        """Of the trials that are not done; raises ControlGroupError for limits that this host does
        not let anybody set."""
        left = [trial for trial in trials if trial.key not in done]
        for number, trial in enumerate(left, len(trials) - len(left) + 1):
            report_progress(f"{number}/{len(trials)} {trial.key.partition(':')[2]}")
            yield self._outcome(trial)

    def _outcome(self, trial: Trial) -> Outcome:
        setting = trial.setting
        memory = setting.get("memory")
        with limited(setting.get("cpu"), None if memory is None else round(memory)) as limits:
            try:
                run = self._loaded(setting, limits)
                failure = ""
            except WorkerError as error:
                run, failure = None, str(error).partition("\n")[0]
            if kills := limits.kills():
                run, failure = None, f"memory ran out: {kills} processes were killed"
        if run is None or not run.answered:
            failure = failure or "no request was answered"
            return Outcome(trial.key, trial.replicate, setting, failure=failure)
        kept = [reply.latency_s for reply in run.steady_replies]
        return Outcome(
            trial.key,
            trial.replicate,
            setting,
            response_s=fmean(kept),
            cores=run.cores,
            p99_s=quantile.percentile(kept, 0.99),
            requests_per_hour=3600 * len(run.answered) / run.seconds,
            error_rate=run.error_rate,
            peak_memory_bytes=run.usage.peak_memory_bytes,
            doubt=run.doubt,
        )

    def _loaded(self, setting: Setting, limits: ControlGroup) -> LoadRun:
        suite_server, suite = self.suite_run.server, self.suite_run.suite
        replicas = round(setting.get("replicas", suite.serving.workers))
        serving = replace(suite.serving, workers=replicas)
        deployment = replace(
            suite_server.deployment(self.variant_id, serving), groups=tuple(limits.folders)
        )
        with closing(suite_server.started(deployment, lambda: limits.kills() > 0)) as server:
            users = round(setting.get("users", 1))
            target = self._target(server, setting)
            streams(target, 60.0, users, requests=_WARM_UP * users)
            with sample_usage(server.process) as sampler:
                traffic = streams(target, self.seconds, users)
            return LoadRun(traffic, sampler.usage)

    def _target(self, server: ServerProcess, setting: Setting) -> Target:
        run, size = self.suite_run, round(setting.get("payload", 1))
        order = endless_order(run.numbers, run.seed)
        samples, length = run.samples, setting.get("length")
        if length is None:
            return run.server.target(server, samples, order, size)
        inputs, sized = samples.inputs, run.suite.task.sized
        long = [sized(inputs, i, round(length)) for i in islice(order, 50)]
        return run.server.target(
            server, replace(samples, inputs=long), endless_order(range(len(long)), run.seed), size
        )
