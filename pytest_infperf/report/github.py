"""GitHub Actions: the summary of a job, and annotations at the lines of thresholds.toml.

Workflow commands and their escapes are described in GitHub Docs, Workflow commands for GitHub
Actions. The file in GITHUB_STEP_SUMMARY is limited to 1 MiB of Markdown per step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_infperf.records.record import RunRecord, Verdict
from pytest_infperf.report import markdown
from pytest_infperf.report.problems import variant_name

_MAX_SUMMARY_BYTES = 1024**2
_COMMANDS = {Verdict.FAIL: "error", Verdict.INCONCLUSIVE: "warning"}


def write_summary(run: RunRecord, environment: Mapping[str, str]) -> str | None:
    """Append a run to the summary of the job, if there is a job.

    Returns
    -------
    str or None
        Why the summary could not be written; None if it was, or if there was nothing to write.
    """
    path = environment.get("GITHUB_STEP_SUMMARY")
    if not path or not (summary := markdown.summary(run)):
        return None
    free = _MAX_SUMMARY_BYTES - (Path(path).stat().st_size if Path(path).exists() else 0)
    if len(summary.encode()) > free:
        summary = "Inference: the results are too long for this summary; see the job's log.\n"
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary)
    except OSError as error:
        return f"the job's summary was not written: {path}: {error.strerror or error}"
    return None


def workflow_commands(run: RunRecord, root: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield an annotation for each gate that did not pass, at its line, and for each error.

    Yields nothing outside GitHub Actions. Sources of gates are relative to `root`.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    workspace = Path(environment.get("GITHUB_WORKSPACE") or root)
    for record in run.records:
        title = variant_name(record)
        for gate in record.gates:
            if command := _COMMANDS.get(gate.verdict):
                file, _, line = gate.source.rpartition(":")
                path = root / file
                name = path.relative_to(workspace) if path.is_relative_to(workspace) else path
                where = f"file={_property(str(name))},line={line}," if line.isdecimal() else ""
                yield annotation(command, title, f"{gate.why} {gate.remedy}".strip(), where)
        for error in record.errors:
            yield annotation("error", title, error)


def annotation(command: str, title: str, message: str, where: str = "") -> str:
    """Return a workflow command, `error` or `warning`, with its values escaped."""
    return f"::{command} {where}title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
