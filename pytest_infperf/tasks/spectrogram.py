"""Codec for CTC models that read spectrograms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.best_path import best_paths


class SpectrogramCodec:
    """Codec from waveforms to log spectrograms, and from CTC outputs to text.

    Features are float32, shape [batch, bins, frames]: `log1p(50 * |STFT|)` with a centred Hann
    window, normalised over each sample, as in the training of the network. Results are log
    probabilities, shape [batch, steps, letters], decoded by the best path (Graves et al. 2006).
    `normalized` normalises an output before it is compared. Raises UserError if config.json lacks
    a value.
    """

    axes: Mapping[str, Sequence[str | int]]

    def __init__(self, model: Path, normalized: Callable[[str], str] = str) -> None:
        import numpy as np

        self._normalized = normalized

        try:
            config = json.loads((model / "config.json").read_text("utf-8"))
            self._window, self._hop = int(config["n_fft"]), int(config["hop"])
            self.alphabet, self._blank = str(config["alphabet"]), int(config["blank"])
            self.axes = {"spectrogram": ("batch", int(config["bins"]), "frames")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{model / 'config.json'} must have n_fft, hop, bins, alphabet and blank: {error!r}"
            ) from error
        phase = 2 * np.pi * np.arange(self._window) / self._window
        self._hann = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        """Compute the spectrograms of waveforms; `length` has no effect, as `sized` truncates."""
        import numpy as np

        longest = max(map(len, inputs))
        waves = np.stack([np.pad(samples, (0, longest - len(samples))) for samples in inputs])
        half = self._window // 2
        padded = np.pad(waves, ((0, 0), (half, half)), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._window, axis=1)
        spectrum = np.abs(np.fft.rfft(frames[:, :: self._hop] * self._hann, axis=-1))
        values = np.log1p(50 * spectrum).transpose(0, 2, 1)
        mean = values.mean(axis=(1, 2), keepdims=True)
        deviation = values.std(axis=(1, 2), keepdims=True, ddof=1)
        return {
            "spectrogram": ((values - mean) / (deviation + 1e-5)).astype(np.float32),
            "frames": [len(samples) // self._hop + 1 for samples in inputs],
        }

    def decode(self, results: Any, features: Any) -> list[Any]:
        steps = [(frames + 1) // 2 for frames in features["frames"]]
        return [
            None if path is None else self._normalized("".join(self.alphabet[i] for i in path))
            for path in best_paths(results, steps, self._blank)
        ]
