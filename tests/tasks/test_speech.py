"""Recordings with a manifest, of any rate and format, and models of transformers for CTC."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile

from pytest_infperf import Samples, SpeechRecognition, Torch, UserError
from pytest_infperf.suite.backend import Material
from pytest_infperf.tasks.ctc import CtcCodec

TONE = np.sin(np.arange(16000) / 20).astype(np.float32) / 2
"""A second at 16 kHz."""
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with a manifest of three recordings of other formats, rates and channels."""
    folder = tmp_path / "clips"
    folder.mkdir()
    soundfile.write(folder / "a.wav", TONE, 16000)
    soundfile.write(folder / "b.flac", np.stack([TONE, TONE], 1)[:8000], 8000)
    soundfile.write(folder / "c.ogg", TONE, 44100)
    lines = [
        {"audio_filepath": name, "text": text}
        for name, text in (("a.wav", "ONE"), ("b.flac", "Two, three"), ("c.ogg", "FOUR"))
    ]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def task(**changed: Any) -> SpeechRecognition:
    fields = {"data": "clips/manifest.jsonl", "audio": "audio_filepath", **changed}
    return SpeechRecognition(**fields)


def test_recordings_have_one_channel_and_the_rate_of_the_model(clips: Path) -> None:
    samples = task().samples(clips.parent)
    assert samples.references == ["ONE", "Two, three", "FOUR"]
    assert [len(sound) for sound in samples.inputs] == [16000, 16000, round(16000 * 16000 / 44100)]
    assert all(sound.dtype == np.float32 and sound.ndim == 1 for sound in samples.inputs)
    assert np.allclose(samples.inputs[0], TONE, atol=1e-4)
    assert task().duration_s(samples.inputs[1]) == 1
    assert len(task().sized(samples.inputs, 1, 3)) == 48000


def test_a_folder_with_metadata_is_read_as_datasets_does(clips: Path) -> None:
    (clips / "metadata.csv").write_text("file_name,transcription\na.wav,ONE\n")
    samples = SpeechRecognition(data="clips", text="transcription").samples(clips.parent)
    assert (samples.references, len(samples.inputs)) == (["ONE"], 1)
    (clips / "metadata.csv").unlink()
    with pytest.raises(UserError, match=r"clips has no manifest: add exactly one of metadata\.csv"):
        SpeechRecognition(data="clips").samples(clips.parent)


@pytest.mark.parametrize(
    "cell",
    [
        lambda _: (TONE, 16000),
        lambda _: {"array": TONE, "sampling_rate": 16000},
        lambda folder: (folder / "a.wav").read_bytes(),
        lambda folder: {"bytes": (folder / "a.wav").read_bytes(), "path": "elsewhere.wav"},
        lambda folder: {"bytes": None, "path": str(folder / "a.wav")},
    ],
)
def test_recordings_may_be_values(clips: Path, cell: Callable[[Path], object]) -> None:
    rows = [{"audio": cell(clips), "text": "ONE"}]
    (sound,) = SpeechRecognition(data=rows).samples(clips.parent).inputs
    assert np.allclose(sound, TONE, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"there is no recording .*a\.wav"),
        (b"", "the recording cannot be read"),
        (b"RIFF is not enough", "the recording cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
)
def test_a_recording_that_cannot_be_read_is_named_with_its_line(
    clips: Path, content: bytes | None, words: str
) -> None:
    (clips / "a.wav").unlink()
    if content is not None:
        (clips / "a.wav").write_bytes(content)
    with pytest.raises(UserError, match=rf"manifest\.jsonl:1: 'audio_filepath'.*{words}"):
        task().samples(clips.parent)


@pytest.mark.parametrize("sound", [np.zeros(0), np.full(9, np.nan), np.zeros((3, 3, 3)), "x", 3])
def test_a_file_that_is_not_sound_is_refused(tmp_path: Path, sound: object) -> None:
    cell = (sound, 16000) if isinstance(sound, np.ndarray) else sound
    with pytest.raises(UserError, match="row 1: 'audio'"):
        SpeechRecognition(data=[{"audio": cell, "text": "a"}]).samples(tmp_path)


