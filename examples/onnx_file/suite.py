"""Tell the type of a file from its bytes, with the graph that Google's Magika brings."""

import json
from pathlib import Path

import magika
import numpy as np

from pytest_infperf import Custom, Onnx, OpenVino, Suite

MODEL = next(Path(magika.__file__).parent.glob("models/standard_*"))


def files(folder):
    return [(codes(path.read_bytes()), path.suffix[1:]) for path in sorted(folder.glob("files/*"))]


def codes(content):
    """Return the first and the last 1,024 bytes, as the graph takes them; 256 is padding."""
    text = content.strip()
    padding = [256] * (1024 - len(text))
    return np.array([*text[:1024], *padding, *padding, *text[-1024:]], np.int32)


labels = json.loads((MODEL / "config.min.json").read_text())["target_labels_space"]
graph = str(MODEL / "model.onnx")
suite = Suite(
    "filetypes",
    task=Custom(data="suite:files", metrics=["accuracy"], labels=labels),
    baseline="onnx-file",
    variants=[Onnx(file=graph), OpenVino(file=graph)],
)
