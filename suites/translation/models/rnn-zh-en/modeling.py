"""RNN translation with attention: a bidirectional GRU encoder and a GRU decoder.

The attention is of the type "general" (Luong, Pham and Manning 2015), without input feeding. The
output layer shares its weights with the embedding.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

_MASKED = -1e4
_TRAINED_LENGTHS = (12, 16, 24, 32, 48)
_MOST_PADDING = 15
"""Maximum number of padding tokens of a sentence: from 33 tokens to 48."""


class RnnAttention(nn.Module):
    def __init__(self, config: dict[str, Any], dropout: float = 0.0) -> None:
        super().__init__()
        self.config = SimpleNamespace(**config)
        vocabulary, width = config["vocab_size"], config["embed_dim"]
        hidden, layers = config["hidden_size"], config["layers"]
        self.embed = nn.Embedding(vocabulary, width, padding_idx=config["pad_token_id"])
        self.encoder = nn.GRU(
            width, hidden // 2, layers, batch_first=True, bidirectional=True, dropout=dropout
        )
        self.decoder = nn.GRU(width, hidden, layers, batch_first=True, dropout=dropout)
        self.attn = nn.Linear(hidden, hidden, bias=False)
        self.combine = nn.Linear(2 * hidden, width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.bridge = nn.Linear(hidden, hidden)
        self.drop = nn.Dropout(dropout)
        self.layers = layers

    def encode(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden states [batch, source, hidden] and the first state of the decoder.

        The state has the shape [batch, layers, hidden]. In training, sentences were padded to one
        of a few lengths, and the encoder read the padding. Each sentence is therefore read up to
        the padded length that it had in training, so that its result is the same in every batch.
        """
        longest = input_ids.shape[1]
        lengths = mask.sum(1)
        read = lengths
        for length in reversed(_TRAINED_LENGTHS):
            read = torch.where(lengths <= length, length, read)
        padding = torch.full_like(input_ids[:, :1], self.config.pad_token_id)
        padded = torch.cat([input_ids, padding.expand(-1, _MOST_PADDING)], 1)
        packed = pack_padded_sequence(
            self.drop(self.embed(padded)), read.cpu(), batch_first=True, enforce_sorted=False
        )
        outputs, last = self.encoder(packed)
        outputs, _ = pad_packed_sequence(
            outputs, batch_first=True, total_length=longest + _MOST_PADDING
        )
        outputs = outputs[:, :longest]
        return outputs, self._first_state(last)

    def _first_state(self, last: Tensor) -> Tensor:
        """Return the first state of the decoder [batch, layers, hidden].

        It joins both directions of each layer of the encoder's last state, shape [layers x
        directions, batch, hidden / 2].
        """
        directions = last.reshape(self.layers, 2, -1, last.shape[-1]).permute(2, 0, 1, 3)
        return torch.tanh(self.bridge(directions.flatten(2)))

    def decode(
        self, tokens: Tensor, hidden: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return logits [batch, target, vocabulary] and the next state."""
        outputs, state = self.decoder(
            self.drop(self.embed(tokens)), state.transpose(0, 1).contiguous()
        )
        scores = self.attn(outputs) @ hidden.transpose(1, 2)
        scores = scores.masked_fill(mask[:, None] == 0, _MASKED)
        context = scores.softmax(-1) @ hidden
        combined = torch.tanh(self.combine(torch.cat([outputs, context], -1)))
        logits = self.drop(combined) @ self.embed.weight.T + self.bias
        return logits, state.transpose(0, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, target_ids: Tensor) -> Tensor:
        """Return the logits of each target token, for training: all padding is read."""
        hidden, last = self.encoder(self.drop(self.embed(input_ids)))
        state = self._first_state(last)
        return self.decode(target_ids, hidden, attention_mask, state)[0]

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        *,
        max_new_tokens: int,
        num_beams: int = 1,
        streamer: Any = None,
        **_: Any,
    ) -> Tensor:
        """Return greedy outputs [batch, 1 + new tokens], as transformers' `generate` does."""
        if num_beams != 1:
            raise ValueError("RnnAttention decodes greedily: beams=1")
        pad, end = self.config.pad_token_id, self.config.eos_token_id
        hidden, state = self.encode(input_ids, attention_mask)
        token = torch.full_like(input_ids[:, :1], self.config.decoder_start_token_id)
        sequence, ended = [token], torch.zeros_like(token, dtype=torch.bool)
        if streamer:
            streamer.put(token.flatten())
        for step in range(max_new_tokens):
            logits, state = self.decode(token, hidden, attention_mask, state)
            logits[..., pad] = float("-inf")
            token = logits[:, -1].argmax(-1, keepdim=True)
            if step == max_new_tokens - 1:
                token = torch.full_like(token, end)
            token = torch.where(ended, pad, token)
            sequence.append(token)
            if streamer:
                streamer.put(token.flatten())
            ended |= token == end
            if ended.all():
                break
        return torch.cat(sequence, 1)

    def encoder_graph(self) -> nn.Module:
        return _Encoder(self)

    def step_graph(self) -> nn.Module:
        return _Step(self)


class _Encoder(nn.Module):
    def __init__(self, model: RnnAttention) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.encode(input_ids, attention_mask)


class _Step(nn.Module):
    def __init__(self, model: RnnAttention) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, hidden: Tensor, mask: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.model.decode(input_ids, hidden, mask, state)


def load(folder: Path) -> RnnAttention:
    model = RnnAttention(json.loads((folder / "config.json").read_text("utf-8")))
    model.load_state_dict(
        {name: values.float() for name, values in load_file(folder / "model.safetensors").items()}
    )
    return model
