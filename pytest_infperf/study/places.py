"""Places that serve the cells of a study: EC2 instances, or this host instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from http.client import HTTPException
from sys import exception
from time import monotonic, sleep
from typing import Any, Protocol
from urllib.request import urlopen

from pytest_infperf.cost.prices import Price
from pytest_infperf.errors import UserError
from pytest_infperf.host.fingerprint import fingerprint
from pytest_infperf.host.termination import held_back
from pytest_infperf.run.suite_server import SuiteServer
from pytest_infperf.serving.deploy.ec2 import Ec2
from pytest_infperf.serving.deploy.plan import DeploymentPlan
from pytest_infperf.study.cells import StudyCell

_POLL_S = 5.0


class Place(Protocol):
    """Serves one cell after the other."""

    def host(self, cell: StudyCell) -> dict[str, Any]:
        """Return the facts of the serving host for the record, beyond those that a run detects."""

    def served(self, cell: StudyCell) -> AbstractContextManager[str]:
        """Serve a cell, and return the base URL; leaving the context ends what was started.

        Raises
        ------
        UserError, WorkerError
            If the variant cannot be served.
        """


class Instances:
    """Serves each cell on its own EC2 instance.

    Parameters
    ----------
    plans : Mapping
        The deployment of each cell, all in one region.
    ready_s : float
        Time limit for an instance to install and load the variant, in seconds.
    report_progress : callable
        Called with the current step.
    """

    def __init__(
        self,
        plans: Mapping[StudyCell, DeploymentPlan],
        ready_s: float,
        report_progress: Callable[[str], None],
    ) -> None:
        self._plans = plans
        self._ready_s = ready_s
        self._report_progress = report_progress
        [region] = {plan.region for plan in plans.values()}
        self._ec2 = Ec2(region)

    def host(self, cell: StudyCell) -> dict[str, Any]:
        plan = self._plans[cell]
        facts_of_this_host = dict.fromkeys(fingerprint(()))  # this host serves nothing
        return {**facts_of_this_host, **billed(plan.instance_type, plan.region, plan.price)}

    @contextmanager
    def served(self, cell: StudyCell) -> Iterator[str]:
        plan = self._plans[cell]
        instance = self._ec2.create(plan, self._report_progress)
        try:
            address = str(instance.address)
            host = f"[{address}]" if ":" in address else address
            url = f"http://{host}:{plan.port}"
            self._report_progress(f"waiting until {url}/readyz answers")
            wait_until_ready(url, self._ready_s, _POLL_S)
            yield url
        finally:
            with held_back():
                self._tear_down(plan, is_interrupted=isinstance(exception(), KeyboardInterrupt))

    def _tear_down(self, plan: DeploymentPlan, *, is_interrupted: bool) -> None:
        self._report_progress(f"tearing {plan.name} down")
        try:
            self._ec2.teardown(plan.name)
        except UserError as error:
            notice = (
                f"{plan.name} could not be removed: {error}\nIt may cost money until "
                f"`infperf deploy --teardown {plan.name} --region {plan.region}` succeeds"
            )
            self._report_progress(notice)
            if not is_interrupted:  # an interrupt must end the study, not only this cell
                raise UserError(notice) from error


class ThisHost:
    """Serves each cell on this host: a rehearsal, or a study of one host.

    Parameters
    ----------
    server : SuiteServer
        The server of the suite.
    facts : Mapping
        Instance type and price of this host, see `billed`.
    """

    def __init__(self, server: SuiteServer, facts: Mapping[str, Any]) -> None:
        self._server = server
        self._facts = facts

    def host(self, cell: StudyCell) -> dict[str, Any]:
        return dict(self._facts)

    @contextmanager
    def served(self, cell: StudyCell) -> Iterator[str]:
        try:
            server = self._server.running(cell.variant)
            with server.checked():
                yield server.url
        finally:
            self._server.close()


def billed(instance_type: str, region: str, price: Price | str) -> dict[str, Any]:
    """Return the facts about the price of a host. Raises UserError if it is not known."""
    if not isinstance(price, Price):
        raise UserError(price)
    return {
        "instance_type": instance_type,
        "region": region,
        "usd_per_hour": price.usd_per_hour,
        "price_source": price.source,
    }


def wait_until_ready(url: str, limit_s: float, poll_s: float) -> None:
    """Wait until a server reports that it is ready. Raises UserError after the time limit."""
    deadline_s = monotonic() + limit_s
    while True:
        with suppress(OSError, HTTPException), urlopen(f"{url}/readyz", timeout=poll_s):
            return
        if monotonic() > deadline_s:
            raise UserError(
                f"{url}/readyz did not answer with status 200 within {limit_s / 60:g} min: check "
                "that --allow includes the address of this host; --ready-minutes allows more time. "
                "The instance's log is /var/log/cloud-init-output.log. To read it, create the "
                "instance with `infperf deploy` and --key-name or --instance-profile"
            )
        sleep(poll_s)
