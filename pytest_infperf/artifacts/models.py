"""The folder of a model's files, from a path or a hub id such as `Helsinki-NLP/opus-mt-zh-en`."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_infperf.errors import UserError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_WEIGHTS_OF_OTHER_FRAMEWORKS = ("tf_*", "rust_*", "flax_*", "onnx/*", "openvino/*", "*.md")


def locate(model: str, folder: Path) -> Path:
    """Return the model's folder: one relative to `folder`, or a snapshot from the hub or its cache.

    Raises UserError if neither exists; the message says what to do.
    """
    local = folder / model
    if local.is_dir():
        return local.resolve()
    if not _HUB_ID.fullmatch(model):
        raise UserError(
            f"the model folder {local} does not exist, and {model!r} is not a hub id (owner/name)"
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise UserError(
            f"{model!r} is not a folder in {folder}, and fetching it from the hub needs "
            'huggingface_hub: pip install "pytest-infperf[torch]"'
        ) from error
    try:
        return Path(snapshot_download(model, ignore_patterns=list(_WEIGHTS_OF_OTHER_FRAMEWORKS)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"cannot get the model {model!r}: the folder {local} does not exist, the model is not "
            f"in the local hub cache, and the hub cannot be reached ({type(error).__name__}). Run "
            f"`hf download {model}` on a machine with network access and copy its cache (HF_HOME), "
            "or name a folder with the model's files in the suite"
        ) from error
