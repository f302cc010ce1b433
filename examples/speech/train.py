"""Train a tiny wav2vec2 on spoken digits with CTC, and write it to `wav2vec2/`.

`python -m examples.speech.train --data DIR` takes about 10 minutes on two cores. DIR has the
recordings of the Free Spoken Digit Dataset as {digit}_{speaker}_{index}.wav, without index
0 to 4, the test set.
"""

import json
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import torch
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
)

from suites.speech.utterances import RATE, Recording, recordings_by_speaker

MODEL = Path(__file__).with_name("wav2vec2")

TOKENS = ["<pad>", "<unk>", "|", *"0123456789"]
CONFIG = Wav2Vec2Config(
    vocab_size=len(TOKENS),
    pad_token_id=0,
    hidden_size=96,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=192,
    conv_dim=(32, 48, 64, 64),
    conv_stride=(5, 4, 4, 2),
    conv_kernel=(10, 8, 8, 4),
    num_feat_extract_layers=4,
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=4,
    feat_extract_norm="layer",
    layerdrop=0.0,
    mask_time_prob=0.0,
    ctc_loss_reduction="mean",
    ctc_zero_infinity=True,
)
STEPS, BATCH, RATE_OF_LEARNING = 3000, 32, 1e-3


def processor() -> Wav2Vec2Processor:
    MODEL.mkdir(exist_ok=True)
    vocabulary = MODEL / "vocab.json"
    vocabulary.write_text(json.dumps({token: i for i, token in enumerate(TOKENS)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(vocabulary), bos_token=None, eos_token=None)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, return_attention_mask=True)
    return Wav2Vec2Processor(extractor, tokenizer)


def changed(recording: Recording, rng: np.random.Generator) -> np.ndarray:
    """Return a recording at another speed and loudness, with some noise."""
    _, samples = recording
    places = np.linspace(0, len(samples) - 1, int(len(samples) / rng.uniform(0.85, 1.15)))
    stretched = np.interp(places, np.arange(len(samples)), samples) * rng.uniform(0.5, 1.5)
    return stretched + rng.normal(0, rng.uniform(0.0002, 0.005), len(stretched))


def train(recordings: list[Recording], prepare: Wav2Vec2Processor) -> Wav2Vec2ForCTC:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = Wav2Vec2ForCTC(CONFIG).train()
    optimiser = torch.optim.AdamW(model.parameters(), RATE_OF_LEARNING, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE_OF_LEARNING, STEPS, pct_start=0.1
    )
    for step in range(STEPS):
        chosen = [recordings[i] for i in rng.integers(len(recordings), size=BATCH)]
        sounds = [changed(recording, rng) for recording in chosen]
        inputs = prepare(sounds, sampling_rate=RATE, padding=True, return_tensors="pt")
        labels = torch.tensor([[TOKENS.index(str(digit))] for digit, _ in chosen])
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % 200 == 0:
            print(f"step {step}, loss {loss.item():.3f}", flush=True)
    return model.eval()


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    speakers = recordings_by_speaker(parser.parse_args().data)
    prepare = processor()
    prepare.save_pretrained(MODEL)
    train([one for recordings in speakers.values() for one in recordings], prepare).save_pretrained(
        MODEL
    )


if __name__ == "__main__":
    main()
