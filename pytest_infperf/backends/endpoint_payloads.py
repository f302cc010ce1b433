"""What an endpoint is asked, and where in its answer the outputs are."""

from __future__ import annotations

import base64
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from pytest_infperf.errors import UserError

_STEP = re.compile(r"\[(\d+|\*)\]|([^.\[\]]+)")
_PATH = re.compile(r"((^|\.)[^.\[\]]+|\[(\d+|\*)\])+")


class EndpointPayload(ABC):
    """The form of the requests to an `Endpoint`, and of its answers.

    Subclasses are frozen dataclasses whose fields have JSON's types, or are classes and functions
    at the top of a module, because a worker receives them by name and value.
    """

    @property
    def takes_batches(self) -> bool:
        """Whether one request carries all samples of a query; otherwise each has its own."""
        return True

    @abstractmethod
    def body(self, inputs: Sequence[Any]) -> Any:
        """Return the body of a request in JSON's types.

        Parameters
        ----------
        inputs : sequence
            Inputs of the task; one if the payload takes no batches.
        """

    @abstractmethod
    def outputs(self, answer: Any) -> list[Any]:
        """Return the outputs in an answer, one per input.

        Parameters
        ----------
        answer : Any
            The body of the response, read as JSON.

        Raises
        ------
        ValueError
            If the answer has another form.
        """


@dataclass(frozen=True)
class KServeV1(EndpointPayload):
    """KServe's V1 protocol, also of TensorFlow Serving and of `infperf serve`.

    The request is ``{"instances": [...]}`` and the answer ``{"predictions": [...]}``, with one of
    each per sample.

    Parameters
    ----------
    instance : str, optional
        The key of the input in an instance, such as `text` for ``{"text": ...}``; None sends the
        input itself.
    answer : str, default ""
        The path to the output in a prediction, such as `label`; empty takes the prediction itself.

    Raises
    ------
    UserError
        If `answer` is not a path.

    Examples
    --------
    >>> from pytest_infperf import KServeV1
    >>> KServeV1(answer="label").outputs({"predictions": [{"label": "good"}]})
    ['good']
    """

    _: KW_ONLY
    instance: str | None = None
    answer: str = ""

    def __post_init__(self) -> None:
        _check_path("KServeV1", self.answer, may_be_empty=True)

    def body(self, inputs: Sequence[Any]) -> Any:
        values = [in_json(value) for value in inputs]
        if self.instance is None:
            return {"instances": values}
        return {"instances": [{self.instance: value} for value in values]}

    def outputs(self, answer: Any) -> list[Any]:
        path = "predictions[*]"
        return _list_at(answer, f"{path}.{self.answer}" if self.answer else path)


