"""The servers of a trial as containers behind one address, with Docker Compose.

The compose file defines a service `api` that serves, and a service `front` that listens on `PORT`.
The engine sets SUITE, VARIANT, WORKERS, THREADS, REPLICAS, CPUS, MEMORY and PORT for it.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic, sleep, time
from typing import Any

import psutil

from pytest_infperf import errors
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.explore.design import Setting
from pytest_infperf.explore.engine import Servers
from pytest_infperf.host.processes import family, kill_group
from pytest_infperf.host.termination import held_back
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.serving.server.address import bound
from pytest_infperf.serving.server.settings import Deployment

__tracebackhide__ = errors.meant_for_the_user

_SERVICES = ("api", "front")
_READY_WITHIN_S = 600.0
_POLL_S = 0.5
_EVENT_WITHIN_S = 2.0
"""Time in which Docker reports that an ended container ran out of memory, in seconds."""
_REMOVED_WITHIN_S = 60
"""Time after which a removal by Compose is given up, in seconds."""
_REMOVALS = 3
"""Removals until nothing is left: Docker may complete a creation after its client was killed."""


@dataclass(frozen=True)
class ContainerEngine:
    """Runs servers as containers behind one address."""

    suite_run: SuiteRun
    variant_id: str
    suite: Path
    """Folder of the suite in the image, relative to its working directory."""
    file: Path
    """The compose file."""
    compose: Sequence[str]
    """Command of Docker Compose."""

    @property
    def project(self) -> str:
        """Name of the containers, networks and volumes of this process."""
        return f"infperf-explore-{os.getpid()}"

    @contextmanager
    def servers(self, setting: Setting) -> Iterator[Servers]:
        replicas = round(setting.get("replicas", 1))
        serving = self.suite_run.suite.serving
        workers = round(setting.get("workers", serving.workers))
        deployment = self.suite_run.server.deployment(
            self.variant_id, replace(serving, workers=workers), replicas
        )
        port = _free_port()
        environment = self._environment(setting, deployment, workers, port)
        with self._memory_events() as events:
            try:
                for service in _SERVICES:
                    self._run(environment, "up", "--detach", "--no-build", "--no-deps", service)
                containers = self._wait_until_healthy(replicas, events)
                _check_limits(containers, setting)
                yield Servers(
                    [f"http://127.0.0.1:{port}"],
                    deployment,
                    replicas=replicas,
                    processes=lambda: [_first_process(container) for container in containers],
                    checked=lambda: self._checked(containers, events),
                )
            finally:
                # What is left now is replaced by the next trial or removed by `prepared`.
                with held_back(), suppress(WorkerError):
                    self._down(environment)

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Build the variant in a volume for the block, in a container without limits.

        At the end, all containers, networks and volumes are removed, also after an interrupt. Other
        interrupts are deferred until then.

        Raises
        ------
        UserError
            If the container does not become healthy.
        WorkerError
            If something could not be removed. This is printed if another exception ends the block.
        """
        try:
            try:
                with self.servers({}):
                    pass
            except WorkerError as error:
                raise UserError(f"--engine docker: {error}") from None
            yield
        finally:
            is_ending = sys.exception() is not None
            with held_back():
                if (notice := self._removed()) and is_ending:
                    print(notice, file=sys.stderr)
            if notice and not is_ending:
                raise WorkerError(notice)

    def _removed(self) -> str:
        """Remove everything; return what is left and the remedy, or an empty string."""
        reason = ""
        for _ in range(_REMOVALS):
            try:
                self._down({}, "--volumes")
                left = self._left()
            except WorkerError as error:
                reason = str(error).partition("\n")[0]
            else:
                if not left:
                    return ""
                reason = ", ".join(left)
            sleep(_POLL_S)
        return (
            f"--engine docker: not everything was removed: {reason}\n"
            f"Remove it with: {shlex.join([*self._command, 'down', '--volumes'])}"
        )

    def _down(self, environment: Mapping[str, str], *options: str) -> None:
        self._run(environment, "down", *options, "--timeout", "5", timeout_s=_REMOVED_WITHIN_S)

    def _left(self) -> list[str]:
        """Return the containers, networks and volumes that exist, as text."""
        by_project = f"--filter=label=com.docker.compose.project={self.project}"
        listings = {"container": ("ps", "--all"), "network": ("network", "ls"),
                    "volume": ("volume", "ls")}  # fmt: skip
        return [
            f"{kind} {name}"
            for kind, words in listings.items()
            for name in _docker(*words, "--quiet", by_project).split()
        ]

    def _environment(
        self, setting: Setting, deployment: Deployment, workers: int, port: int
    ) -> dict[str, str]:
        return {
            "SUITE": self.suite.as_posix(),
            "VARIANT": self.variant_id,
            "WORKERS": str(workers),
            "THREADS": str(deployment.threads),
            "REPLICAS": f"{setting.get('replicas', 1):g}",
            "CPUS": f"{setting.get('cpu', 0):g}",
            "MEMORY": f"{setting.get('memory', 0):.0f}b",
            "PORT": str(port),
        }

    @property
    def _command(self) -> list[str]:
        return [*self.compose, "--file", str(self.file), "--project-name", self.project]

    def _run(
        self, environment: Mapping[str, str], *arguments: str, timeout_s: float | None = None
    ) -> None:
        """Run Docker Compose. Raises WorkerError if it fails or does not end in time."""
        environment = {**os.environ, **environment}
        command = [*self._command, *arguments]
        with _started(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            try:
                output = process.communicate(timeout=timeout_s)[1]
            except subprocess.TimeoutExpired:
                raise WorkerError(
                    f"docker compose {arguments[0]}: it did not end within {timeout_s} s"
                ) from None
        if process.returncode:
            last = (output.strip().splitlines() or ["it says nothing"])[-1]
            raise WorkerError(f"docker compose {arguments[0]}: {last}\n{output}")

    def _containers(self, service: str) -> list[dict[str, Any]]:
        """Return Docker's description of a service's containers, including ended ones."""
        labels = {"project": self.project, "service": service}
        filters = [f"--filter=label=com.docker.compose.{key}={labels[key]}" for key in labels]
        return _inspected(_docker("ps", "--all", "--quiet", "--no-trunc", *filters).split())

    def _wait_until_healthy(self, replicas: int, events: Path) -> list[dict[str, Any]]:
        """Return the containers of the servers once they and the front are healthy."""
        deadline_s = monotonic() + _READY_WITHIN_S
        while True:
            servers, fronts = (self._containers(service) for service in _SERVICES)
            self._check_running(servers, {}, events)
            health = [_health(container) for container in [*servers, *fronts]]
            if len(servers) == replicas and fronts and set(health) == {"healthy"}:
                return servers
            if monotonic() > deadline_s:
                raise WorkerError(
                    f"{replicas} containers were not healthy within {_READY_WITHIN_S:g} s: "
                    f"{', '.join(health) or 'there are none'}\n{_logs(servers)}"
                )
            sleep(_POLL_S)

    @contextmanager
    def _checked(self, containers: Sequence[Mapping[str, Any]], events: Path) -> Iterator[None]:
        yield
        restarts = {container["Id"]: container["RestartCount"] for container in containers}
        self._check_running(self._containers("api"), restarts, events)

    def _check_running(
        self, containers: Sequence[Mapping[str, Any]], restarts: Mapping[str, int], events: Path
    ) -> None:
        """Raise WorkerError if memory ran out, or if a container has ended or was restarted.

        `restarts` contains the number of restarts by container that are not failures, by default 0;
        all its containers must exist.
        """
        ended = [c for c in containers if _has_ended(c, restarts.get(c["Id"], 0))]
        missing = restarts.keys() - {container["Id"] for container in containers}
        deadline_s = monotonic() + _EVENT_WITHIN_S
        while True:
            kills = len(events.read_text().split())
            if kills or not ended or monotonic() > deadline_s:
                break
            sleep(_POLL_S)
        if kills or any(container["State"]["OOMKilled"] for container in containers):
            raise WorkerError(f"memory ran out: {max(kills, 1)} processes were killed")
        if ended or missing:
            codes = ", ".join(str(container["State"]["ExitCode"]) for container in ended)
            raise WorkerError(
                f"{len(ended) + len(missing)} containers ended"
                f"{f', with exit code {codes}' * bool(codes)}\n{_logs(ended)}"
            )

    @contextmanager
    def _memory_events(self) -> Iterator[Path]:
        """Yield a file with a line for each time that memory ran out in a container.

        The state of a container loses this at a restart, and does not include child processes.
        """
        command = [
            "docker", "events", f"--since={time():.0f}", "--filter=event=oom",
            f"--filter=label=com.docker.compose.project={self.project}", "--format={{.ID}}",
        ]  # fmt: skip
        with (
            NamedTemporaryFile(prefix="infperf-events-") as file,
            _started(command, stdout=file, stderr=subprocess.DEVNULL),
        ):
            yield Path(file.name)


@contextmanager
def _started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a process that Ctrl-C does not reach, and kill it after the block if it still runs."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options}
    with ExitStack() as ends:
        with held_back():  # an interrupt could otherwise lose the new process
            process = subprocess.Popen(command, start_new_session=True, **streams)
            ends.enter_context(process)
            ends.callback(_kill_if_running, process)
        yield process


def _kill_if_running(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        kill_group(process.pid)


def compose_command() -> list[str]:
    """Return the command of Docker Compose.

    Raises
    ------
    UserError
        If there is none, or no engine answers.
    """
    if shutil.which("docker") is None:
        raise UserError("--engine docker needs Docker with Compose: install it, or omit the option")
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UserError(f"--engine docker: no engine answers `docker version`: {last}")
    for command in (["docker", "compose"], ["docker-compose"]):
        with suppress(OSError):
            if subprocess.run([*command, "version"], capture_output=True).returncode == 0:
                return command
    raise UserError(
        "--engine docker needs Docker Compose: neither `docker compose` nor `docker-compose` runs"
    )


def _docker(*arguments: str) -> str:
    """Run `docker`, and return its output. Raises WorkerError if it fails."""
    done = subprocess.run(
        ["docker", *arguments],
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    if done.returncode:
        raise WorkerError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _inspected(ids: Sequence[str]) -> list[dict[str, Any]]:
    return list(json.loads(_docker("inspect", *ids))) if ids else []


def _health(container: Mapping[str, Any]) -> str:
    """Return Docker's term for a container's health; without a check, it is healthy if it runs."""
    state = container["State"]
    status: str = state.get("Health", {}).get("Status", "healthy")
    return status if state["Running"] else str(state["Status"])


def _has_ended(container: Mapping[str, Any], restarts: int) -> bool:
    return container["RestartCount"] > restarts or container["State"]["Status"] in (
        "exited",
        "dead",
    )


def _logs(containers: Sequence[Mapping[str, Any]]) -> str:
    """Return the last lines of output of the first container."""
    if not containers:
        return ""
    done = subprocess.run(
        ["docker", "logs", "--tail=20", containers[0]["Id"]],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def _check_limits(containers: Sequence[Mapping[str, Any]], setting: Setting) -> None:
    """Raise UserError if containers have other limits than the setting, or none."""
    for container in containers:
        limits = container["HostConfig"]
        cpu, memory = limits["NanoCpus"] / 1e9, limits["Memory"]
        if abs(cpu - setting.get("cpu", 0)) > 1e-6 or memory != round(setting.get("memory", 0)):
            raise UserError(
                f"--engine docker: a container has the limits CPUS {cpu:g} and MEMORY {memory} b, "
                f"not {setting.get('cpu', 0):g} and {setting.get('memory', 0):.0f} b: set those of "
                "`api` from CPUS and MEMORY in the compose file"
            )


def _first_process(container: Mapping[str, Any]) -> psutil.Process:
    """Return the server process of a container, not the `init` process that started it.

    Raises UserError if it is not a process of this host.
    """
    pid = container["State"]["Pid"]
    members = family(pid)
    if container["HostConfig"].get("Init") and len(members) > 1:
        pid = members[1]
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        raise UserError(
            "--engine docker: the containers' processes are not visible here, so their CPU time is "
            "not known: use an engine that runs on this host, not in a virtual machine"
        ) from None


def _free_port() -> int:
    with bound("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        return port
