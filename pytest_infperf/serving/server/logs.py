"""The log of a server: one JSON object a line on stderr."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any


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
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {
            "infperf": {"handlers": ["stderr"], "level": level},
            "uvicorn.access": {"level": "CRITICAL"},  # `log_request` logs each request
            "uvicorn": {"handlers": ["stderr"], "level": level},
        },
    }


def log_request(fields: Mapping[str, Any]) -> None:
    """Log one request with its fields."""
    logging.getLogger("infperf.request").info("request", extra=dict(fields))
