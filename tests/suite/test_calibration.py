"""The samples that calibrate a quantisation are not those that are scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_infperf import Fake, Suite, TextClassification
from pytest_infperf.errors import UserError
from pytest_infperf.suite.calibration import calibration_inputs, held_out_numbers

HERE = Path()


class Calibrated(Fake):
    @property
    def calibrates(self) -> bool:
        return True


def rows(count: int) -> list[dict[str, str]]:
    return [{"text": f"text {number}", "label": "a"} for number in range(count)]


def suite_of(task: TextClassification, *variants: Fake) -> Suite:
    return Suite("s", task=task, model="model", variants=variants)


def test_a_fifth_of_the_data_calibrates_and_is_not_scored() -> None:
    task = TextClassification(data=rows(12))
    assert calibration_inputs(task, HERE) == ["text 0", "text 6"]
    assert suite_of(task, Calibrated()).held_out_numbers(12) == {0, 6}


def test_at_most_200_samples_calibrate_spread_over_all() -> None:
    numbers = held_out_numbers(10_000)
    assert numbers == list(range(0, 10_000, 50))


def test_nothing_is_held_out_where_nothing_is_calibrated() -> None:
    assert suite_of(TextClassification(data=rows(12)), Fake()).held_out_numbers(12) == frozenset()


def test_a_set_of_its_own_calibrates_and_all_test_data_is_scored() -> None:
    task = TextClassification(data=rows(12), calibration=rows(1000))
    inputs = calibration_inputs(task, HERE)
    assert inputs == [f"text {number}" for number in range(0, 1000, 5)]
    assert suite_of(task, Calibrated()).held_out_numbers(12) == frozenset()


def test_a_small_set_of_its_own_calibrates_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "calibration.csv").write_text("text,label\nfirst,a\nsecond,a\n")
    task = TextClassification(data=rows(12), calibration="calibration.csv")
    assert calibration_inputs(task, tmp_path) == ["first", "second"]


def test_too_few_samples_are_an_error_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"4 samples, too few .*calibration="):
        calibration_inputs(TextClassification(data=rows(4)), HERE)


def test_a_function_beside_the_suite_calibrates_in_any_process(tmp_path: Path) -> None:
    (tmp_path / "numbers_to_calibrate.py").write_text(
        "def read():\n    return [{'text': 'one', 'label': 'a'}]\n"
    )
    task = TextClassification(data=rows(12), calibration="numbers_to_calibrate:read")
    suite = suite_of(task, Calibrated()).at(tmp_path, "perf")
    assert suite.task.calibration == "perf.numbers_to_calibrate:read"
    assert suite.task == replace(task, calibration="perf.numbers_to_calibrate:read")


def test_parquet_for_calibration_needs_the_extra_too() -> None:
    assert TextClassification(data=rows(12), calibration="some.parquet").extras == ("data",)
