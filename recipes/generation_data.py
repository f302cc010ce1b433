"""Write the prompts and the text of suites/generation from the English test sentences."""

from __future__ import annotations

import json
import random
from pathlib import Path

from recipes.training import ROOT

SENTENCES = ROOT / "suites" / "translation" / "data" / "test.eng"
FOLDER = ROOT / "suites" / "generation" / "data"
_PROMPTS = 200
_BEFORE = 4
"""Number of whole sentences before the one that is continued."""
_OF_TEXT = 2000
"""Number of sentences of the text whose perplexity is measured."""


def write(sentences: Path, folder: Path) -> None:
    """Write prompts.jsonl and text.txt; no sentence is in both."""
    shuffled = sorted(set(sentences.read_text("utf-8").splitlines()) - {""})
    random.Random(0).shuffle(shuffled)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text.txt").write_text(" ".join(shuffled[:_OF_TEXT]) + "\n", "utf-8")
    left = iter(shuffled[_OF_TEXT:])
    rows = []
    for _ in range(_PROMPTS):
        before = [next(left) for _ in range(_BEFORE)]
        words = next(sentence for sentence in left if len(sentence.split()) > 5).split()
        begun, rest = words[: len(words) // 2], words[len(words) // 2 :]
        rows.append({"prompt": " ".join([*before, *begun]), "reference": " ".join(rest)})
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    write(SENTENCES, FOLDER)
