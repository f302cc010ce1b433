"""Agreement of generated tokens with the baseline's, up to the first difference.

After the first token that differs, both models continue different texts, so later tokens are not
compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_infperf.measure.score import score_of
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats.quantile import order_statistic_interval, percentile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TokenAgreement:
    """Mean over outputs of the fraction of tokens before the first difference.

    An output of n tokens and its reference of m tokens that have the first k tokens in common have
    the fraction k / max(n, m), or 1 if both are empty.
    """

    name = "token_agreement"
    unit = "fraction"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        import numpy as np

        pairs = zip(outputs, references, strict=True)
        return np.array([[_fraction(*pair), 1.0] for pair in pairs])

    def score(self, totals: NDArray[np.float64]) -> float:
        return float(totals[0] / totals[1])

    def signature(self) -> str:
        return "tokens before the first difference; greedy decoding"


def token_agreement(
    ours: SetRun, theirs: SetRun, *, confidence: float, seed: int, whole_set: bool
) -> Measured:
    """Compare the tokens of two runs over the same samples.

    Parameters
    ----------
    ours, theirs : SetRun
        The runs of the variant and of the baseline, with `output_ids`.
    confidence : float
        The confidence of the intervals.
    seed : int
        The seed of the bootstrap.
    whole_set : bool
        Whether the quality set is the whole test set.

    Returns
    -------
    Measured
        `token_agreement`, a fraction, and `first_difference`, the median number of tokens before
        the first difference. An output without a difference counts with its length.
    """
    metric = TokenAgreement()
    n = len(ours.output_ids)
    score = score_of(metric, ours.output_ids, theirs.output_ids, confidence=confidence, seed=seed)
    low, high = score.bounds(n, confidence, higher_is_better=True)
    pairs = zip(ours.output_ids, theirs.output_ids, strict=True)
    common = [float(_common(*pair)) for pair in pairs]
    median = percentile(common, 0.5)
    median_bounds = order_statistic_interval(common, 0.5, confidence)
    return Measured(
        {
            metric.name: Measure(score.value, metric.unit, low, high, n),
            "first_difference": Measure(median, "tokens", *median_bounds, n),
        },
        confidence=confidence,
        whole_set=whole_set,
    )


def _fraction(output: Any, reference: Sequence[int]) -> float:
    if not isinstance(output, list):
        return 0.0  # the placeholder of a wrong output
    longest = max(len(output), len(reference))
    return _common(output, reference) / longest if longest else 1.0


def _common(output: Sequence[int], reference: Sequence[int]) -> int:
    """Return the number of equal tokens at the beginning."""
    shortest = min(len(output), len(reference))
    return next((i for i in range(shortest) if output[i] != reference[i]), shortest)
