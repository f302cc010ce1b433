"""Train a tiny T5 that writes dates as ISO 8601 does, and write it to `t5/` with `dates.csv`.

`python -m examples.text_to_text.train` takes about 5 minutes on two cores. Dates and the phrases
around them are drawn with a seed; those of dates.csv are not trained.
"""

import csv
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

HERE = Path(__file__).parent
FIRST, DAYS = date(1950, 1, 1), 36_525
FORMS = (
    "{day} {month} {year}",
    "{day} {mon} {year}",
    "{month} {day}, {year}",
    "{mon}. {day}, {year}",
    "{weekday}, {day} {month} {year}",
    "{day}{th} of {month} {year}",
    "the {day}{th} of {month}, {year}",
    "{day:02}.{number:02}.{year}",
)
PHRASES = ("{}", "on {}", "due {}", "invoice of {}", "born {}", "paid on {}", "{}, Lisbon")
TESTED = 200
STEPS, BATCH, RATE = 2200, 128, 4e-3


def sample(rng: random.Random) -> tuple[str, date]:
    day = FIRST + timedelta(days=rng.randrange(DAYS))
    th = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    written = rng.choice(FORMS).format(
        day=day.day,
        th=th,
        month=f"{day:%B}",
        mon=f"{day:%b}",
        number=day.month,
        year=day.year,
        weekday=f"{day:%A}",
    )
    return rng.choice(PHRASES).format(written), day


def tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    fast = Tokenizer(models.BPE(unk_token="<unk>"))
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    fast.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    fast.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=200, special_tokens=special))
    fast.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def batches(rng: random.Random, without: set[str]) -> Iterator[tuple[list[str], list[str]]]:
    while True:
        drawn = [sample(rng) for _ in range(BATCH)]
        kept = [(text, day.isoformat()) for text, day in drawn if text not in without]
        yield [text for text, _ in kept], [iso for _, iso in kept]


def train(words: PreTrainedTokenizerFast, without: set[str]) -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(words),
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
    )
    model = T5ForConditionalGeneration(config).train()
    optimiser = torch.optim.AdamW(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS, pct_start=0.1)
    for step, (texts, isos) in zip(range(STEPS), batches(random.Random(1), without), strict=False):
        inputs = words(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
        targets = words(isos, padding=True, return_tensors="pt").input_ids
        targets[targets == words.pad_token_id] = -100
        loss = model(**inputs, labels=targets).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % 200 == 0:
            print(f"step {step}, loss {loss.item():.3f}", flush=True)
    return model.eval()


def main() -> None:
    rng = random.Random(0)
    tested = [sample(rng) for _ in range(TESTED)]
    with (HERE / "dates.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("text", "extended", "basic"))
        rows.writerows((text, day.isoformat(), f"{day:%Y%m%d}") for text, day in tested)
    words = tokenizer([text for text, _ in (sample(rng) for _ in range(5000))] + ["1-2"])
    words.save_pretrained(HERE / "t5")
    train(words, {text for text, _ in tested}).save_pretrained(HERE / "t5")


if __name__ == "__main__":
    main()
