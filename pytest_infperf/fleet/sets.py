"""Quality sets in shares, which run on all nodes of a cluster and are merged.

A share consists of whole batches of the run on a single machine. Every query, every output and
therefore every score is the same as on a single machine.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.fleet import tree
from pytest_infperf.fleet.dispatch import Done, Share, dispatch
from pytest_infperf.fleet.work import Node
from pytest_infperf.measure.throughput import SetRun, run_set
from pytest_infperf.repository.checkout import Checkout, position_below, working_tree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_workers import SuiteWorkers
from pytest_infperf.settings import Settings
from pytest_infperf.suite import naming
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess

if TYPE_CHECKING:
    from pytest_infperf.fleet.cluster import RayCluster

SHARES_PER_NODE = 4
"""With more than one, a fast node does more than a slow one, and a lost node costs little."""


@dataclass(frozen=True)
class SuiteLocation:
    """Location of a suite in the shipped tree. All paths are relative to its top."""

    root: str
    """Folder that the suite's module is imported from."""
    module: str
    package: str
    """Name of the package that represents the root, see `SuiteAddress`."""
    folder: str
    """Working folder of the suite's workers."""
    import_paths: tuple[str, ...]
    more_backends: tuple[Mapping[str, Any], ...]
    """Descriptions of the variants that hooks added to the suite."""


@dataclass(frozen=True)
class SetShare:
    """The work of running some batches of a quality set, in order."""

    location: SuiteLocation
    variant_id: str
    threads: int
    numbers: Sequence[int]
    """Numbers of the samples."""
    batch: int
    """Samples of a query."""
    timeout_s: float
    cache: str | None
    """Folder of built variants; None for the folder of the node."""

    def do(self, node: Node) -> SetRun:
        """Run the batches; the worker of an earlier share of the same variant is reused.

        Raises UserError or WorkerError if the variant cannot be built or started on the node.
        """
        key = self.location.module, self.variant_id, self.threads
        workers = node.keep(key, lambda: self._workers(node))
        return run_set(workers.worker(self.variant_id), self.numbers, self.batch)

    def _workers(self, node: Node) -> SuiteWorkers:
        location = self.location
        address = SuiteAddress(str(node.tree / location.root), location.module, location.package)
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
            survey = worker.ask(request, messages.Surveyed)
        finally:
            worker.close()
        if reason := survey.unable.get(self.variant_id):
            raise UserError(reason)
        return Blueprint.from_document(survey.blueprints[self.variant_id])


def split(numbers: Sequence[int], batch: int, most: int) -> list[list[int]]:
    """Split samples into at most `most` parts of whole batches, in order.

    The parts differ in length by one batch at most.
    """
    batches = [list(numbers[i : i + batch]) for i in range(0, len(numbers), batch)]
    count = min(most, len(batches))
    cuts = [len(batches) * i // count for i in range(count + 1)] if count else []
    return [
        [number for query in batches[start:end] for number in query]
        for start, end in pairwise(cuts)
    ]


def join(shares: Sequence[Share], outcomes: Sequence[Done]) -> SetRun:
    """Return the run of the whole set, in the order of the shares, each of which counts once."""
    by_id = {done.share.id: done for done in outcomes}
    runs: list[SetRun] = [by_id[share.id].result for share in shares]
    return SetRun(
        [number for run in runs for number in run.numbers],
        [output for run in runs for output in run.outputs],
        [count for run in runs for count in run.batch_samples],
        [seconds for run in runs for seconds in run.batch_s],
        [tokens for run in runs for tokens in run.batch_tokens],
        Counter(done.node_type for done in by_id.values()),
        [ids for run in runs for ids in run.output_ids],
    )


@dataclass
class SharedSets:
    """Runs each quality set once on the nodes of a cluster. Implements `ClusterSetRunner`."""

    cluster: RayCluster
    settings: Settings
    _runs: dict[tuple[str, str, int], SetRun] = field(default_factory=dict)
    """Runs by suite, variant and batch."""
    _shipped: set[str] = field(default_factory=set)
    """Names of the suites whose files are on the cluster."""

    def run(
        self,
        configured: ConfiguredSuite,
        variant_id: str,
        threads: int,
        numbers: Sequence[int],
        batch: int,
        report_progress: Callable[[str], None],
    ) -> SetRun:
        """Return the run of the set on all nodes, or its earlier result.

        Raises WorkerError if a share could not be run.
        """
        key = configured.suite.name, variant_id, batch
        if key not in self._runs:
            self._ship(configured)
            shares = self._shares(configured, variant_id, threads, numbers, batch)
            self._runs[key] = self._run(shares, report_progress)
        return self._runs[key]

    def close(self) -> None:
        self.cluster.close()

    def _ship(self, configured: ConfiguredSuite) -> None:
        """Ship the tree again for each new suite, because its model may be missing in the last."""
        if configured.suite.name not in self._shipped:
            self._shipped.add(configured.suite.name)
            models = tree.model_folders([configured.suite])
            self.cluster.ship(tree.files_to_ship(self.settings.root, models))

    def _shares(
        self,
        configured: ConfiguredSuite,
        variant_id: str,
        threads: int,
        numbers: Sequence[int],
        batch: int,
    ) -> list[Share]:
        nodes = self.cluster.nodes()
        cache, top = self.settings.cache, tree.top_folder(self.settings.root)
        parts = split(numbers, batch, SHARES_PER_NODE * max(1, sum(nodes.values())))
        location = locate(configured, self.settings.root, top)
        name = f"{configured.suite.name}[{variant_id}]"
        return [
            Share(
                f"part {i + 1} of {len(parts)} of the quality set of {name}",
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

    def _run(self, shares: Sequence[Share], report_progress: Callable[[str], None]) -> SetRun:
        outcomes: list[Done] = []
        for outcome in dispatch(shares, self.cluster, report_progress):
            if not isinstance(outcome, Done):
                raise WorkerError(f"{outcome.share.id} was not run: {outcome.reason}")
            outcomes.append(outcome)
            progress = len(outcomes) / len(shares)
            report_progress(f"running the quality set on the fleet, {progress:.0%}")
        return join(shares, outcomes)


def locate(configured: ConfiguredSuite, root: Path, top: Path) -> SuiteLocation:
    """Return the location of the suite in the tree with that top folder."""
    checkout = working_tree(root)
    folder = position_below(top, checkout.folder) or position_below(top, root)
    positions = (position_below(top, Path(path)) for path in checkout.import_paths)
    return SuiteLocation(
        root=str(Path(configured.address.root).relative_to(top)),
        module=configured.address.module,
        package=configured.address.package,
        folder=str(folder),
        import_paths=tuple(str(position) for position in positions if position is not None),
        more_backends=tuple(naming.describe(backend) for backend in configured.more_variants),
    )
