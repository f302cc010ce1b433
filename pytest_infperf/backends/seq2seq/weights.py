"""The weights of the encoder or the decoder of a Marian model, for fused graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

POSITIONS = "embed_positions"


class Weights:
    """The weights of the encoder or the decoder, as numpy arrays by their names in torch."""

    def __init__(self, half: Any) -> None:
        self._tensors = half.state_dict()

    def linear(self, name: str) -> tuple[Any, Any]:
        """Return the matrix, shape [inputs, outputs], and the bias of a linear layer."""
        return self._array(f"{name}.weight").T, self._array(f"{name}.bias")

    def side_by_side(self, names: Sequence[str]) -> tuple[Any, Any]:
        """Return linear layers with a common input as one linear layer."""
        import numpy

        matrices, biases = zip(*map(self.linear, names), strict=True)
        return numpy.concatenate(matrices, axis=1), numpy.concatenate(biases)

    def packed(self, attention: str) -> tuple[Any, Any]:
        """Return query, key and value of an attention as one linear layer."""
        return self.side_by_side([f"{attention}.{part}_proj" for part in "qkv"])

    def norm(self, name: str) -> tuple[Any, Any]:
        return self._array(f"{name}.weight"), self._array(f"{name}.bias")

    def positions(self) -> Any:
        """Return the embeddings of positions."""
        return self._array(f"{POSITIONS}.weight")

    def token_table(self) -> Any:
        """Return the embeddings of tokens, before scaling."""
        return self._array("embed_tokens.weight")

    def _array(self, name: str) -> Any:
        return self._tensors[name].numpy()
