"""Extensions of pytest-infperf by another package, of the fictitious company Acme."""

from acme_inference.backend import Acme
from acme_inference.metric import LengthRatio
from acme_inference.task import Mirroring

__all__ = ["Acme", "LengthRatio", "Mirroring"]
