"""A first suite for a model: its files, and limits from a measured run and its noise."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

from pytest_infperf.metrics import metric as metric_of
from pytest_infperf.records.catalogue import LimitRule
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record
from pytest_infperf.thresholds.sections import Bound, Gates, SuiteSection, VariantSection

BACKENDS: Mapping[str, tuple[str, str]] = {
    "torch": ("Torch()", "torch"),
    "torch-int8": ('Torch(int8="dynamic")', "torch"),
    "torch-bf16": ('Torch(dtype="bfloat16")', "torch"),
    "onnx": ("Onnx()", "optimum"),
    "onnx-fused": ("Onnx(fused=True)", "optimum"),
    "onnx-int8": ('Onnx(int8="dynamic")', "optimum"),
    "onnx-fused-int8": ('Onnx(fused=True, int8="dynamic")', "optimum"),
    "ctranslate2": ("CTranslate2()", "ctranslate2"),
    "ctranslate2-int8": ("CTranslate2(int8=True)", "ctranslate2"),
    "openvino": ("OpenVino()", "openvino"),
    "openvino-int8": ("OpenVino(int8=True)", "openvino"),
}
"""By the id that a variant gets: how a suite writes it, and the extra that it needs."""


@dataclass(frozen=True)
class TaskTemplate:
    """How a suite writes a task, and what init asks for."""

    class_name: str
    data: Mapping[str, str]
    """By keyword what the file or folder is; each is an option too."""
    variants: Sequence[str]
    """Those that are written where none were asked for, the baseline first."""
    batch: int = 32


TASKS: Mapping[str, TaskTemplate] = {
    "translation": TaskTemplate(
        "Translation",
        {"source": "file with a sentence a line", "reference": "file with their translations"},
        ("torch", "torch-int8", "onnx-fused-int8", "ctranslate2-int8"),
    ),
    "classification": TaskTemplate(
        "TextClassification",
        {"data": "file with a JSON object a line, of text and label"},
        ("torch", "torch-int8", "onnx-fused-int8", "openvino"),
        batch=8,
    ),
    "vision": TaskTemplate(
        "ImageClassification",
        {"images": "IDX file of images", "labels": "IDX file of their labels"},
        ("torch", "onnx", "openvino", "openvino-int8"),
    ),
    "speech": TaskTemplate(
        "SpeechRecognition",
        {"recordings": "folder of recordings, DIGIT_SPEAKER_INDEX.wav"},
        ("torch", "torch-int8", "onnx", "openvino"),
        batch=1,
    ),
}

_ROOM = 1.2
"""Between what was seen and a limit on a time or on memory: another day, another page cache."""
_SLOWER = 0.85
"""Of the lower end of a speed-up's interval: what the next run may lose before it is news."""


@dataclass(frozen=True)
class SuiteDraft:
    """What the user asked for."""

    name: str
    task: str
    """Of TASKS."""
    model: str
    data: Mapping[str, str]
    """By the task's keywords."""
    variants: Sequence[str]
    folder: Path
    """Of the suite, below the project's root."""

    @property
    def baseline(self) -> str:
        return self.variants[0]


def files(draft: SuiteDraft) -> dict[Path, str]:
    """The suite and its tests, by path from the project's root."""
    task = TASKS[draft.task]
    calls = [BACKENDS[variant][0] for variant in draft.variants]
    classes = sorted({call.partition("(")[0] for call in calls})
    imports = ", ".join(sorted([*classes, "Suite", task.class_name]))
    data = ", ".join(f"{keyword}={json.dumps(path)}" for keyword, path in draft.data.items())
    suite = f"""\
        from pytest_infperf import {imports}

        suite = Suite(
            {json.dumps(draft.name)},
            task={task.class_name}({data}),
            model={json.dumps(draft.model)},
            baseline={json.dumps(draft.baseline)},
            threads="best",
            variants=[
        """
    listed = indent("\n".join(f"{call}," for call in calls), " " * 8)
    tests = f"""\
        def test_quality(variant):
            variant.quality(batch={task.batch}).check()


        def test_latency(variant):
            variant.latency().check()


        def test_throughput(variant):
            variant.throughput(batch={task.batch}).check()


        def test_footprint(variant):
            variant.footprint().check()
        """
    return {
        draft.folder / "suite.py": f"{dedent(suite).rstrip()}\n{listed}\n    ],\n)\n",
        draft.folder / f"test_{draft.folder.name}.py": dedent(tests),
    }


