"""Samples for the calibration of a quantisation: separate data, or test data held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import Task

CALIBRATION_SAMPLES = 200
"""Maximum number of samples for the calibration of a quantisation."""
_HELD_OUT = 1 / 5
"""Maximum fraction of the test data for calibration."""


def calibration_inputs(task: Task, folder: Path) -> list[Any]:
    """Return at most 200 inputs for the calibration of a quantisation.

    They are spread evenly over the task's `calibration`. By default, they are the samples of
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
    """Return the indices of the samples that are used for calibration and not scored.

    They are spread evenly over `count` samples: every fifth one, and at most 200.

    Raises
    ------
    UserError
        If there are fewer than five samples.
    """
    size = min(CALIBRATION_SAMPLES, int(count * _HELD_OUT))
    if not size:
        raise UserError(
            f"the test data has {count} samples, too few to hold some out for the calibration of "
            "int8: set calibration=..., or use at least 5 samples"
        )
    return _spread(range(count), size)


def _spread(values: Sequence[Any], size: int) -> list[Any]:
    return [values[i * len(values) // size] for i in range(size)]
