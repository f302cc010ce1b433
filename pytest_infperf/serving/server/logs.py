"""The log of a server: one JSON object per line on stderr."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is answered in this context; empty outside of requests."""


class _InRequest(logging.Filter):
    """Adds the id of the request to records, and removes uvicorn's copy with escape codes."""

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record).pop("color_message", None)
        if request_id := REQUEST_ID.get():
            record.request_id = request_id
        return True


def log_settings(requests: bool) -> dict[str, Any]:
    """Return the settings for logging.config: warnings, and with `requests` every request."""
    level = "INFO" if requests else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "format": "%(asctime)s %(levelname)s %(name)s %(process)d %(message)s",
            }
        },
        "filters": {"request": {"()": _InRequest}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["request"],
            }
        },
        "loggers": {
            "infperf": {"handlers": ["stderr"], "level": level},
            "uvicorn.access": {"level": "CRITICAL"},  # `log_request` logs each request
            "uvicorn": {"handlers": ["stderr"], "level": level},
        },
    }


def log_request(fields: Mapping[str, Any]) -> None:
    """Log one request with its fields."""
    logging.getLogger("infperf.request").info("request", extra=dict(fields))
