"""The JSON of the study's endpoint: the request describes a listing, the response is its score."""

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_infperf import Payload, UserError
from pytest_infperf.tasks.payloads import Text

SUSPICIOUS = "solicitation"
MAX_SENTENCES = 50
"""Number of sentences that are removed in turn; later ones are in all samples."""
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n\s*")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TransactionContext(Strict):
    transactionId: Annotated[str, Field(min_length=1, max_length=200)]


class Attributes(Strict):
    listingDescription: Text


class Listing(Strict):
    transactionContext: TransactionContext
    attributes: Attributes


class ScoreDetails(Strict):
    label: str


class Score(BaseModel):
    modelCode: str
    modelVersion: str
    refreshVersion: str
    probabilityScore: Annotated[float, Field(ge=0, le=1)]
    """Probability that the listing is a solicitation."""
    modelSegment: str
    topContributor: Annotated[
        str | None,
        Field(
            description="Null, as the models do not explain their scores, unless the server was "
            "set to occlusion: then the sentence without which probabilityScore changes most, of "
            f"the first {MAX_SENTENCES}. Occlusion takes a query of the model for each sentence."
        ),
    ]
    scoreDetails: ScoreDetails


class ListingPayload(Payload):
    """The payload of the study.

    Parameters
    ----------
    top_contributor : {"occlusion"}, optional
        How `topContributor` is found. "occlusion" removes each sentence in turn and returns the one
        whose removal changes the probability most (Zeiler and Fergus 2014). For two or more
        sentences, the model gets one more sample per sentence, which takes as many times as long.
        With None, it is null.

    Raises
    ------
    UserError
        If there is no such method.
    """

    request = Listing
    response = Score
    name = "listings"

    def __init__(self, top_contributor: Literal["occlusion"] | None = None) -> None:
        if top_contributor not in (None, "occlusion"):
            raise UserError(
                f"ListingPayload(top_contributor={top_contributor!r}): there is 'occlusion', or "
                "None for no explanation"
            )
        self._explains = top_contributor is not None

    def path(self, suite):
        return "/v1/listings:score"

    def samples(self, request):
        text = request.attributes.listingDescription
        others = [text[:start] + text[end:] for start, end in self._occluded(text)]
        return [text, *others]

    def respond(self, request, answers, about):
        answer, *others = answers
        return Score(
            modelCode=about.suite,
            modelVersion=about.variant,
            refreshVersion=about.version,
            probabilityScore=answer.probabilities[SUSPICIOUS],
            modelSegment="all",
            topContributor=self._top_contributor(request, answer, others),
            scoreDetails=ScoreDetails(label=answer.output),
        )

    def _occluded(self, text: str) -> list[tuple[int, int]]:
        """Return the position of each sentence to remove; none for a single sentence."""
        if not self._explains:
            return []
        ends = [match.end() for match in _BETWEEN_SENTENCES.finditer(text)]
        spans = pairwise([0, *ends, len(text)])
        sentences = [(start, end) for start, end in spans if text[start:end].strip()]
        return sentences[:MAX_SENTENCES] if len(sentences) > 1 else []

    def _top_contributor(self, request, answer, others) -> str | None:
        if not self._explains:
            return None
        text = request.attributes.listingDescription
        changes = [
            abs(answer.probabilities[SUSPICIOUS] - other.probabilities[SUSPICIOUS])
            for other in others
        ]
        spans = self._occluded(text) or [(0, len(text))]
        start, end = spans[changes.index(max(changes))] if changes else spans[0]
        return text[start:end].strip()

    def ask(self, samples):
        [text] = samples
        return Listing(
            transactionContext=TransactionContext(transactionId="load"),
            attributes=Attributes(listingDescription=text),
        )
