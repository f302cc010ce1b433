"""A survey of a suite in this worker's checkout: blueprints of its variants, and metrics."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.artifacts import models
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.errors import UserError
from pytest_infperf.metrics import metric
from pytest_infperf.suite import naming
from pytest_infperf.suite.call import FunctionMissing, address_of
from pytest_infperf.worker import messages


def survey(request: messages.Survey) -> messages.Surveyed:
    """Return the blueprint of each variant of a suite, or the reason why it has none.

    If the suite is made by a function that does not exist in this checkout, it has no variants.
    """
    try:
        suite = address_of(request.suite).load()
    except FunctionMissing:
        return messages.Surveyed({}, {}, [], [])
    ids = set(suite.variant_ids)
    added = [naming.restore(description) for description in request.more_backends]
    suite = suite.with_variants([backend for backend in added if backend.variant_id not in ids])
    blueprints, unable = {}, {}
    borrowed: list[str] = []
    for backend in suite.variants:
        name = suite.model_of(backend)
        folder, beside = suite.folder, Path(request.models_beside)
        if name and not (folder / name).is_dir() and (beside / name).is_dir():
            folder = beside
            if name not in borrowed:
                borrowed.append(name)
        try:
            model = None if name is None else models.locate(name, folder, backend.model_files)
            blueprint = make_blueprint(suite, backend, model, beside)
            blueprints[backend.variant_id] = blueprint.to_document()
        except UserError as error:
            unable[backend.variant_id] = str(error)
    metrics = [metric(chosen).name for chosen in suite.task.metrics]
    return messages.Surveyed(blueprints, unable, metrics, borrowed)