def wav2vec2(folder: Path, kind: str = "Wav2Vec2", **config: Any) -> Path:
    """Write a tiny model with its processor, and return its folder."""
    import torch
    import transformers
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True, **config)
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    library: Any = transformers
    getattr(library, f"{kind}ForCTC")(
        getattr(library, f"{kind}Config")(
            vocab_size=len(LETTERS),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            conv_dim=(8, 8),
            conv_stride=(5, 4),
            conv_kernel=(10, 3),
            num_feat_extract_layers=2,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=2,
            feat_extract_norm="layer",
        )
    ).save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_transformers_answers_as_its_processor_decodes(
    clips: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    model = wav2vec2(tmp_path / "model")
    processor: Any = Wav2Vec2Processor.from_pretrained(model)
    ours = task()
    codec = ours.codec(model)
    inputs = ours.samples(clips.parent).inputs
    features = codec.encode(inputs)
    expected = processor([*inputs], sampling_rate=16000, padding=True, return_tensors="np")
    assert {name: features[name].tolist() for name in codec.axes} == {
        name: array.tolist() for name, array in expected.items()
    }
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    Torch().build(Material(model, ours, clips.parent), artifact)
    results = Torch().load(artifact, ours, 1).infer(features)
    network: Any = Wav2Vec2ForCTC.from_pretrained(model)
    with torch.inference_mode():
        alone = network(**processor(inputs[2], sampling_rate=16000, return_tensors="pt")).logits
    path = alone.argmax(-1)
    (expected_text,) = processor.batch_decode(path)
    for special in ("<s>", "</s>", "<unk>"):
        expected_text = expected_text.replace(special, "")
    assert codec.decode(results, features)[2] == " ".join(expected_text.split())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert", "WavLM"])
@pytest.mark.parametrize("int8", [None, "dynamic"])
def test_normalised_weights_are_saved_and_loaded(
    clips: Path, tmp_path: Path, kind: str, int8: Literal["dynamic"] | None
) -> None:
    import torch
    import transformers

    model = wav2vec2(tmp_path / "model", kind)
    ours = task()
    features = ours.codec(model).encode(ours.samples(clips.parent).inputs)
    library: Any = transformers
    network = getattr(library, f"{kind}ForCTC").from_pretrained(model).eval()
    tensors = {
        name: torch.from_numpy(features[name]) for name in ("input_values", "attention_mask")
    }
    with torch.inference_mode():
        expected = network(**tensors).logits.numpy()
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    evidence = Torch(int8=int8).build(Material(model, ours, clips.parent), artifact)
    assert bool(int8) is ("quantized_modules" in evidence)
    results = Torch(int8=int8).load(artifact, ours, 1).infer(features)
    # The other weights differ from those of an artifact by rounding to int8.
    tolerance = 0.05 if int8 else 1e-6
    assert np.abs(results - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore")
def test_the_best_path_has_no_blanks_repeats_and_padding(tmp_path: Path) -> None:
    codec = CtcCodec(wav2vec2(tmp_path / "model"), 16000)
    path = [5, 5, 0, 5, 4, 4, 6, 2, 7, 7]
    results = np.eye(len(LETTERS))[[path, path]]
    # Two convolutions leave (((samples - 10) // 5 + 1) - 3) // 4 + 1 steps.
    features = {"samples": [200, 110]}
    assert codec.decode(results, features) == ["AA BC", "AA"]
    results[0, 3] = np.nan
    assert codec.decode(results, features)[0] is None


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_another_rate_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"requires 8000 Hz, but the task has 16000 Hz: set rate=8000"
    ):
        CtcCodec(wav2vec2(tmp_path / "model", sampling_rate=8000), 16000)
    (tmp_path / "model/vocab.json").unlink()
    with pytest.raises(UserError, match="has no processor that transformers can read"):
        CtcCodec(tmp_path / "model", 8000)


@pytest.mark.filterwarnings("ignore")
def test_words_that_the_model_cannot_write_are_named(tmp_path: Path) -> None:
    model = wav2vec2(tmp_path / "model")
    lower = Samples([0], ["one, two"])
    with pytest.raises(UserError, match="without ','"):
        task().check(lower, task().codec(model))
    with pytest.raises(UserError, match='differ in case only: set normalization="basic"'):
        task().check(Samples([0], ["one two"]), task().codec(model))
    basic = task(normalization="basic")
    basic.check(Samples([0], ["one two"]), basic.codec(model))
    with pytest.raises(UserError, match="without 'é'"):
        basic.check(Samples([0], ["é"]), basic.codec(model))


@pytest.mark.filterwarnings("ignore")
def test_normalized_words_and_outputs_are_compared(clips: Path, tmp_path: Path) -> None:
    basic = task(normalization="basic")
    assert basic.samples(clips.parent).references == ["one", "two three", "four"]
    codec: Any = basic.codec(wav2vec2(tmp_path / "model"))
    assert codec.decode(np.eye(len(LETTERS))[[[5, 4, 6]]], {"samples": [2000]}) == ["a b"]
    assert basic.decoding["normalization"] == "basic"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Um, Mr. Smith's got 12,000 colours.", "mister smith has got 12000 colours"),
        ("I won't pay twenty-five dollars [laughs]!", "i will not pay $25"),
        ("Hmm.", ""),
    ],
)
def test_the_english_normaliser_is_that_of_whisper(text: str, expected: str) -> None:
    english = task(normalization="english", data=[{"text": text, "audio_filepath": (TONE, 16000)}])
    assert english.samples(Path()).references == [expected]


@pytest.mark.filterwarnings("ignore")
def test_english_words_are_compared_with_outputs_of_letters(tmp_path: Path) -> None:
    english = task(normalization="english")
    codec: Any = english.codec(wav2vec2(tmp_path / "model"))
    letters = [LETTERS.index(letter) for letter in "TEN|UM"]
    assert codec.decode(np.eye(len(LETTERS))[[letters]], {"samples": [2000]}) == ["10"]
    english.check(Samples([0], ["10 mister"]), codec)
    with pytest.raises(UserError, match="without 'ж'"):
        english.check(Samples([0], ["ж"]), codec)


def test_the_english_normaliser_needs_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers.models.whisper.english_normalizer", None)
    english = task(normalization="english", data=[{"text": "a", "audio_filepath": (TONE, 16000)}])
    with pytest.raises(UserError, match=r'"english" needs: pip install "pytest-infperf\[torch\]"'):
        english.samples(Path())


def test_an_unknown_normalization_is_refused() -> None:
    with pytest.raises(UserError, match=r'normalization="English" must be one of none, basic, eng'):
        task(normalization="English")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("changed", [{"beams": 2}, {"translate": True}])
def test_settings_of_whisper_are_refused_for_other_models(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"model is a CTC model: remove beams and translate"):
        task(**changed).codec(wav2vec2(tmp_path / "model"))
