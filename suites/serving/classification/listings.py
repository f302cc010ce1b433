"""The JSON of the study's endpoint: the description of a listing in, the score of a model out."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pytest_infperf import Payload
from pytest_infperf.tasks.payloads import Text

SUSPICIOUS = "solicitation"


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
    topContributor: str | None
    """Null, because the models do not explain their scores."""
    scoreDetails: ScoreDetails


class ListingPayload(Payload):
    request = Listing
    response = Score
    name = "listings"

    def path(self, suite):
        return "/v1/listings:score"

    def samples(self, request):
        return [request.attributes.listingDescription]

    def respond(self, request, answers, about):
        [answer] = answers
        return Score(
            modelCode=about.suite,
            modelVersion=about.variant,
            refreshVersion=about.version,
            probabilityScore=answer.probabilities[SUSPICIOUS],
            modelSegment="all",
            topContributor=None,
            scoreDetails=ScoreDetails(label=answer.output),
        )

    def ask(self, samples):
        [text] = samples
        return Listing(
            transactionContext=TransactionContext(transactionId="load"),
            attributes=Attributes(listingDescription=text),
        )
