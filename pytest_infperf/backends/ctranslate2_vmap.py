"""Vocabulary maps of CTranslate2: the tokens that the output of an input can have.

Each line consists of an n-gram of the input, a tab and output tokens; tokens are separated by
spaces. The tokens of the line with an empty n-gram are candidates for every input. The output layer
is computed only for the candidates of the inputs of a query.

CTranslate2 does not report invalid maps. It replaces unknown tokens by <unk>, uses only the last of
several lines for an n-gram, and reads out of bounds if the file is empty. It also stores the place
of a token among the candidates of the first query (observed with 4.8.5,
`Decoder::update_output_layer`). If the place of the start token is different in a later query, the
decoder starts from another token, or the process crashes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.backends import (
    ctranslate2_decoding,
    ctranslate2_folder,
    ctranslate2_marian,
)
from pytest_infperf.errors import BuildError

FILE = "vmap.txt"
"""The name under which CTranslate2 finds the map in the folder of a model."""

VocabularyMap = Mapping[str, Sequence[str]]
"""Candidates by n-gram; those of the empty n-gram are candidates for every input."""


def read(path: Path, vocabulary: Sequence[str]) -> VocabularyMap:
    """Read a vocabulary map.

    Raises BuildError if a line is invalid, or a token is not in the vocabulary.
    """
    known = set(vocabulary)
    found: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BuildError(f"{path} is not in UTF-8 ({error}): save it in UTF-8") from error
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        ngram, tab, candidates = line.partition("\t")
        if not tab or not candidates or "\t" in candidates:
            raise BuildError(
                f"{path}:{number}: {line[:80]!r} is not an n-gram, a tab and tokens that are "
                "separated by spaces: correct the line, or make the map again"
            )
        if ngram in lines:
            raise BuildError(
                f"{path}:{number}: {ngram!r} already has tokens in line {lines[ngram]}, which "
                "CTranslate2 would ignore: join the lines"
            )
        found[ngram], lines[ngram] = candidates.split(" "), number
        tokens = [*(ngram.split(" ") if ngram else ()), *found[ngram]]
        for token in (token for token in tokens if token not in known):
            raise BuildError(
                f"{path}:{number}: {token!r} is not in the vocabulary of the model, which has "
                f"{len(known):,} tokens such as {vocabulary[len(known) // 2]!r}: make the map from "
                "texts that the model's own tokenizer has split, or remove the token"
            )
    return found


def check_places(
    path: Path, candidates: VocabularyMap, model: Path, settings: Mapping[str, Any]
) -> None:
    """Check that tokens that CTranslate2 looks up have the same place among all candidates.

    These are the tokens that begin each output, and suppressed tokens. The place of a token is the
    same if all candidates before it in the vocabulary are candidates for every input. Raises
    BuildError if the place of a token can change.
    """
    tokens = ctranslate2_folder.vocabulary(model)
    config = json.loads((model / "config.json").read_text("utf-8"))
    start = config.get("decoder_start_token") or config["bos_token"]
    in_order = ctranslate2_marian.in_order_of_ids(tokens, settings)
    first = settings.get("forced_bos_token_id")
    begins = {start, *([] if first is None else [in_order[first]])}
    options = ctranslate2_decoding.options(settings, in_order)
    suppressed = {t for sequence in options.get("suppress_sequences", ()) for t in sequence}

    always = {*candidates.get("", ()), *begins}
    always |= {config[f"{name}_token"] for name in ("bos", "eos", "unk")}
    changing = {token for listed in candidates.values() for token in listed} - always
    place = {token: i for i, token in enumerate(tokens)}
    first_changing = min((place[token] for token in changing), default=len(tokens))
    for token in sorted(begins | (suppressed & (always | changing))):
        if place[token] >= first_changing:
            role, remedy = (
                ("begins each output", "convert the model with it at the start of its vocabulary")
                if token in begins
                else ("is suppressed", "do not suppress it")
            )
            raise BuildError(
                f"{path}: CTranslate2 would confuse {token!r} with other tokens, because it "
                f"{role}, and its place among the candidates depends on the input: "
                f"{tokens[first_changing]!r}, which is before it in the vocabulary, is a candidate "
                f"for some inputs only. Remove vmap, or {remedy}"
            )


def evidence(candidates: VocabularyMap) -> dict[str, Any]:
    """Return the number of tokens that are candidates for every input, and of n-grams."""
    return {
        "tokens_of_every_input": len(candidates.get("", ())),
        "ngrams": len(candidates) - ("" in candidates),
    }
