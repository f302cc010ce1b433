"""What a server writes: a JSON object a line on stderr."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any


def log_settings(lines: bool) -> dict[str, Any]:
    """For logging.config: what went wrong, and with `lines` every request."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "%(asctime)s %(levelname)s %(name)s %(process)d %(message)s",
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {
            "infperf": {"handlers": ["stderr"], "level": "INFO" if lines else "WARNING"},
            "uvicorn.access": {"level": "CRITICAL"},  # each request has a line of ours
            "uvicorn": {"handlers": ["stderr"], "level": "INFO" if lines else "WARNING"},
        },
    }


def log_request(facts: Mapping[str, Any]) -> None:
    logging.getLogger("infperf.request").info("request", extra=dict(facts))
