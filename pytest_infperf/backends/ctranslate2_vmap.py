"""Vocabulary maps of CTranslate2: the tokens that the output of an input can have.

Each line has an n-gram of the input, a tab and tokens, all with a space between tokens. The tokens
of the line without an n-gram are candidates for every input. The output layer is computed for the
candidates of the inputs of a query alone.

CTranslate2 silently takes an unknown token for <unk> and the last of several lines for one n-gram,
and reads memory that is not its own if the file is empty. It also keeps the place that a token had
among the candidates of the first query (seen with 4.8.5, `Decoder::update_output_layer`): a decoder
whose first token has another place later starts from another token, or the process dies.
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
"""The candidates of each n-gram; those of the empty one are candidates for every input."""


def read(path: Path, vocabulary: Sequence[str]) -> VocabularyMap:
    """Return a map whose tokens are all in the vocabulary.

    Raises BuildError if one is not, or a line is not a line of a map.
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
                f"{path}:{number}: {line[:80]!r} is not an n-gram, a tab and tokens with a space "
                "between them: correct the line, or make the map again"
            )
        if ngram in lines:
            raise BuildError(
                f"{path}:{number}: {ngram!r} has tokens in line {lines[ngram]} already, which "
                "CTranslate2 would forget: join the lines"
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
    """Check that the tokens that CTranslate2 looks up keep their place among the candidates.

    These are the tokens that each output of a converted model begins with and those that are
    suppressed. A token keeps its place if no token of an n-gram alone is before it in the
    vocabulary. Raises BuildError if one does not.
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
                f"CTranslate2 would take other tokens for {token!r} with {path}: it {role}, and "
                "has another place among the candidates of other inputs, because "
                f"{tokens[first_changing]!r}, which is before it in the vocabulary, is a candidate "
                f"of some inputs. Remove vmap, or {remedy}"
            )


def evidence(candidates: VocabularyMap) -> dict[str, Any]:
    """Return how many tokens are candidates for every input, and the number of n-grams."""
    return {
        "tokens_of_every_input": len(candidates.get("", ())),
        "ngrams": len(candidates) - ("" in candidates),
    }
