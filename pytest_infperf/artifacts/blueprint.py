"""The description of a variant, which is valid in the processes of all checkouts.

It is made in the variant's own checkout, because an artifact depends on the code there. The run
uses it to obtain the artifact and to start the worker.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pytest_infperf.artifacts.models import files_of
from pytest_infperf.errors import UserError
from pytest_infperf.host import interpreter
from pytest_infperf.host.cpu import instruction_sets
from pytest_infperf.host.interpreter import Interpreter
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Backend, Threads
from pytest_infperf.suite.calibration import calibration_inputs
from pytest_infperf.suite.samples import inputs_digest
from pytest_infperf.suite.suite import Suite


@dataclass(frozen=True)
class Blueprint:
    """The inputs of a variant's build, and the settings of its worker."""

    variant_id: str
    """Id of the variant in its suite."""
    default_id: str
    """Id that the backend derives from its settings, part of the artifact's name."""
    backend: Mapping[str, Any]
    """Description of the backend, made by `naming.describe`."""
    model: str
    """Folder of the model's files; empty for a variant without a model."""
    key: str
    """Hash of everything that the artifact depends on."""
    threads: Threads
    """Number of threads, "best", or None for the default of the runtime."""
    cpus: tuple[int, ...] | None
    """Cores to which the worker is pinned; None for all."""
    source: Blueprint | None
    """Blueprint of the artifact from which this one is built, if any."""
    builder: str | None = None
    """Name of the builder: one process may build all blueprints of one builder in sequence. None if
    the build needs its own process."""
    is_remote: bool = False
    """Whether the variant is an endpoint, which has no artifact."""
    python: str | None = None
    """Path of the interpreter that builds and runs the variant; None for that of the run."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Blueprint:
        """Return the blueprint of a document from `to_document`, possibly after JSON."""
        source, cpus = document["source"], document["cpus"]
        values = {
            **document,
            "cpus": None if cpus is None else tuple(cpus),
            "source": None if source is None else cls.from_document(source),
        }
        return cls(**values)

    def to_document(self) -> dict[str, Any]:
        """Return the blueprint in JSON's types."""
        return asdict(self)


def make_blueprint(
    suite: Suite, backend: Backend, model: Path | None, environments: Path | None = None
) -> Blueprint:
    """Return the blueprint of a variant; `model` is the folder of its model's files, if any.

    Paths of interpreters are relative to `environments`, by default the suite's folder.

    Raises UserError if an interpreter, a distribution or a file that the backend needs is missing.
    """
    other = None
    if backend.interpreter:
        path = interpreter.find(backend.interpreter, environments or suite.folder)
        other = interpreter.interpreter_at(path)
    return _blueprint(suite, backend, model, other)


def _blueprint(
    suite: Suite, backend: Backend, model: Path | None, other: Interpreter | None
) -> Blueprint:
    """Return the blueprint of a variant or of an artifact that it is built from."""
    source_backend = backend.built_from()
    source = _blueprint(suite, source_backend, model, other) if source_backend else None
    facts = {
        "model": None if model is None else _model_digest(model),
        "files": [file_digest(path) for path in backend.files(model or suite.folder, suite.folder)],
        "recipe": backend.recipe(),
        "decoding": dict(suite.task.decoding),
        "source": source.key if source else None,
        "calibration": (
            inputs_digest(calibration_inputs(suite.task, suite.folder))
            if backend.calibrates
            else None
        ),
        "inputs": (
            suite.task.samples(suite.folder).inputs_digest()
            if _codec_reads_inputs(suite, backend)
            else None
        ),
        "code": _code_digest(type(backend)),
        "libraries": installed_versions(type(backend), other),
        "instruction_sets": instruction_sets(),
    }
    return Blueprint(
        variant_id=backend.variant_id,
        default_id=backend.default_id,
        backend=naming.describe(backend),
        model="" if model is None else str(model),
        key=hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24],
        threads=suite.threads_of(backend),
        cpus=backend.cpus,
        source=source,
        builder=_builder(backend, model, other),
        is_remote=backend.is_remote,
        python=other.path if other else None,
    )


def _builder(backend: Backend, model: Path | None, other: Interpreter | None) -> str | None:
    """Return the name of a variant's builder; None if it or the model's code has side effects."""
    if not backend.leaves_no_trace:
        return None
    code = model if model and any(model.glob("*.py")) else ""
    return f"{other.path if other else ''} {code}".strip()


def _codec_reads_inputs(suite: Suite, backend: Backend) -> bool:
    """Return whether the codec of a variant is derived from the samples."""
    return not (suite.task.reads_model or backend.answers_inputs)


def installed_versions(backend: type[Backend], other: Interpreter | None = None) -> dict[str, str]:
    """Return the versions of the distributions that a backend requires or can use.

    They are those of another interpreter's environment, if one is given.

    Raises UserError if a required distribution is not installed.
    """
    version_of = other.version_of if other else _version_here
    found = {name: version_of(name) for name in (*backend.requires, *backend.optional)}
    for name in backend.requires:
        if found[name] is None:
            package = f'"pytest-infperf[{backend.extra}]"' if backend.extra else name
            pip = f"{other.path} -m pip" if other else "pip"
            raise UserError(
                f"{backend.__name__} needs {name}, which is not installed: {pip} install {package}"
            )
    return {name: known for name, known in found.items() if known}


def _version_here(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache
def _model_digest(model: Path) -> str:
    digests = [(str(path.relative_to(model)), file_digest(path)) for path in files_of(model)]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


@lru_cache
def _code_digest(backend: type[Backend]) -> str:
    """Return the hash of the backend's module, or of its package if it is in one."""
    module = Path(inspect.getfile(backend))
    in_package = (module.parent / "__init__.py").exists()
    sources = sorted(module.parent.rglob("*.py")) if in_package else [module]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
