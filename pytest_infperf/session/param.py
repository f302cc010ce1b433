"""The parameter `variant` of a test."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_infperf.run.configured import ConfiguredSuite


@dataclass(frozen=True)
class VariantParam:
    """The parameter `variant` of one test."""

    configured: ConfiguredSuite
    variant_id: str
    node_type: str | None = None
    """The type of the node for the variant; None for this host."""

    def __str__(self) -> str:
        """Return the text for tables and files of pytest-benchmark."""
        return self.id

    @property
    def id(self) -> str:
        """The part of the test's id: the variant, and the node type unless it is this host."""
        return f"{self.variant_id}@{self.node_type}" if self.node_type else self.variant_id

    @property
    def key(self) -> tuple[str, str]:
        """The names of suite and variant, as in `Run.records`."""
        return self.configured.suite.name, self.variant_id
