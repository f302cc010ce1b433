"""Write the vocabulary map (lexical shortlist) of the zh-en models, for CTranslate2(vmap=...).

The training pairs, and the same sources with the distilled model's translations, are aligned token
by token with eflomal (Östling and Tiedemann 2016; `pip install eflomal`). It samples without a
seed, so that two runs differ in rare candidates.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_infperf.backends.ctranslate2 import CTranslate2
from pytest_infperf.suite.backend import Material
from recipes.training import ROOT
from recipes.translation import DATA, read
from suites.translation.suite import DISTILLED, suite

SUITE = ROOT / "suites" / "translation"
MODEL = SUITE / DISTILLED
_ALWAYS = 500
"""Number of the most frequent tokens, which are candidates for every input."""
_CANDIDATES = 200
"""Maximum number of other candidates of a token."""
_SEEN = 2
"""Minimum number of times that two tokens are aligned."""
_SENTENCES_AT_ONCE = 64

Ids = Sequence[int]
Links = Iterable[tuple[int, int]]


def translations(rows: Sequence[list[int]]) -> list[list[int]]:
    """Return the distilled model's outputs, greedy and in int8."""
    backend = CTranslate2(int8=True)
    outputs: dict[int, list[int]] = {}
    with TemporaryDirectory() as folder:
        backend.build(Material(MODEL, suite.task, SUITE), Path(folder))
        runner = backend.load(Path(folder), suite.task, None)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), _SENTENCES_AT_ONCE):
            numbers = order[start : start + _SENTENCES_AT_ONCE]
            found = runner.infer([rows[i] for i in numbers])
            outputs.update(zip(numbers, found, strict=True))
    return [outputs[i] for i in range(len(rows))]


def aligned(sources: Sequence[Ids], targets: Sequence[Ids]) -> list[set[tuple[int, int]]]:
    """Return the links of each pair, in either direction."""
    from eflomal import Aligner

    # The ids, because the aligner treats "Tom" and "tom" as one word.
    sides = [[" ".join(map(str, row)) for row in rows] for rows in (sources, targets)]
    with TemporaryDirectory() as folder:
        paths = [f"{folder}/forward", f"{folder}/reverse"]
        Aligner().align(*sides, links_filename_fwd=paths[0], links_filename_rev=paths[1])
        directions = [Path(path).read_text().splitlines() for path in paths]
    return [
        {(int(i), int(j)) for link in " ".join(lines).split() for i, j in [link.split("-")]}
        for lines in zip(*directions, strict=True)
    ]


def vocabulary_map(
    sources: Iterable[Ids], targets: Iterable[Ids], links: Iterable[Links]
) -> dict[int | None, list[int]]:
    """Return the candidates by token; the key None has the candidates for every input.

    A token of the targets is also its own candidate, because names and numbers are copied.
    """
    counts: defaultdict[int, Counter[int]] = defaultdict(Counter)
    frequencies: Counter[int] = Counter()
    for source, target, pairs in zip(sources, targets, links, strict=True):
        frequencies.update(target)
        for i, j in pairs:
            counts[source[i]][target[j]] += 1
    always = {token for token, _ in frequencies.most_common(_ALWAYS)}
    found: dict[int | None, list[int]] = {None: sorted(always)}
    for token in sorted(counts.keys() | frequencies.keys()):
        best = counts[token].most_common(_CANDIDATES)
        candidates = {target for target, seen in best if seen >= _SEEN} | (
            {token} & frequencies.keys()
        )
        if candidates - always:
            found[token] = sorted(candidates - always)
    return found


def write(found: dict[int | None, list[int]], path: Path) -> None:
    ids = json.loads((MODEL / "vocab.json").read_text("utf-8"))
    tokens = {i: token for token, i in ids.items()}
    lines = (
        f"{'' if key is None else tokens[key]}\t{' '.join(tokens[i] for i in candidates)}\n"
        for key, candidates in found.items()
    )
    path.write_text("".join(lines), "utf-8")


def make(data: Path, out: Path) -> None:
    """Write the map of the training pairs in a folder."""
    pairs, codec = read(data), suite.task.codec(MODEL)
    rows = codec.encode([source for source, _ in pairs])
    sources = [row[:-1] for row in rows] * 2  # without </s>
    references = [row[:-1] for row in codec.encode([target for _, target in pairs])]
    targets = [*references, *translations(rows)]
    write(vocabulary_map(sources, targets, aligned(sources, targets)), out)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=DATA)
    parser.add_argument("--out", type=Path, default=MODEL / "vmap.txt", help="the map")
    options = parser.parse_args()
    make(options.data, options.out)


if __name__ == "__main__":
    main()
