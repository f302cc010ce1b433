"""Writes paragraphs and tables as text for a terminal, with rich."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_infperf.records.record import Record
from pytest_infperf.report.characters import printable
from pytest_infperf.report.terminal.layout import Layout, column_texts
from pytest_infperf.report.terminal.problems import Problem

STYLES = {
    "pass": "green",
    "FAIL": "bold red",
    "inconclusive": "yellow",
    "inconcl.": "yellow",
    "INCONCLUSIVE": "bold yellow",
    "error": "magenta",
    "ERROR": "bold magenta",
    "NOT FINITE": "bold red",
    "SLOWER": "yellow",
    "RETRIED": "yellow",
}
"""Style of the words for verdicts and kinds of problems."""
INDENT = "    "


class Writer:
    """Collects the lines of a report.

    Environment variables and the kind of terminal do not affect width and colour.
    """

    def __init__(self, width: int, colour: bool, unicode: bool) -> None:
        self.width = width
        self._unicode = unicode
        self._written = io.StringIO()
        self._console = Console(
            file=self._written,
            width=width,
            height=100,
            force_terminal=colour,
            color_system="standard" if colour else None,
            force_jupyter=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            _environ={},
        )

    def sanitize(self, text: str) -> str:
        return printable(text, unicode=self._unicode)

    def text(self) -> str:
        """Return the written text without trailing spaces."""
        return "\n".join(line.rstrip() for line in self._written.getvalue().splitlines())

    def blank_line(self) -> None:
        self._console.print()

    def heading(self, text: str) -> None:
        for line in self._wrapped(text):
            self._print(Text(line, "bold"))

    def note(self, text: str) -> None:
        for line in self._wrapped(text, later_indent=INDENT):
            self._print(Text(line))

    def problem(self, problem: Problem) -> None:
        first, *more = self._wrapped(f"{problem.word} {problem.headline}", later_indent=INDENT)
        headline = Text(first)
        headline.stylize(STYLES[problem.word], 0, len(problem.word))
        self._print(headline)
        for remark in problem.remarks:
            more += self._wrapped(remark, first_indent=INDENT, later_indent=INDENT)
        for line in more:
            self._print(Text(line))

    def tables(self, layout: Layout, records: Sequence[Record]) -> None:
        """Write the tables of a layout, with a row per record."""
        for number, columns in enumerate(layout.tables):
            if number:
                self.blank_line()
            table = _empty_table(rule="─" if self._unicode else "-")
            texts_by_column = [column_texts(column, records, self.sanitize) for column in columns]
            for column, (header, *_) in zip(columns, texts_by_column, strict=True):
                is_id = column.key == "variant"
                width = layout.id_width if is_id else cell_len(header)
                table.add_column(header, width=width, no_wrap=not is_id, overflow="fold")
            for row in zip(*(texts for _, *texts in texts_by_column), strict=True):
                table.add_row(*(Text(text, STYLES.get(text.strip(), "")) for text in row))
            self._console.print(table)

    def _wrapped(self, text: str, *, first_indent: str = "", later_indent: str = "") -> list[str]:
        """Return the lines, broken only between words so that names and paths can be copied."""
        return textwrap.wrap(
            self.sanitize(text),
            self.width,
            initial_indent=first_indent,
            subsequent_indent=later_indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


def _empty_table(rule: str) -> Table:
    blank = "    \n"
    return Table(
        box=Box(f"{blank * 2} {rule * 2} \n{blank * 5}", ascii=rule.isascii()),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
