"""The gates of suites/generation find faults in sampling, padding, quantisation and cache reuse.

Each test replaces torch-bf16 by a model in float32 with one fault, which reports nothing unusual.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.other_plugins import LEFT_OUT
from tests.suites.test_planted_mistakes import Copy, broken

FAULTY = """

class Faulty(Torch):
    def load(self, artifact, task, threads):
        runner = super().load(artifact, task, threads)
        plant(runner)
        return runner


def plant(runner):
{fault}
"""
SAMPLING = """
    runner._options |= {"do_sample": True, "temperature": 1.0}
"""
PADDING = """
    generate = runner._model.generate

    def attending_to_padding(*, attention_mask, **more):
        return generate(attention_mask=attention_mask.fill_(1), **more)

    runner._model.generate = attending_to_padding
"""
SCALE = """
    import torch

    with torch.no_grad():
        for name, weight in runner._model.named_parameters():
            if "proj" in name:
                scale = weight.abs().amax() / 127
                weight.copy_((weight / scale).round() * scale * 1.3)
"""
CACHE = """
    infer, kept = runner.infer, {}

    def reusing(features):
        results = infer(features)
        for i, (prompt, result) in enumerate(zip(features, results)):
            output = kept.setdefault(len(prompt), result[len(prompt) :])
            results[i] = [*prompt, *output]
        return results

    runner.infer = reusing
"""


@pytest.mark.parametrize(
    ("fault", "measure"),
    [
        (SAMPLING, "token_agreement"),
        (PADDING, "token_agreement"),
        (SCALE, "kl_divergence"),
        (CACHE, "token_agreement"),
    ],
    ids=["sampling", "padding", "scale", "cache"],
)
def test_a_fault_breaks_a_limit(
    pytester: pytest.Pytester, built_before: Path, fault: str, measure: str
) -> None:
    copy = Copy("generation", pytester, built_before)
    path = copy.folder / "suite.py"
    before, suite = path.read_text("utf-8").split("\nsuite =")
    path.write_text(before + FAULTY.format(fault=fault) + "\nsuite =" + suite, "utf-8")
    copy.change("suite.py", 'Torch(dtype="bfloat16")', 'Faulty(id="torch-bf16")')
    result = pytester.runpytest_subprocess(
        *LEFT_OUT,
        "--infperf",
        f"--infperf-cache={built_before}",
        "--infperf-variants=torch*",
        "-k",
        "quality and bf16",
    )
    assert broken(result, "generation[torch-bf16]", measure)
