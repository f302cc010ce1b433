"""Questions on the terminal, with the detected value as the default answer."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_infperf.errors import UserError


@dataclass(frozen=True)
class Questions:
    """Answers from options, from the terminal, or from detected values."""

    asks: bool
    """Whether to ask the user for values without an option."""

    def answer(
        self, given: str | None, question: str, option: str, found: str | None = None
    ) -> str:
        """Return the value of an option, else the user's answer, else the detected value.

        Raises UserError if there is none.
        """
        if given:
            return given
        if not self.asks:
            if found:
                return found
            raise UserError(f"{option} is missing ({question})")
        prompt = f"{question} [{found}]: " if found else f"{question}: "
        try:
            while not (text := input(prompt).strip() or found or ""):
                pass
        except EOFError:
            raise UserError(f"{option} is missing ({question})") from None
        return text
