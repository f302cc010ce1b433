"""The samples that calibrate a quantisation: a set of their own, or some that are not scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import Task

CALIBRATION_SAMPLES = 200
"""Number of samples that calibrate a quantisation, at most."""
_HELD_OUT = 1 / 5
"""Share of the test data that calibrates, at most."""


def calibration_inputs(task: Task, folder: Path) -> list[Any]:
    """Return the inputs that calibrate a quantisation, at most 200.

    They are spread evenly over the task's `calibration`. Without one they are those of
    `held_out_numbers`.

    Parameters
    ----------
    task : Task
        The task of the suite.
    folder : Path
        The folder of the suite.

    Raises
    ------
    UserError
        If the data cannot be read or is too small.
    """
    inputs = task.calibration_inputs(folder)
    if inputs is not None:
        return _spread(inputs, min(CALIBRATION_SAMPLES, len(inputs)))
    samples = task.samples(folder)
    return [samples.inputs[number] for number in held_out_numbers(samples.drawn_from)]


def held_out_numbers(count: int) -> list[int]:
    """Return the numbers of the samples that calibrate instead of being scored.

    They are spread evenly: every fifth of `count`, and at most 200.

    Raises
    ------
    UserError
        If there are fewer than five samples.
    """
    size = min(CALIBRATION_SAMPLES, int(count * _HELD_OUT))
    if not size:
        raise UserError(
            f"the test data has {count} samples, too few to calibrate int8 with some that are not "
            "scored: name data for it with calibration=..., or use at least 5 samples"
        )
    return _spread(range(count), size)


def _spread(values: Sequence[Any], size: int) -> list[Any]:
    return [values[i * len(values) // size] for i in range(size)]
