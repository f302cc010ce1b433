"""Custom requests and responses: pydantic models, or JSON with placeholders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pytest_infperf.backends.endpoint_json import (
    at_path,
    check_path,
    in_json,
    list_at,
    text,
)
from pytest_infperf.backends.endpoint_payload import EndpointPayload
from pytest_infperf.errors import UserError


@dataclass(frozen=True)
class PydanticPayload(EndpointPayload):
    """Your own pair of pydantic models.

    Parameters
    ----------
    request, response : type of pydantic.BaseModel
        The models of the bodies. Responses that `response` does not validate are errors.
    to_request : callable
        Function from the input, or from the list of inputs with `batches`, to a `request`.
    to_output : callable
        Function from a `response` to the output, or to the list of outputs with `batches`.
    batches : bool, default False
        Whether a request has all samples of a query. Otherwise, the samples of a batch are sent
        one after another on one connection.

    Notes
    -----
    Workers import classes and functions by name, so they must be defined at the top level of a
    module, such as suite.py. Lambdas do not work.

    Examples
    --------
    ::

        class Question(BaseModel):
            text: str

        class Reply(BaseModel):
            label: str

        def ask(text): return Question(text=text)
        def label(reply): return reply.label

        payload = PydanticPayload(Question, Reply, to_request=ask, to_output=label)
    """

    request: type[Any]
    response: type[Any]
    _: KW_ONLY
    to_request: Callable[[Any], Any]
    to_output: Callable[[Any], Any]
    batches: bool = False

    @property
    def takes_batches(self) -> bool:
        return self.batches

    def body(self, inputs: Sequence[Any]) -> Any:
        request = self.to_request(list(inputs) if self.batches else inputs[0])
        if not isinstance(request, self.request):
            raise UserError(
                f"PydanticPayload: to_request returned {type(request).__name__}, but must return "
                f"{self.request.__name__}"
            )
        return request.model_dump(mode="json", by_alias=True)

    def outputs(self, answer: Any) -> list[Any]:
        from pydantic import ValidationError

        try:
            response = self.response.model_validate(answer)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(
                f"it is no {self.response.__name__}: {place}: {first['msg']}"
            ) from None
        output = self.to_output(response)
        return list(output) if self.batches else [output]


@dataclass(frozen=True)
class JsonTemplate(EndpointPayload):
    """Any JSON, with a placeholder for the input and a path to the output.

    Parameters
    ----------
    template : Any
        The body of a request. A value ``"$input"`` in it is replaced by the input, and ``$input``
        inside a longer text by the input as text. A value ``"$inputs"`` is replaced by the list of
        all inputs of a query. With ``$input``, the samples of a batch are sent one after another
        on one connection.
    answer : str
        The path to the output, such as `result.items[0].label`. With ``"$inputs"``, it leads to a
        list with one output per input, such as `scores` or `items[*].label`. Empty means the whole
        response.

    Raises
    ------
    UserError
        If the template has neither placeholder or both, or `answer` is not a path.

    Examples
    --------
    >>> from pytest_infperf import JsonTemplate
    >>> payload = JsonTemplate({"query": {"text": "$input"}}, answer="result[0].label")
    >>> payload.body(["fine"])
    {'query': {'text': 'fine'}}
    >>> payload.outputs({"result": [{"label": "good"}]})
    ['good']
    """

    template: Any
    answer: str

    def __post_init__(self) -> None:
        check_path("JsonTemplate", self.answer, may_be_empty=True)
        one = any("$input" in text.replace("$inputs", "") for text in _texts(self.template))
        if one == self.takes_batches:
            raise UserError(
                'JsonTemplate: the template must contain either "$input", for one sample per '
                'request, or "$inputs", for the list of all samples of a query'
            )

    @property
    def takes_batches(self) -> bool:
        return any(text == "$inputs" for text in _texts(self.template))

    def body(self, inputs: Sequence[Any]) -> Any:
        return _filled(self.template, [in_json(value) for value in inputs])

    def outputs(self, answer: Any) -> list[Any]:
        if not self.takes_batches:
            return [at_path(answer, self.answer)]
        return list_at(answer, self.answer)


def _texts(template: Any) -> list[str]:
    """Return the texts in a template, except for keys."""
    if isinstance(template, str):
        return [template]
    if isinstance(template, Mapping):
        template = list(template.values())
    if isinstance(template, list | tuple):
        return [text for inner in template for text in _texts(inner)]
    return []


def _filled(template: Any, inputs: list[Any]) -> Any:
    if isinstance(template, Mapping):
        return {key: _filled(value, inputs) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(value, inputs) for value in template]
    if template == "$inputs":
        return inputs
    if template == "$input":
        return inputs[0]
    if isinstance(template, str) and "$input" in template:
        return template.replace("$input", text(inputs[0]))
    return template
