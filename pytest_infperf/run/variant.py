"""The value of the `variant` fixture: one variant, with the methods that measure it."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_infperf import errors
from pytest_infperf.gates.result import Result
from pytest_infperf.records.time_spent import spending
from pytest_infperf.run.context import VariantContext
from pytest_infperf.run.measurements.footprint import measure_footprint
from pytest_infperf.run.measurements.latency import LatencyMeasurement, TimesTable
from pytest_infperf.run.measurements.load import measure_load
from pytest_infperf.run.measurements.protocol import measure_protocol
from pytest_infperf.run.measurements.quality import measure_quality
from pytest_infperf.run.measurements.sweep import measure_sweep
from pytest_infperf.run.measurements.throughput import measure_throughput

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True, repr=False)
class Variant:
    """One variant of a suite on this host, the value of the fixture `variant`.

    Each method returns a `Result`, which maps names to measures and has the method `check()` for
    the limits in thresholds.toml. All methods raise `WorkerError` if the worker dies, hangs or
    fails, and `UserError` for errors that the user can correct.
    """

    context: VariantContext
    """Worker, record, gates and budget of the measurements."""
    table: TimesTable
    """Table that shows latencies beside other benchmarks."""

    def __repr__(self) -> str:
        return f"<variant {self.context.record.suite}[{self.id}]>"

    @property
    def id(self) -> str:
        """The id of the variant, such as `onnx-fused-int8`."""
        return self.context.variant_id

    @property
    def is_baseline(self) -> bool:
        """Whether this is the variant with which others are compared."""
        return self.context.is_baseline

    def latency(self) -> Result:
        """Measure the latency of single queries, and compare it with others.

        Queries have one sample each, in random order. The variant is compared with the baseline
        and with the revision of --infperf-against, if any, in interleaved pairs of blocks.

        Returns
        -------
        Result
            The measures `latency_p50`, `latency_p90`, `latency_p95`, `latency_p99`,
            `latency_mean`, `latency_min`, `latency_max`, `latency_first`, `load_time`,
            `model_time_p50` and `cpu_time` in seconds; `speedup`, a ratio; `regression`, a
            fraction; `real_time_factor`, a ratio, for samples that have a duration.

        Raises
        ------
        UserError
            If variant and baseline decode with different settings, and so cannot be compared.
        """
        with spending("measuring"):
            return LatencyMeasurement(self.context, self.table).measure()

    def throughput(self, batch: int = 32) -> Result:
        """Measure the throughput over the quality set.

        Parameters
        ----------
        batch : int, default 32
            The number of samples per query.

        Returns
        -------
        Result
            The measure `throughput` in samples per second, and `cost_per_million` in US dollars
            per million samples if the price of the host is known.
        """
        with spending("measuring"):
            return measure_throughput(self.context, batch)

    def quality(self, batch: int = 32) -> Result:
        """Score the outputs over the quality set with the metrics of the suite.

        `quality` and `throughput` with the same batch use the same run.

        Parameters
        ----------
        batch : int, default 32
            The number of samples per query.

        Returns
        -------
        Result
            A measure for each metric, in the metric's unit, and `agreement`, the fraction of
            outputs that equal the baseline's. For tasks whose models generate text,
            `token_agreement`, a fraction, and `first_difference`, a number of tokens. For tasks
            with a text for perplexity, `perplexity`, `bits_per_byte`, and `kl_divergence` in nats.

        Raises
        ------
        UserError
            If variant and baseline decode with different settings, and so cannot be compared.
        """
        with spending("measuring"):
            return measure_quality(self.context, batch)

    def footprint(self, batch: int = 32) -> Result:
        """Measure the size of the artifact and the memory of the worker.

        Parameters
        ----------
        batch : int, default 32
            The number of samples of the query after which the peak memory is read.

        Returns
        -------
        Result
            The measures `size`, `loaded_memory` and `peak_memory` in bytes, and
            `fused_operators`, a count.
        """
        with spending("measuring"):
            return measure_footprint(self.context, batch)

    def sweep(self, parameter: str) -> Result:
        """Measure the suite's sweep of a parameter.

        Parameters
        ----------
        parameter : {"batch", "length", "threads"}
            The parameter of one of `Suite.sweeps`.

        Returns
        -------
        Result
            Latencies in seconds and throughput in samples per second at each point, such as
            `latency_p99@length=512`, and `growth@length`, the exponent of the time's growth.

        Raises
        ------
        UserError
            If the suite has no such sweep.
        NotForVariant
            If the sweep is for other variants; the test is skipped.
        """
        with spending("measuring"):
            return measure_sweep(self.context, parameter)

    def protocol(self, name: str) -> Result:
        """Measure according to the procedure of a published study.

        Parameters
        ----------
        name : {"jmeter-60x12", "deepspeech2-300x100"}
            The name of the protocol.

        Returns
        -------
        Result
            Latencies in seconds and throughput in samples per second, such as
            `latency_p90@jmeter-60x12`.

        Raises
        ------
        UserError
            If there is no such protocol.
        """
        with spending("measuring"):
            return measure_protocol(self.context, name)

    def load(self, name: str) -> Result:
        """Measure a server of the variant under one of the suite's loads.

        Parameters
        ----------
        name : str
            The name of one of `Suite.loads`, such as `users=4`, `rate=20` or `Server`.

        Returns
        -------
        Result
            Latencies in seconds, `throughput`, `requests_per_hour`, `error_rate`, `cpu_usage` in
            cores, memory, energy and cost under the load, such as `latency_p99@users=4`.

        Raises
        ------
        UserError
            If the suite has no such load, or its task cannot be served.
        WorkerError
            If the server does not start, or answers no request.
        """
        with spending("measuring"):
            return measure_load(self.context, name)
