"""The quality set shared out over all nodes of a cluster, and its outputs put together again.

Shares are made of whole batches of the run that a single machine would do, so that each query is
the same, and so is each output; what is scored then is what that machine would have scored.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.fleet import tree
from pytest_infperf.fleet.dispatch import Delegates, Done, Share, dispatch
from pytest_infperf.fleet.work import Node
from pytest_infperf.measure.throughput import SetRun, run_set
from pytest_infperf.repository.checkout import Checkout, working_tree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_workers import SuiteWorkers
from pytest_infperf.settings import Settings
from pytest_infperf.suite import naming
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess

SHARES_PER_NODE = 4
"""So that a fast node does more than a slow one, and a lost one loses little."""


@dataclass(frozen=True)
class SuiteLocation:
    """Where a suite lies in the tree; all paths start at its top."""

    root: str
    """What the suite's module is imported from."""
    module: str
    folder: str
    """Where its workers start."""
    import_paths: tuple[str, ...]
    more_backends: tuple[Mapping[str, Any], ...]
    """Of variants that hooks add to the suite."""


@dataclass(frozen=True)
class SetShare:
    """Some of the set's batches, in order."""

    location: SuiteLocation
    variant_id: str
    threads: int
    numbers: Sequence[int]
    batch: int
    timeout_s: float
    cache: str | None
    """Where built variants are kept; None: in the node's own folder."""

    def do(self, node: Node) -> SetRun:
        """Raises UserError or WorkerError when the variant cannot be built or started there."""
        key = self.location.module, self.variant_id, self.threads
        workers = node.keep(key, lambda: self._workers(node))
        return run_set(workers.worker(self.variant_id), self.numbers, self.batch)

    def _workers(self, node: Node) -> SuiteWorkers:
        address = SuiteAddress(str(node.tree / self.location.root), self.location.module)
        checkout = Checkout(
            node.tree / self.location.folder,
            tuple(str(node.tree / path) for path in self.location.import_paths),
            Path(sys.executable),
        )
        data = Path(address.root, *address.module.split(".")[:-1])
        blueprint = self._blueprint(address, checkout, data)
        return SuiteWorkers(
            address=address,
            checkout=checkout,
            data=data,
            numbers=self.numbers,
            seed=0,
            timeout_s=self.timeout_s,
            artifacts=ArtifactCache(Path(self.cache or node.artifacts), lambda text: None),
            blueprint=lambda variant_id: blueprint,
            threads=lambda blueprint: self.threads,
            wanted=[self.variant_id],
            kept=None,
            report_progress=lambda variant_id, what: None,
        )

    def _blueprint(self, address: SuiteAddress, checkout: Checkout, data: Path) -> Blueprint:
        worker = WorkerProcess(f"the suite {address.module}", checkout, self.timeout_s)
        request = messages.Survey(asdict(address), self.location.more_backends, str(data))
        try:
            found = worker.ask(request, messages.Surveyed)
        finally:
            worker.close()
        if why := found.unable.get(self.variant_id):
            raise UserError(why)
        return Blueprint.from_document(found.blueprints[self.variant_id])


def shares_of(numbers: Sequence[int], batch: int, most: int) -> list[list[int]]:
    """At most so many shares of whole batches, in order, none longer than another by over one."""
    batches = [list(numbers[i : i + batch]) for i in range(0, len(numbers), batch)]
    count = min(most, len(batches))
    cuts = [len(batches) * i // count for i in range(count + 1)] if count else []
    return [
        [number for query in batches[start:end] for number in query]
        for start, end in pairwise(cuts)
    ]


def joined(shares: Sequence[Share], outcomes: Sequence[Done]) -> SetRun:
    """The run of the whole set, in the order of the shares; each of them is taken once."""
    by_id = {done.share.id: done for done in outcomes}
    runs: list[SetRun] = [by_id[share.id].result for share in shares]
    return SetRun(
        [number for run in runs for number in run.numbers],
        [output for run in runs for output in run.outputs],
        [count for run in runs for count in run.batch_samples],
        [seconds for run in runs for seconds in run.batch_s],
        Counter(done.node_type for done in by_id.values()),
    )


@dataclass
class SharedSets:
    """The runs over quality sets that a cluster's nodes did, each of them once."""

    delegates: Delegates
    ship: Callable[[tree.Tree], object]
    """Called before the first share is given to a delegate."""
    leave: Callable[[], None]
    settings: Settings
    _runs: dict[tuple[str, str, int], SetRun] = field(default_factory=dict)
    _shipped: set[str] = field(default_factory=set)

    def run(
        self,
        configured: ConfiguredSuite,
        variant_id: str,
        threads: int,
        numbers: Sequence[int],
        batch: int,
        report_progress: Callable[[str], None],
    ) -> SetRun:
        """Raises WorkerError when a share could not be done; `said` hears how far it is."""
        key = configured.suite.name, variant_id, batch
        if key not in self._runs:
            self._ship(configured)
            work = self._shares(configured, variant_id, threads, numbers, batch)
            self._runs[key] = self._done(work, report_progress)
        return self._runs[key]

    def close(self) -> None:
        self.leave()

    def _ship(self, configured: ConfiguredSuite) -> None:
        """The tree holds all of the project, but maybe not a model of this suite."""
        if configured.suite.name not in self._shipped:
            self._shipped.add(configured.suite.name)
            self.ship(tree.working_tree(self.settings.root, tree.model_folders([configured.suite])))

    def _shares(
        self,
        configured: ConfiguredSuite,
        variant_id: str,
        threads: int,
        numbers: Sequence[int],
        batch: int,
    ) -> list[Share]:
        nodes = self.delegates.nodes()
        cache, top = self.settings.cache, tree.top_of(self.settings.root)
        parts = shares_of(numbers, batch, SHARES_PER_NODE * max(1, sum(nodes.values())))
        location = location_of(configured, self.settings.root, top)
        name = f"{configured.suite.name}[{variant_id}]"
        return [
            Share(
                f"share {i + 1} of {len(parts)} of the quality set of {name}",
                list(nodes),
                SetShare(
                    location,
                    variant_id,
                    threads,
                    part,
                    batch,
                    self.settings.timeout_s,
                    None if cache.is_relative_to(top) else str(cache),
                ),
            )
            for i, part in enumerate(parts)
        ]

    def _done(self, shares: Sequence[Share], report_progress: Callable[[str], None]) -> SetRun:
        outcomes: list[Done] = []
        for outcome in dispatch(shares, self.delegates, report_progress):
            if not isinstance(outcome, Done):
                raise WorkerError(f"{outcome.share.id} was not run: {outcome.why}")
            outcomes.append(outcome)
            share = len(outcomes) / len(shares)
            report_progress(f"running the quality set on the fleet, {share:.0%}")
        return joined(shares, outcomes)


def location_of(configured: ConfiguredSuite, root: Path, top: Path) -> SuiteLocation:
    here = working_tree(root)
    folder = here.folder if here.folder.is_relative_to(top) else root
    return SuiteLocation(
        root=str(Path(configured.address.root).relative_to(top)),
        module=configured.address.module,
        folder=str(folder.relative_to(top)),
        import_paths=tuple(str(Path(path).relative_to(top)) for path in here.import_paths),
        more_backends=tuple(naming.describe(backend) for backend in configured.more_variants),
    )
