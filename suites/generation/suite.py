"""Continue English text on CPUs: torch, bfloat16 and int8, ONNX Runtime, CTranslate2."""

from pytest_infperf import CTranslate2, Onnx, Perplexity, Suite, TextGeneration, Torch

suite = Suite(
    "generation",
    task=TextGeneration(
        data="data/prompts.jsonl",
        max_new_tokens=16,
        min_new_tokens=16,
        metrics=("chrf",),
        sample_size=48,
        perplexity=Perplexity("data/text.txt", window=128, stride=64, sample_size=40),
    ),
    model="models/llama-sentences",
    baseline="torch",
    threads=1,
    variants=[
        Torch(),
        Torch(dtype="bfloat16"),
        Torch(int8="dynamic"),
        Torch(int8="weights"),
        Onnx(),
        Onnx(int8="dynamic"),
        CTranslate2(),
        CTranslate2(int8=True),
    ],
)
