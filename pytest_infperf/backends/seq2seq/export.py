"""Exports an encoder-decoder model to ONNX with the weights it has in torch, in fp32.

Optimum writes three graphs into the folder: the encoder, the decoder's first step and the
decoder's later steps, which take the keys and values of the steps before them.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from pytest_infperf.errors import BuildError

ENCODER = "encoder_model.onnx"
FIRST_STEP = "decoder_model.onnx"
NEXT_STEP = "decoder_with_past_model.onnx"


def export(model: Path, folder: Path) -> None:
    """Write the fp32 graphs of the model in `model` and its configuration to `folder`."""
    config = json.loads((model / "config.json").read_text())
    if not config.get("is_encoder_decoder"):
        raise BuildError(
            f"{model}: a {config.get('model_type', 'model without a type')} is not an"
            " encoder-decoder model; give one with is_encoder_decoder in its config.json,"
            " such as a MarianMT model"
        )
    with warnings.catch_warnings():
        # Tracing warns of every Python branch on a shape, of which Marian has many.
        warnings.simplefilter("ignore")
        from optimum.exporters.onnx import main_export

        main_export(
            str(model),
            output=folder,
            task="text2text-generation-with-past",
            dtype="fp32",
            no_post_process=True,
            do_validation=False,
        )