@dataclass(frozen=True)
class KServeV2(EndpointPayload):
    """KServe's V2 protocol (Open Inference Protocol), also of Triton and of MLServer.

    A query is one tensor with a row per sample. The answer's tensor has a row per sample too; rows
    with several values become lists.

    Parameters
    ----------
    input : str
        The name of the input tensor.
    output : str, optional
        The name of the output tensor; None takes the only one.
    datatype : str, optional
        The type of the input, such as `FP32`; None takes BYTES for texts, BOOL, INT64 or FP64.

    Examples
    --------
    >>> from pytest_infperf import KServeV2
    >>> KServeV2("text").body(["good"])["inputs"]
    [{'name': 'text', 'shape': [1], 'datatype': 'BYTES', 'data': ['good']}]
    """

    input: str
    _: KW_ONLY
    output: str | None = None
    datatype: str | None = None

    def body(self, inputs: Sequence[Any]) -> Any:
        rows = [in_json(value) for value in inputs]
        shape = _shape(rows)
        data = _flat(rows)
        datatype = self.datatype or _datatype(data)
        tensor = {"name": self.input, "shape": shape, "datatype": datatype, "data": data}
        wanted = [] if self.output is None else [{"name": self.output}]
        return {"inputs": [tensor], **({"outputs": wanted} if wanted else {})}

    def outputs(self, answer: Any) -> list[Any]:
        tensors = _list_at(answer, "outputs[*]")
        names = [tensor.get("name") if isinstance(tensor, dict) else None for tensor in tensors]
        wanted = self.output
        if wanted is None and len(tensors) == 1:
            wanted = names[0]
        if wanted is None or names.count(wanted) != 1:
            raise ValueError(f"it has the outputs {names}: name one with KServeV2(output=...)")
        tensor = tensors[names.index(wanted)]
        shape, data = at_path(tensor, "shape"), _flat(_list_at(tensor, "data[*]"))
        if not isinstance(shape, list) or not shape or not all(type(n) is int for n in shape):
            raise ValueError(f"the shape of the output {wanted} is {shape!r}")
        size = 1
        for count in shape[1:]:
            size *= count
        if len(data) != shape[0] * size:
            raise ValueError(f"the output {wanted} has {len(data)} values and the shape {shape}")
        if len(shape) == 1:
            return data
        return [_reshaped(data[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]


@dataclass(frozen=True)
class _OneSample(EndpointPayload):
    @property
    def takes_batches(self) -> bool:
        return False


@dataclass(frozen=True)
class OpenAIChat(_OneSample):
    """OpenAI's chat completions, also of vLLM, Ollama, TGI and llama.cpp, without streaming.

    A request carries one sample, so a query with a batch is as many requests, one after the other
    on one connection. The output is the text of the first choice without the white space around it.

    Parameters
    ----------
    model : str
        The name of the model.
    prompt : str, default "$input"
        The message of the user, in which ``$input`` stands for the input.
    system : str, optional
        The message of the system.
    more : mapping, optional
        Further keys of the request, such as ``{"max_tokens": 64, "temperature": 0}``.

    Raises
    ------
    UserError
        If the prompt has no ``$input``.

    Examples
    --------
    >>> from pytest_infperf import OpenAIChat
    >>> OpenAIChat("tiny", prompt="Translate: $input").body(["hola"])["messages"]
    [{'role': 'user', 'content': 'Translate: hola'}]
    """

    model: str
    _: KW_ONLY
    prompt: str = "$input"
    system: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_prompt("OpenAIChat", self.prompt)

    def body(self, inputs: Sequence[Any]) -> Any:
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        user = {"role": "user", "content": self.prompt.replace("$input", _text(inputs[0]))}
        return {"model": self.model, "messages": [*system, user], **self.more}

    def outputs(self, answer: Any) -> list[Any]:
        return [_text_at(answer, "choices[0].message.content")]


@dataclass(frozen=True)
class OpenAICompletions(_OneSample):
    """OpenAI's completions of a prompt, without streaming.

    A request carries one sample, so a query with a batch is as many requests, one after the other
    on one connection. The output is the text of the first choice without the white space around it.

    Parameters
    ----------
    model : str
        The name of the model.
    prompt : str, default "$input"
        The prompt, in which ``$input`` stands for the input.
    more : mapping, optional
        Further keys of the request, such as ``{"max_tokens": 64, "temperature": 0}``.

    Raises
    ------
    UserError
        If the prompt has no ``$input``.

    Examples
    --------
    >>> from pytest_infperf import OpenAICompletions
    >>> OpenAICompletions("tiny", more={"max_tokens": 8}).body(["once"])
    {'model': 'tiny', 'prompt': 'once', 'max_tokens': 8}
    """

    model: str
    _: KW_ONLY
    prompt: str = "$input"
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_prompt("OpenAICompletions", self.prompt)

    def body(self, inputs: Sequence[Any]) -> Any:
        prompt = self.prompt.replace("$input", _text(inputs[0]))
        return {"model": self.model, "prompt": prompt, **self.more}

    def outputs(self, answer: Any) -> list[Any]:
        return [_text_at(answer, "choices[0].text")]


@dataclass(frozen=True)
class PydanticPayload(EndpointPayload):
    """A pair of pydantic models of your own.

    Parameters
    ----------
    request, response : type of pydantic.BaseModel
        The models of the bodies. Answers that `response` does not validate are errors.
    to_request : callable
        Takes the input, or the list of inputs with `batches`, and returns a `request`.
    to_output : callable
        Takes a `response` and returns the output, or the list of outputs with `batches`.
    batches : bool, default False
        Whether a request carries all samples of a query. Otherwise a query with a batch is as many
        requests, one after the other on one connection.

    Notes
    -----
    Workers import classes and functions by their names, so they are defined at the top of a module,
    such as suite.py; a lambda is not.

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
                f"PydanticPayload: to_request returned {type(request).__name__}, and the request "
                f"is {self.request.__name__}"
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
        inside a longer text by a text. With ``"$inputs"`` the list of inputs takes its place, and a
        request carries all samples of a query; otherwise a query with a batch is as many requests,
        one after the other on one connection.
    answer : str
        The path to the output, such as `result.items[0].label`. With ``"$inputs"`` it leads to a
        list with one output per input, such as `scores` or `items[*].label`. Empty takes the whole
        answer.

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
        _check_path("JsonTemplate", self.answer, may_be_empty=True)
        one = any("$input" in text.replace("$inputs", "") for text in _texts(self.template))
        if one == self.takes_batches:
            raise UserError(
                'JsonTemplate: the template needs either "$input", for one sample per request, or '
                '"$inputs", for the list of all samples of a query'
            )

    @property
    def takes_batches(self) -> bool:
        return any(text == "$inputs" for text in _texts(self.template))

    def body(self, inputs: Sequence[Any]) -> Any:
        return _filled(self.template, [in_json(value) for value in inputs])

    def outputs(self, answer: Any) -> list[Any]:
        if not self.takes_batches:
            return [at_path(answer, self.answer)]
        return _list_at(answer, self.answer)


def in_json(value: Any) -> Any:
    """Return an input in JSON's types.

    Arrays become nested lists; bytes, and images as PNG, become texts in base64.

    Raises UserError if there is no such form.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): in_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [in_json(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if type(value).__module__.startswith("PIL."):
        file = io.BytesIO()
        value.save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode("ascii")
    if type(value).__module__ == "numpy":
        return value.tolist()
    raise UserError(
        f"an input of type {type(value).__name__} has no form in JSON: let the task read texts, "
        "numbers, arrays, images or bytes, or send it with PydanticPayload(to_request=...)"
    )


def at_path(answer: Any, path: str) -> Any:
    """Return the value at a path, such as `items[*].label`.

    Raises ValueError if there is none, or if it is null.
    """
    steps = [key or (place if place == "*" else int(place)) for place, key in _STEP.findall(path)]
    return _followed(answer, steps, "")


def _followed(value: Any, steps: Sequence[str | int], where: str) -> Any:
    if value is None:
        raise ValueError(f"{where or 'it'} is null")
    if not steps:
        return value
    step, *others = steps
    place = f"{where}[{step}]" if isinstance(step, int) or step == "*" else f"{where}.{step}"
    place = place.removeprefix(".")
    if step == "*" and isinstance(value, list):
        return [_followed(item, others, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(step, int) and isinstance(value, list) and step < len(value):
        return _followed(value[step], others, place)
    if isinstance(step, str) and isinstance(value, dict) and step in value:
        return _followed(value[step], others, place)
    raise ValueError(f"it has no {place}")


def _list_at(answer: Any, path: str) -> list[Any]:
    found = at_path(answer, path)
    if not isinstance(found, list):
        raise ValueError(f"{path or 'it'} is no list")
    if None in found:
        raise ValueError(f"{path or 'it'}[{found.index(None)}] is null")
    return found


def _text_at(answer: Any, path: str) -> str:
    found = at_path(answer, path)
    if not isinstance(found, str):
        raise ValueError(f"{path} is no text")
    return found.strip()


def _check_path(owner: str, path: str, *, may_be_empty: bool) -> None:
    if not (_PATH.fullmatch(path) or (may_be_empty and not path)):
        raise UserError(
            f"{owner}(answer={path!r}): that is no path; write keys and positions, such as "
            '"result.items[0].label"'
        )


def _check_prompt(owner: str, prompt: str) -> None:
    if "$input" not in prompt:
        raise UserError(f"{owner}(prompt={prompt!r}): the prompt has no $input for the input")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UserError(
            f"an input of type {type(value).__name__} is no text, which this payload sends: "
            "use JsonTemplate or PydanticPayload"
        )
    return value


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
        return template.replace("$input", _text(inputs[0]))
    return template


def _shape(rows: Any) -> list[int]:
    shape = []
    while isinstance(rows, list):
        shape.append(len(rows))
        lengths = {len(row) if isinstance(row, list) else -1 for row in rows}
        if len(lengths) > 1:
            raise UserError(
                "KServeV2: the samples of a query differ in shape, which one tensor cannot have: "
                "measure with batch=1, or use another payload"
            )
        rows = rows[0] if rows else None
    return shape


def _flat(values: list[Any]) -> list[Any]:
    if not any(isinstance(value, list) for value in values):
        return values
    return [
        leaf for value in values for leaf in _flat(value if isinstance(value, list) else [value])
    ]


def _reshaped(data: list[Any], shape: Sequence[int]) -> Any:
    if len(shape) == 1:
        return data
    size = len(data) // shape[0] if shape[0] else 0
    return [_reshaped(data[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]


def _datatype(data: Sequence[Any]) -> str:
    kinds = {type(value) for value in data}
    for kind, datatype in ((str, "BYTES"), (bool, "BOOL"), (int, "INT64")):
        if kinds == {kind}:
            return datatype
    if kinds <= {int, float}:
        return "FP64"
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise UserError(f"KServeV2: one tensor cannot have {names}: use another payload")
