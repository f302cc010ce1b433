"""What Acme, who wrote no line of pytest-infperf, adds to it."""

from acme_inference.backend import Acme
from acme_inference.metric import LengthRatio
from acme_inference.task import Mirroring

__all__ = ["Acme", "LengthRatio", "Mirroring"]
