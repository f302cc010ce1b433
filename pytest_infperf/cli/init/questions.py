"""Questions on the terminal, with what was found as the answer that Enter gives."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_infperf.errors import UserError


@dataclass(frozen=True)
class Questions:
    """Answers from options, from the terminal, or from what was found."""

    asks: bool
    """Whether the user is asked about what no option says."""

    def answer(
        self, given: str | None, question: str, option: str, found: str | None = None
    ) -> str:
        """Return what an option says, else the user's answer, else what was found.

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
