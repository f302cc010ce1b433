"""A server whose model repeats the words of a prompt as tokens, and what tests read from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving.server.echo_server import Running

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"
SUITE = """
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from pytest_infperf import Echo, Fake, Suite, UserError
from pytest_infperf.tasks.echo import EchoCodec
from pytest_infperf.tasks.prompt_payload import PromptToText
from pytest_infperf.tasks.text_writer import TextWriter

FOLDER = Path(__file__).parent


class WordsCodec(EchoCodec):
    def encode(self, inputs, length=None):
        return [prompt if isinstance(prompt, str) else self.chat(prompt) for prompt in inputs]

    def chat(self, messages):
        if any(message["role"] == "broken" for message in messages):
            raise UserError("the role broken is not known")
        return " ".join(message["content"] for message in messages)

    def decode(self, results, features):
        return [text.partition("halt")[0] for text in results]

    def token_counts(self, results, features):
        return self.prompt_tokens(features), self.prompt_tokens(results)

    def prompt_tokens(self, features):
        return sum(len(text.split()) for text in features)

    def have_ended(self, results, features):
        return ["halt" in text for text in results]

    def writer(self):
        return TextWriter(" ".join, ["halt"])


@dataclass(frozen=True)
class Words(Echo):
    generates = True

    @property
    def decoding(self):
        return {"beams": 1, "max_new_tokens": 6, "stop_strings": '["halt"]'}

    def codec(self, model):
        return WordsCodec()

    def payload(self, codec):
        return PromptToText()


class Gated(Fake):
    def load(self, artifact, task, threads):
        runner = super().load(artifact, task, threads)
        stream = runner.stream

        def stream_when_open(features, receive):
            def receive_when_open(new):
                if new == ["bad"]:
                    raise ZeroDivisionError
                with (FOLDER / "tokens").open("a") as tokens:
                    tokens.write(new[0] + "\\n")
                receive(new)
                while (FOLDER / "closed").exists():
                    sleep(0.005)

            return stream(features, receive_when_open)

        runner.stream = stream_when_open
        return runner


suite = Suite("words", task=Words(count=3), model="model", variants=[
    Gated(id="streams"), Fake(id="whole", streams=False)])
"""
"""The variant `streams` writes down its tokens, stops after one while the file `closed` is there,
and fails at the token `bad`."""


@dataclass
class Words:
    """A server of the suite, and the folder of its files."""

    server: Running
    folder: Path

    def close(self) -> None:
        """Let the model stop after each token."""
        (self.folder / "tokens").write_text("")
        (self.folder / "closed").touch()

    def open(self) -> None:
        (self.folder / "closed").unlink(missing_ok=True)

    @property
    def tokens(self) -> list[str]:
        """The tokens since the model was closed."""
        return (self.folder / "tokens").read_text().split()


def completion(prompt: object, **settings: object) -> dict[str, object]:
    return {"model": "words", "prompt": prompt, **settings}


def chat(*contents: str, **settings: object) -> dict[str, object]:
    messages = [{"role": "user", "content": content} for content in contents]
    return {"model": "words", "messages": messages, **settings}


def events_of(body: str) -> list[Any]:
    """Return the objects of a stream of events, and the text `[DONE]`."""
    *events, rest = body.split("\n\n")
    assert rest == ""
    data = [event.removeprefix("data: ") for event in events]
    return [each if each == "[DONE]" else json.loads(each) for each in data]