def limits(
    draft: SuiteDraft, runs: Sequence[Sequence[Record]], smallest_slowdown: float
) -> SuiteSection:
    """The suite's section of thresholds.toml: each limit lies outside what any of the runs saw.

    A regression is limited to the least slowdown that this host can show, as a fraction.
    """
    by_variant: dict[str, list[Gates]] = {}
    for record in (record for records in runs for record in records):
        gates = _gates_of(record, record.variant == draft.baseline)
        by_variant.setdefault(record.variant, []).append(gates)
    loosest = {variant: _loosest(found) for variant, found in by_variant.items()}
    common = dict(loosest.pop(draft.baseline))
    common["regression"] = {"max": f"{max(2, math.ceil(100 * smallest_slowdown))} %"}
    return SuiteSection(
        draft.baseline,
        gates=common,
        variants={variant: VariantSection(gates) for variant, gates in loosest.items()},
    )


def _gates_of(record: Record, is_baseline: bool) -> Gates:
    measures = record.measures
    gates: dict[str, dict[LimitRule, Bound]] = {}
    metric = record.evidence.quality_metric or ""
    if quality := measures.get(metric):
        difference = (record.evidence.differences or {}).get(metric)
        gates[metric] = _quality(quality, difference, rising=metric_of(metric).higher_is_better)
    if latency := measures.get("latency_p90"):
        gates["latency_p90"] = {"max": _milliseconds(_ROOM * (latency.high or latency.value))}
    if memory := measures.get("peak_memory"):
        gates["peak_memory"] = {"max": f"{math.ceil(_ROOM * memory.value / 1e6)} MB"}
    if not is_baseline and (speedup := measures.get("speedup")):
        gates["speedup"] = {"min": _floor(_SLOWER * (speedup.low or speedup.value), 2)}
    return gates


def _quality(score: Measure, difference: Measure | None, *, rising: bool) -> dict[LimitRule, Bound]:
    """The worse end of the interval, and of that of a difference to the baseline."""
    gate: dict[LimitRule, Bound] = {}
    if rising:
        gate["min"] = _floor(score.value if score.low is None else score.low, 1)
    else:
        gate["max"] = _ceiling(score.value if score.high is None else score.high)
    if difference is not None:
        end = difference.low if rising else difference.high
        worst = difference.value if end is None else end
        gate["max_drop" if rising else "max_rise"] = max(0.1, _ceiling(-worst if rising else worst))
    return gate


def _loosest(found: Sequence[Gates]) -> Gates:
    """Of several runs' limits the one that all of them keep to."""
    gates: dict[str, dict[LimitRule, Bound]] = {}
    for measure, limit in ((m, k) for its in found for m in its for k in its[m]):
        bounds = [its[measure][limit] for its in found if limit in its.get(measure, {})]
        pick = min if limit == "min" else max
        gates.setdefault(measure, {})[limit] = pick(bounds, key=_number)
    return gates


def _number(bound: Bound) -> float:
    return float(bound.partition(" ")[0]) if isinstance(bound, str) else float(bound)


def _floor(value: float, digits: int) -> float:
    scale: float = 10.0**digits
    return math.floor(value * scale) / scale


def _ceiling(value: float) -> float:
    return math.ceil(10 * value) / 10


def _milliseconds(seconds: float) -> str:
    return f"{math.ceil(1e3 * seconds)} ms"
