"""Train a tiny ViT on MNIST and write it to `vit/`, with `photos/` that it has not seen.

`python -m examples.photos.train` takes about 4 minutes on two cores. The 10,000 images of
suites/vision/data are divided: 9,000 to train, and of the others ten of each class as PNG files.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from pytest_infperf.tasks.vision import read_idx

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "suites" / "vision" / "data"
TRAINED = 9000
OF_CLASS = 10
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
CONFIG = ViTConfig(
    image_size=28,
    patch_size=7,
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=128,
    hidden_dropout_prob=0.1,
    id2label=dict(enumerate(NAMES)),
    label2id={name: number for number, name in enumerate(NAMES)},
)
STEPS, BATCH, RATE = 2000, 128, 2e-3


def write_photos(images: np.ndarray, labels: np.ndarray) -> None:
    for number, name in enumerate(NAMES):
        folder = HERE / "photos" / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(images[labels == number][:OF_CLASS]):
            Image.fromarray(image).save(folder / f"{i}.png")


def train(images: np.ndarray, labels: np.ndarray) -> ViTForImageClassification:
    torch.manual_seed(0)
    pixels = (torch.from_numpy(images.copy()).float() / 255 - 0.5) / 0.5
    targets = torch.from_numpy(labels.copy()).long()
    model = ViTForImageClassification(CONFIG).train()
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS, pct_start=0.1)
    for step in range(STEPS):
        chosen = torch.randint(len(pixels), (BATCH,))
        rows, columns = torch.randint(-2, 3, (2,)).tolist()
        shifted = torch.roll(pixels[chosen], (rows, columns), (1, 2))
        inputs = shifted[:, None].expand(-1, 3, -1, -1)
        loss = model(pixel_values=inputs, labels=targets[chosen]).loss
        loss.backward()
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % 250 == 0:
            print(f"step {step}, loss {loss.item():.3f}", flush=True)
    return model.eval()


def main() -> None:
    images = read_idx(DATA / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(DATA / "t10k-labels-idx1-ubyte.gz")
    write_photos(images[TRAINED:], labels[TRAINED:])
    train(images[:TRAINED], labels[:TRAINED]).save_pretrained(HERE / "vit")
    ViTImageProcessor(size={"height": 28, "width": 28}).save_pretrained(HERE / "vit")


if __name__ == "__main__":
    main()
