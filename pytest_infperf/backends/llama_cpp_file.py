"""GGUF files: opening them with llama.cpp, and their tokenizers."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError, first_line

_WITHOUT_TOKENIZER = ("none", "no_vocab")
_NO_LIMIT = 10**30
"""The maximum length of tokenizers without a limit, as in transformers."""


def opened(path: Path, **options: Any) -> Any:
    """Return the `llama_cpp.Llama` of a GGUF file.

    Raises UserError if llama.cpp cannot open it.
    """
    import llama_cpp

    try:
        return llama_cpp.Llama(str(path), verbose=False, **options)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"llama-cpp-python {llama_cpp.__version__} cannot open {path} "
            f"({path.stat().st_size:,} bytes): {first_line(error)}. The file is damaged or not a "
            "GGUF file, the model has an architecture that this version does not know, or there "
            "is not enough memory: set a smaller context"
        ) from error


def quantization_of(metadata: Mapping[str, str]) -> str:
    """Return the type of the weights that a file names, such as `q4_k_m`."""
    import llama_cpp

    prefix = "LLAMA_FTYPE_"
    names = {
        str(getattr(llama_cpp, name)): name.removeprefix(prefix).partition("_")[2].lower()
        for name in dir(llama_cpp)
        if name.startswith(prefix)
    }
    return names.get(metadata.get("general.file_type", ""), "unknown")


def longest_context(metadata: Mapping[str, str]) -> int:
    """Return the context with which the model of a file was trained, in tokens."""
    architecture = metadata.get("general.architecture", "")
    return int(metadata.get(f"{architecture}.context_length", _NO_LIMIT))


class GgufTokenizer:
    """The tokenizer of a GGUF file, with the methods of transformers' that codecs use.

    Parameters
    ----------
    path : Path
        The file.
    llama : llama_cpp.Llama, optional
        The opened file; None opens its vocabulary.

    Raises
    ------
    UserError
        If llama.cpp cannot open the file, or the file has no tokenizer.
    """

    def __init__(self, path: Path, llama: Any = None) -> None:
        import llama_cpp

        self._api = llama_cpp
        self._llama = opened(path, vocab_only=True) if llama is None else llama
        self.metadata: Mapping[str, str] = self._llama.metadata
        if self.metadata.get("tokenizer.ggml.model", "none") in _WITHOUT_TOKENIZER:
            raise UserError(
                f"{path} has no tokenizer: convert the model again with convert_hf_to_gguf.py of "
                "llama.cpp"
            )
        self.name_or_path = str(path)
        self.model_max_length = longest_context(self.metadata)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._llama.model)
        tokens = range(self._llama.n_vocab())
        self.ends = [i for i in tokens if llama_cpp.llama_vocab_is_eog(self._vocabulary, i)]
        """Tokens that end an output."""
        control = [i for i in tokens if llama_cpp.llama_vocab_is_control(self._vocabulary, i)]
        self.all_special_ids = sorted({*self.ends, *control})

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> dict[str, list[int]]:
        """Return the token ids of a text."""
        ids = self._llama.tokenize(text.encode(), add_bos=add_special_tokens, special=True)
        return {"input_ids": ids}

    def apply_chat_template(self, messages: Sequence[Mapping[str, str]], **options: Any) -> str:
        """Return the text of messages, with the start of the answer.

        Raises ValueError if the file has no chat template.
        """
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        if (template := self.metadata.get("tokenizer.chat_template")) is None:
            raise ValueError("the file has no tokenizer.chat_template")
        end, start = self._text_of(self._llama.token_eos()), self._text_of(self._llama.token_bos())
        text: str = Jinja2ChatFormatter(template, end, start)(messages=messages).prompt
        return text

    def batch_decode(self, rows: Sequence[Sequence[int]], **options: Any) -> list[str]:
        """Return the text of each list of token ids, without special tokens."""
        return [self.decode(row) for row in rows]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, without special tokens."""
        tokens = (self._api.llama_token * len(ids))(*ids)
        size = 16 * len(ids) + 1
        while True:
            buffer = ctypes.create_string_buffer(size)
            written = self._api.llama_detokenize(
                self._vocabulary, tokens, len(ids), buffer, size, False, False
            )
            if written >= 0:
                return buffer.raw[:written].decode("utf-8", errors="replace")
            size = -written

    def _text_of(self, token: int) -> str:
        if token < 0:  # the model has no such token
            return ""
        text: bytes = self._api.llama_vocab_get_text(self._vocabulary, token)
        return text.decode("utf-8")
