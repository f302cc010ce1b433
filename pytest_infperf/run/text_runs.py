"""The runs of a suite's variants over the text for perplexity."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pytest_infperf import errors
from pytest_infperf.measure import blocks
from pytest_infperf.measure.perplexity import Distributions, TextRun, run_text
from pytest_infperf.suite.perplexity import Perplexity
from pytest_infperf.worker import messages
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user


@dataclass(repr=False)
class TextRuns:
    """Scores the text once with each variant, and keeps distributions of the baseline."""

    perplexity: Perplexity
    baseline_id: str | None
    full: bool
    """Whether every window is scored."""
    seed: int
    """The seed with which windows are drawn."""
    worker: Callable[[str], VariantWorker]
    """Returns the worker of a variant."""
    start: Callable[[str], VariantWorker]
    """Starts another worker of a variant for the text. Its probabilities take more memory than the
    queries of the task, and must not change the peak memory of those."""
    report_progress: Callable[[str, str], None]
    _runs: dict[str, TextRun] = field(init=False, default_factory=dict)
    _resources: ExitStack = field(init=False, default_factory=ExitStack)

    def run(self, variant_id: str) -> TextRun:
        """Return the run of a variant, after that of the baseline; only the first call runs it.

        Raises
        ------
        UserError
            If the text cannot be read, or a window is too long.
        WorkerError
            If a worker fails.
        """
        if variant_id not in self._runs:
            is_baseline = variant_id == self.baseline_id
            baseline = self.baseline() if self.baseline_id and not is_baseline else None
            self._runs[variant_id] = self._run(variant_id, baseline, keep=is_baseline)
        return self._runs[variant_id]

    def baseline(self) -> TextRun:
        """Return the run of the baseline."""
        assert self.baseline_id
        return self.run(self.baseline_id)

    def signature(self, run: TextRun) -> str:
        """Return the settings that make two perplexities comparable."""
        text = self.perplexity
        return (
            f"{text.text}; window {text.window}, stride {text.stride}; {len(run.windows):,} of "
            f"{run.text.windows:,} windows"
        )

    def _run(self, variant_id: str, baseline: TextRun | None, *, keep: bool) -> TextRun:
        if not self.worker(variant_id).loaded.scores_text:
            reason = f"the backend of {variant_id} does not return probabilities of tokens"
            return TextRun(messages.Text(0, ""), unable=reason)
        with closing(self.start(variant_id)) as worker:
            text = worker.text()
            size = None if self.full else self.perplexity.sample_size
            numbers = sorted(blocks.quality_sample(range(text.windows), size, self.seed))
            is_like = baseline and not baseline.problem and baseline.text.digest == text.digest
            return run_text(
                worker,
                text,
                numbers,
                Distributions(self._folder, max(1, self.perplexity.kl_positions // len(numbers))),
                keep=keep,
                compare=bool(is_like),
                report_progress=lambda done: self.report_progress(
                    variant_id, f"scoring the text, {done:.0%}"
                ),
            )

    @cached_property
    def _folder(self) -> Path:
        name = tempfile.TemporaryDirectory(prefix="infperf-text-", ignore_cleanup_errors=True)
        return Path(self._resources.enter_context(name))

    def close(self) -> None:
        """Remove the distributions."""
        self._resources.close()
