"""A variant in terms that a process of any checkout understands: what it is made of, by whom.

Drawn by the checkout that the variant belongs to, since its code is part of what an artifact
depends on; read by the run, which obtains the artifact and hires the worker.
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

from pytest_infperf.errors import UserError
from pytest_infperf.host.cpu import instruction_sets
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Backend, Threads
from pytest_infperf.suite.suite import Suite


@dataclass(frozen=True)
class Blueprint:
    """Of JSON's types, as it travels between processes."""

    variant_id: str
    default_id: str
    backend: Mapping[str, Any]
    """By `naming.describe`."""
    model: str
    """The folder of the model's files."""
    key: str
    """A hash of all that the artifact depends on."""
    threads: Threads
    cpus: tuple[int, ...] | None
    source: Blueprint | None
    """Of the artifact that this one is built from."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Blueprint:
        source, cpus = document["source"], document["cpus"]
        values = {
            **document,
            "cpus": None if cpus is None else tuple(cpus),
            "source": None if source is None else cls.from_document(source),
        }
        return cls(**values)

    def to_document(self) -> dict[str, Any]:
        return asdict(self)


def make_blueprint(suite: Suite, backend: Backend, model: Path) -> Blueprint:
    """Raises UserError when a distribution that the backend needs is not installed."""
    start_from = backend.built_from()
    source = make_blueprint(suite, start_from, model) if start_from else None
    facts = {
        "model": _model_digest(model),
        "recipe": backend.recipe(),
        "decoding": dict(suite.task.decoding),
        "source": source.key if source else None,
        "calibration": (
            suite.task.samples(suite.folder).inputs_digest() if backend.calibrates else None
        ),
        "code": _code_digest(type(backend)),
        "libraries": installed_versions(type(backend)),
        "instruction_sets": instruction_sets(),
    }
    threads = suite.threads_of(backend)
    return Blueprint(
        variant_id=backend.variant_id,
        default_id=backend.default_id,
        backend=naming.describe(backend),
        model=str(model),
        key=hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24],
        threads=threads,
        cpus=backend.cpus,
        source=source,
    )


def installed_versions(backend: type[Backend]) -> dict[str, str]:
    """Of what a backend requires. Raises UserError for a distribution that is not installed."""
    found = {}
    for name in backend.requires:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            needed = f'"pytest-infperf[{backend.extra}]"' if backend.extra else name
            raise UserError(
                f"{backend.__name__} needs {name}, which is not installed: pip install {needed}"
            ) from None
    return found


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache
def _model_digest(model: Path) -> str:
    files = [path for path in sorted(model.rglob("*")) if path.is_file()]
    digests = [(str(path.relative_to(model)), file_digest(path)) for path in files]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


@lru_cache
def _code_digest(backend: type[Backend]) -> str:
    """Of the module that builds, and of its neighbours when it stands in a package."""
    module = Path(inspect.getfile(backend))
    in_package = (module.parent / "__init__.py").exists()
    sources = sorted(module.parent.rglob("*.py")) if in_package else [module]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
