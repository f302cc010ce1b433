"""Quality of generated text as a user sees it: perplexity, divergence and agreement of tokens."""

from __future__ import annotations

import math

import pytest

from tests.plugin.small_project import Outcome, Project

SUITE = """
    from dataclasses import KW_ONLY, dataclass

    import numpy as np

    from pytest_infperf import Echo, Fake, Perplexity, Suite
    from pytest_infperf.tasks.echo import EchoCodec

    LETTERS = "abcd"


    class Letters(EchoCodec):
        def token_counts(self, results, features):
            return tuple(sum(map(len, texts)) for texts in (features, results))

        def output_ids(self, results, features):
            return [list(map(ord, text)) for text in results]


    @dataclass(frozen=True)
    class Spelling(Echo):
        generates = True
        perplexity = Perplexity("text.txt", window=4, stride=2)

        def codec(self, model):
            return Letters()

        def windows(self, codec, folder):
            text = (folder / self.perplexity.text).read_text().strip()
            return self.perplexity.windows(list(map(LETTERS.index, text)), range(1, 1 + len(text)))


    @dataclass(frozen=True)
    class Guess(Fake):
        '''Expects the next letter of the alphabet with the probability `right`.'''

        _: KW_ONLY
        right: float

        def load(self, artifact, task, threads):
            runner = super().load(artifact, task, threads)
            runner.log_probabilities = self.log_probabilities
            return runner

        def log_probabilities(self, sequences):
            return [np.log([self.row(letter) for letter in ids]) for ids in sequences]

        def row(self, letter):
            row = np.full(4, (1 - self.right) / 3, np.float32)
            row[(letter + 1) % 4] = self.right
            return row


    suite = Suite(
        "words",
        task=Spelling(count=40),
        model="../../model",
        baseline="half",
        variants=[
            Guess(id="half", right=0.5),
            Guess(id="quarter", right=0.25, wrong=0.5),
            Guess(id="broken", right=1.0),
            Fake(id="blind"),
        ],
    )
"""
TEXT = "abcd" * 5 + "aaa"
RIGHT, WRONG = 20, 2
"""Numbers of letters that follow the alphabet and that do not, without the first letter."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    project = Project(tmp_path_factory.mktemp("words"), tmp_path_factory.mktemp("cache"))
    project.suite(SUITE, "suites/words")
    project.write("suites/words/text.txt", TEXT)
    project.tests(
        "def test_quality(variant): variant.quality(batch=8).check()", "suites/words/test_words.py"
    )
    project.thresholds(
        """
        [words.gates]
        perplexity = { max = 3.0 }
        [words.variants.quarter]
        perplexity = { max_ratio = 1.5 }
        bits_per_byte = { max_ratio = 3.0 }
        kl_divergence = { max = 0.1 }
        token_agreement = { min = 0.8 }
        first_difference = { min = 9 }
        """
    )
    return project.measure("suites/words", "--infperf-full")


def values(outcome: Outcome, variant: str) -> dict[str, float]:
    measures = outcome.record(variant, "words")["measures"]
    return {name: measure["value"] for name, measure in measures.items()}


def nats(right: float) -> float:
    """Return the mean negative log-likelihood of a letter."""
    return -(RIGHT * math.log(right) + WRONG * math.log((1 - right) / 3)) / (RIGHT + WRONG)


def test_values_are_those_of_the_distributions(measured: Outcome) -> None:
    half, quarter = values(measured, "half"), values(measured, "quarter")
    assert half["perplexity"] == pytest.approx(math.exp(nats(0.5)))
    assert half["bits_per_byte"] == pytest.approx(nats(0.5) / math.log(2))
    assert quarter["perplexity"] == pytest.approx(math.exp(nats(0.25))) == pytest.approx(4)
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert quarter["kl_divergence"] == pytest.approx(by_hand, rel=1e-3)
    assert quarter["token_agreement"] == 0.75
    assert quarter["first_difference"] == len("sample 10")
    assert not {"kl_divergence", "token_agreement", "first_difference"} & set(half)
    signatures = measured.record("half", "words")["evidence"]["signatures"]
    assert signatures["perplexity"] == "text.txt; window 4, stride 2; 11 of 11 windows"


def test_a_variant_that_guesses_breaks_its_gates(measured: Outcome) -> None:
    assert measured.outcomes() == {
        "test_quality[half]": "passed",
        "test_quality[quarter]": "failed",
        "test_quality[broken]": "failed",
        "test_quality[blind]": "failed",
    }
    gates = measured.record("quarter", "words")["gates"]
    assert {gate["measure"]: gate["verdict"] for gate in gates} == {
        "perplexity": "fail",
        "bits_per_byte": "pass",
        "kl_divergence": "fail",
        "token_agreement": "fail",
        "first_difference": "pass",
    }
    message = measured.message("test_quality[quarter]")
    ratio = math.exp(nats(0.25) - nats(0.5))
    assert f"perplexity {ratio:.2f}x of the baseline's is above the limit of 1.50x (11 w" in message
    assert "kl_divergence 0.144 nats is above the limit of 0.1 nats (11 windows)" in message
    assert "token_agreement 75.0 % is below the limit of 80.0 % (40 samples)" in message


def test_what_cannot_be_scored_never_passes(measured: Outcome) -> None:
    broken = measured.message("test_quality[broken]")
    assert "FAIL words[broken] perplexity: the probabilities of 11 of 11 windows" in broken
    blind = measured.message("test_quality[blind]")
    assert "INCONCLUSIVE words[blind] perplexity was not measured" in blind
    assert "the backend of blind does not return probabilities of tokens" in blind


def test_a_limit_without_a_text_names_the_remedy(project: Project) -> None:
    project.thresholds("[echo.gates]\nperplexity = { max = 9 }\n")
    outcome = project.measure()
    assert outcome.ret == 4
    assert "perplexity: needs a task with a text for perplexity" in outcome.words
    assert "TextGeneration(perplexity=Perplexity(" in outcome.words
