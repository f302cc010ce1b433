"""Compilation of a module's forward pass with torch.compile.

The module is compiled while a worker loads its variant, by running two queries of the artifact: one
with a single sample and one with two, because torch compiles separate code for a size of 1. Other
sizes are symbolic, so that the compiled code runs queries of any batch size and length. A query
that would require recompilation during a measurement raises an error.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.errors import BuildError, UserError, first_line
from pytest_infperf.suite.backend import Material

_EXAMPLES = ("one.npz", "two.npz")
_CANDIDATES = 20


def write_examples(material: Material, folder: Path) -> None:
    """Write the queries on which a module is compiled to its artifact."""
    import numpy as np

    inputs, codec = material.task.samples(material.data).inputs, material.codec()
    step = max(1, len(inputs) // _CANDIDATES)
    candidates = sorted(inputs[::step], key=lambda sample: _size(codec.encode([sample])))
    usual = candidates[len(candidates) // 2]
    for name, query in zip(_EXAMPLES, ([usual], [usual, candidates[0]]), strict=True):
        features = codec.encode(query)
        arrays: dict[str, Any] = {axis: features[axis] for axis in codec.axes}
        np.savez(folder / name, **arrays)


def _size(features: Mapping[str, Any]) -> int:
    return sum(getattr(array, "size", 0) for array in features.values())


def read_examples(artifact: Path) -> list[dict[str, Any]]:
    """Return the features that `write_examples` wrote."""
    import numpy as np

    return [dict(np.load(artifact / name)) for name in _EXAMPLES]


def compile_forward(module: Any) -> None:
    """Mark a module for compilation at its next calls.

    Raises UserError if there is no C++ compiler.
    """
    import torch
    import torch._inductor.config as inductor

    if not any(compiler and shutil.which(compiler) for compiler in inductor.cpp.cxx):
        raise UserError(
            "Torch(compile=True) requires a C++ compiler: install g++ (apt-get install g++), or "
            "set the environment variable CXX to another one"
        )
    inductor.compile_threads = 1  # a pool of processes would disturb measurements
    torch.compiler.reset()  # discard the code of other modules of the class
    module.compile(dynamic=True)


def compile_now(runner: Any, examples: list[dict[str, Any]]) -> dict[str, Any]:
    """Compile the module of a runner by running the examples, and return the evidence.

    Raises BuildError if torch cannot compile the module, or finds nothing to compile.
    """
    import torch
    from torch._dynamo.utils import counters
    from torch.fx.experimental import _config

    settings: Any = _config

    counters.clear()
    try:
        # Sizes that are equal in the examples, such as batch and length, can differ in queries.
        with settings.patch(use_duck_shape=False):
            for features in examples:
                runner.infer(features)
    except Exception as error:
        raise BuildError(
            f"torch.compile cannot compile this model: {first_line(error)}. Remove compile=True"
        ) from error
    graphs = counters["stats"]["unique_graphs"]
    if not graphs:
        raise BuildError("torch.compile found nothing to compile: remove compile=True")
    return {
        "compiled": {
            "backend": "inductor",
            "version": torch.__version__,
            "graphs": graphs,
            "graph_breaks": sum(counters["graph_break"].values()),
        }
    }


class Compiled:
    """Runner of a compiled module. A query that would require recompilation is an error."""

    def __init__(self, runner: Any) -> None:
        import torch

        self.decoding = runner.decoding
        self.threads = runner.threads
        self._infer = runner.infer
        torch.compiler.set_stance("fail_on_recompile")

    def infer(self, features: Mapping[str, Any]) -> Any:
        try:
            return self._infer(features)
        except RuntimeError as error:
            if "Detected recompile" not in str(error):
                raise
            shapes = ", ".join(f"{name} {array.shape}" for name, array in features.items())
            raise UserError(
                f"torch.compile would have to recompile for a query of other sizes ({shapes}), "
                "which cannot be measured: exclude such queries, or remove compile=True"
            ) from error
