"""Where a model's files are: a folder, or a hub id such as `Helsinki-NLP/opus-mt-zh-en`."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_infperf.errors import UserError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_WEIGHTS_OF_OTHER_FRAMEWORKS = ("tf_*", "rust_*", "flax_*", "onnx/*", "openvino/*", "*.md")


def locate(model: str, folder: Path) -> Path:
    """The model's folder: relative to the suite's, or a snapshot from the hub or its local cache.

    Raises UserError when there is neither, saying what to do.
    """
    local = folder / model
    if local.is_dir():
        return local.resolve()
    if not _HUB_ID.fullmatch(model):
        raise UserError(
            f"there is no model folder {local}, and {model!r} is no hub id (owner/name)"
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise UserError(
            f"{model!r} is no folder in {folder}, and to fetch it from the hub "
            'huggingface_hub is needed: pip install "pytest-infperf[torch]"'
        ) from error
    try:
        return Path(snapshot_download(model, ignore_patterns=list(_WEIGHTS_OF_OTHER_FRAMEWORKS)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"cannot get the model {model!r}: there is no folder {local}, it is not in the local "
            f"hub cache, and the hub cannot be reached ({type(error).__name__}). Run "
            f"`hf download {model}` on a machine with network and copy its cache (HF_HOME), "
            "or give the suite a folder with the model's files"
        ) from error
