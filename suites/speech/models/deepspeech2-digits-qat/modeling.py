"""A small DeepSpeech2 (Amodei et al. 2016): two convolutions, three bidirectional LSTMs, CTC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn


class DeepSpeech2(nn.Module):
    def __init__(self, config: dict[str, Any], dropout: float = 0.0) -> None:
        super().__init__()
        bins, hidden = config["bins"], config["hidden_size"]
        self.conv = nn.Sequential(
            nn.Conv2d(1, 32, (41, 11), (2, 2), (20, 5)),
            nn.BatchNorm2d(32),
            nn.Hardtanh(0, 20),
            nn.Conv2d(32, 32, (21, 11), (2, 1), (10, 5)),
            nn.BatchNorm2d(32),
            nn.Hardtanh(0, 20),
        )
        features = 32 * (((bins - 1) // 2) // 2 + 1)
        self.rnn = nn.LSTM(
            features,
            hidden,
            config["layers"],
            batch_first=True,
            bidirectional=True,
            dropout=dropout,
        )
        self.norm = nn.LayerNorm(2 * hidden)
        self.fc = nn.Linear(2 * hidden, len(config["alphabet"]))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map [batch, bins, frames] to log probabilities [batch, frames / 2, letters]."""
        values = self.conv(spectrogram.unsqueeze(1))
        values = values.flatten(1, 2).transpose(1, 2)
        values, _ = self.rnn(values)
        return self.fc(self.norm(values)).log_softmax(-1)


def load(folder: Path) -> DeepSpeech2:
    model = DeepSpeech2(json.loads((folder / "config.json").read_text("utf-8")))
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict(
        {name: v.float() if v.is_floating_point() else v for name, v in weights.items()}
    )
    return model
