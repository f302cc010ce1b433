"""Whisper variants, compared with transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import (
    BuildError,
    CTranslate2,
    Onnx,
    OpenVino,
    SpeechRecognition,
    Torch,
    UserError,
)
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.samples import Samples
from tests.tasks.tiny_whisper import FIRST, SPECIAL, tiny_whisper

pytestmark = pytest.mark.filterwarnings("ignore")

RATE = 16000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("whisper") / "model")


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("english") / "model", multilingual=False)


def sounds() -> list[Any]:
    noise = np.random.default_rng(0)
    return [noise.normal(size=size).astype(np.float32) / 10 for size in (16000, 30000, 30 * RATE)]


def task(**changed: Any) -> SpeechRecognition:
    rows = [{"audio": (sound, RATE), "text": "one"} for sound in sounds()]
    fields = {"data": rows, "language": "de", "max_new_tokens": 12, **changed}
    return SpeechRecognition(**fields)


def built(backend: Backend, ours: SpeechRecognition, model: Path, folder: Path) -> Any:
    """Return the runner of a variant, and the evidence of its artifact."""
    folder.mkdir()
    for_model = ours.for_model(model)
    source = None
    if start := backend.built_from():
        source = folder.with_name(f"{folder.name}-source")
        source.mkdir()
        start.build(Material(model, for_model, folder), source)
    evidence = backend.build(Material(model, for_model, folder, source), folder)
    return backend.load(folder, for_model, 1), evidence


def generated(model: Path, **options: Any) -> list[str]:
    """Return the texts that transformers generates."""
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    processor: Any = WhisperProcessor.from_pretrained(model)
    network: Any = WhisperForConditionalGeneration.from_pretrained(model)
    features = processor(sounds(), sampling_rate=RATE, return_tensors="pt").input_features
    with torch.inference_mode():
        tokens = network.generate(features, max_new_tokens=12, **options)
    return [text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True)]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("translate", [False, True])
def test_torch_writes_what_transformers_writes(
    model: Path, tmp_path: Path, beams: int, *, translate: bool
) -> None:
    ours = task(beams=beams, translate=translate, language="German")
    expected = generated(
        model, language="de", task="translate" if translate else "transcribe", num_beams=beams
    )
    runner, _ = built(Torch(), ours, model, tmp_path / "artifact")
    codec = ours.codec(model)
    features = codec.encode(sounds())
    assert codec.decode(runner.infer(features), features) == expected
    assert len({*expected}) == 3
    one = codec.encode(sounds()[1:2])
    assert codec.decode(runner.infer(one), one) == expected[1:2]


def test_the_pipeline_of_transformers_with_its_5_beams_writes_the_same(
    model: Path, tmp_path: Path
) -> None:
    from transformers import pipeline

    make: Any = pipeline
    expected = make("automatic-speech-recognition", model=str(model))(
        sounds()[0], generate_kwargs={"language": "de", "max_new_tokens": 12}
    )
    ours = task(beams=5)
    runner, _ = built(Torch(), ours, model, tmp_path / "artifact")
    codec = ours.codec(model)
    features = codec.encode(sounds()[:1])
    assert codec.decode(runner.infer(features), features) == [expected["text"].strip()]


def test_the_prompt_is_that_of_transformers(model: Path, english: Path) -> None:
    ids = {word: FIRST + i for i, word in enumerate(SPECIAL)}
    prompt = [ids[f"<|{word}|>"] for word in ("startoftranscript", "de", "translate")]
    codec: Any = task(translate=True).codec(model)
    assert codec.encode(sounds()[:1])["prompt"] == [*prompt, ids["<|notimestamps|>"]]
    codec = task(language=None).codec(english)
    assert codec.encode(sounds()[:1])["prompt"] == [prompt[0], ids["<|notimestamps|>"]]


def test_a_vocabulary_map_is_for_texts(model: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="transcribes speech: remove vmap"):
        built(CTranslate2(vmap="vmap.txt"), task(), model, tmp_path / "artifact")


def test_ctranslate2_writes_what_torch_writes(model: Path, tmp_path: Path) -> None:
    ours = task()
    codec = ours.codec(model)
    features = codec.encode(sounds())
    runner, evidence = built(CTranslate2(), ours, model, tmp_path / "artifact")
    assert codec.decode(runner.infer(features), features) == generated(model, language="de")
    assert evidence == {"quantization": "float32"}
    beams, _ = built(CTranslate2(), task(beams=3), model, tmp_path / "beams")
    assert codec.decode(beams.infer(features), features) == generated(
        model, language="de", num_beams=3, renormalize_logits=True
    )


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 60])
def test_ctranslate2_writes_as_many_tokens_as_asked(
    model: Path, tmp_path: Path, tokens: int
) -> None:
    ours = task(max_new_tokens=tokens)
    runner, _ = built(CTranslate2(), ours, model, tmp_path / "artifact")
    features = ours.codec(model).encode(sounds()[:1])
    assert len(runner.infer(features)[0]) == tokens


@pytest.mark.parametrize("backend", [Torch(int8="dynamic"), CTranslate2(int8=True)])
def test_int8_is_built_and_writes(model: Path, tmp_path: Path, backend: Backend) -> None:
    ours = task()
    runner, evidence = built(backend, ours, model, tmp_path / "artifact")
    features = ours.codec(model).encode(sounds())
    assert [len(tokens) for tokens in runner.infer(features)] == [12, 12, 12]
    assert "int8" in str(evidence["quantization"]) or evidence["quantized_modules"]
    assert runner.decoding == {
        "beams": 1,
        "max_new_tokens": 12,
        "language": "de",
        "task": "transcribe",
        "normalization": "none",
    }


def test_onnx_writes_what_torch_writes(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("optimum.onnxruntime")
    ours = task(beams=3)
    codec = ours.codec(model)
    features = codec.encode(sounds())
    runner, _ = built(Onnx(), ours, model, tmp_path / "artifact")
    expected = generated(model, language="de", num_beams=3)
    assert codec.decode(runner.infer(features), features) == expected
    int8, evidence = built(Onnx(int8="dynamic"), task(), model, tmp_path / "int8")
    assert [len(tokens) for tokens in int8.infer(features)] == [12, 12, 12]
    assert evidence["quantization"]["weights"] == "int8"


@pytest.mark.parametrize(
    "backend", [Onnx(fused=True), Onnx(int8="static"), OpenVino(), Torch(int8="static")]
)
def test_backends_that_cannot_run_whisper_are_refused_before_building(
    model: Path, tmp_path: Path, backend: Backend
) -> None:
    material = Material(model, task().for_model(model), tmp_path, tmp_path)
    with pytest.raises(
        BuildError, match=r"remove fused and int8|Use Onnx|generates token by token: use int8="
    ):
        backend.build(material, tmp_path)


@pytest.mark.parametrize("backend", [Torch(), CTranslate2()])
def test_a_model_of_one_language_needs_none(
    english: Path, tmp_path: Path, backend: Backend
) -> None:
    ours = task(language=None)
    runner, _ = built(backend, ours, english, tmp_path / "artifact")
    codec = ours.codec(english)
    features = codec.encode(sounds())
    assert codec.decode(runner.infer(features), features) == generated(english)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"language": None}, "has 2 languages: set that of the recordings, .* language='en'"),
        ({"language": "germann"}, "has no language 'germann'; did you mean 'german'?"),
        ({"language": "fr"}, "has no language 'fr'; it has de, en"),
        ({"max_new_tokens": 61}, "max_new_tokens=61: model generates at most 60 tokens"),
        ({"rate": 8000}, "requires 16000 Hz, but the task has 8000 Hz: set rate=16000"),
    ],
)
def test_what_the_model_cannot_do_is_named(
    model: Path, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        task(**changed).codec(model)


@pytest.mark.parametrize("changed", [{}, {"language": None, "translate": True}])
def test_a_model_of_one_language_refuses_others(english: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="is not multilingual: remove language and translate"):
        task(**changed).codec(english)


def test_recordings_over_30_s_are_named_before_a_model_is_built(model: Path) -> None:
    long = np.zeros(31 * RATE, np.float32)
    rows = [{"audio": (sound, RATE), "text": "one"} for sound in (sounds()[0], long, long)]
    ours = task(data=rows)
    codec: Any = ours.codec(model)
    ours.check(task().samples(Path()), codec)
    words = r"row 2: the recording is longer than the 30 s .*, and so are 1 others: split it"
    with pytest.raises(UserError, match=words):
        ours.check(ours.samples(Path()), codec)
    with pytest.raises(UserError, match="recording 1: the recording is longer"):
        ours.check(Samples([long], ["one"]), codec)
    with pytest.raises(UserError, match="a recording of 31 s is too long: the model reads 30 s"):
        codec.encode([long])


def test_requests_over_30_s_are_refused(model: Path) -> None:
    payload: Any = task().payload(task().codec(model))
    long = payload.ask([np.zeros(30 * RATE + 1)])
    with pytest.raises(ValueError, match="instance 0 is longer than 30 s"):
        payload.samples(long)
    assert len(payload.samples(payload.ask([np.zeros(30 * RATE)]))[0]) == 30 * RATE


@pytest.mark.parametrize("content", [None, "{}", "["])
def test_a_folder_without_settings_of_generation_is_named(
    model: Path, tmp_path: Path, content: str | None
) -> None:
    broken = tmp_path / "model"
    broken.mkdir()
    for path in model.iterdir():
        (broken / path.name).symlink_to(path)
    (broken / "generation_config.json").unlink()
    if content is not None:
        (broken / "generation_config.json").write_text(content)
    words = "generation_config.json must have decoder_start_token_id and no_timestamps_token_id"
    with pytest.raises(UserError, match=words):
        task().codec(broken)
    (broken / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match="has no processor that transformers can read"):
        task().codec(broken)


def test_other_models_that_write_speech_token_by_token_are_refused(tmp_path: Path) -> None:
    config = {"model_type": "moonshine", "is_encoder_decoder": True}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"is a moonshine, but Whisper"):
        task().codec(tmp_path)
