"""Write the pictures of the documentation and the outputs in tutorial.md from real runs.

`python -m docs.pictures` needs the extra `examples` and Chromium, and takes some minutes.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
TUTORIAL = DOCS / "tutorial.md"
IMAGES = DOCS / "images"
DATA = ROOT / "examples/csv_classifier/messages.csv"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
COLUMNS = 110
MAX_BYTES = 150_000
"""The maximum size of a picture."""

_NOT_RUN = ("pip ", "python -m venv")
"""The beginnings of commands that install."""
_FENCE = re.compile(r"^```(?P<language>\w+)(?: .*)?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_LEFT_OUT = re.compile(r"infperf \d+/\d+ ·|benchmark: |rootdir: |plugins: |platform |infperf page:")
_SESSION_OF_PYTEST = re.compile(
    r"^=+ test session starts =+$.*?^=+ [^\n]*passed[^\n]* =+$", re.M | re.S
)
_BROKEN = re.compile(r"^FAIL ", re.M)
_BENCHMARK_TABLE = re.compile(r"^-+ benchmark .*?(?=^=+ )", re.M | re.S)
_SVG = """\
<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="100%" height="100%" rx="6" fill="#292929"/>
<g transform="translate(8, 8)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""
"""Rich's own format loads a font from the network."""


@dataclass
class Walk:
    """The steps of a page, carried out in an empty folder: files are written, commands are run."""

    folder: Path
    outputs: list[str] = field(default_factory=list)
    """The output of each block of commands, with colours."""

    def run(self, page: str) -> str:
        """Carry out the steps, and return the page with its outputs replaced.

        A block of Python code begins with its path as a comment. A block of text after commands is
        their output.

        Raises
        ------
        RuntimeError
            If a command cannot be run.
        """
        return _FENCE.sub(self._step, page)

    def _step(self, block: re.Match[str]) -> str:
        text = block["text"]
        if block["language"] == "python":
            path = self.folder / text.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif block["language"] == "console":
            lines = re.sub(r" \\\n *", " ", text).splitlines()
            commands = [line[2:] for line in lines if line.startswith("$ ")]
            runnable = [
                line for line in commands if not line.startswith(("pip ", "python -m venv"))
            ]
            self.outputs.append("".join(self._output(command) for command in runnable))
        elif block["language"] == "text":
            return f"```text\n{shortened(self.outputs[-1])}\n```"
        return block[0]

    def _output(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{command} exited with {done.returncode}:\n{done.stdout}")
        return done.stdout


def environment() -> dict[str, str]:
    """Return the environment of the commands: this checkout, a fixed width, colours."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    author = {
        f"GIT_{who}_{what}": "infperf"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return os.environ | author | {
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": str(COLUMNS),
        "PYTEST_ADDOPTS": "--color=yes",
        "FORCE_COLOR": "1",
        **{f"GIT_{who}_NAME": "You" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "you@example.com" for who in ("AUTHOR", "COMMITTER")},
    }  # fmt: skip


def shortened(output: str) -> str:
    """Return an output without colours, progress, pytest's header and pytest-benchmark's table."""
    text = _ANSI.sub("", output).replace("\r", "\n")
    if "wrote suites/" in text:  # infperf init runs pytest itself
        text = _SESSION_OF_PYTEST.sub("[...]", text)
    return _joined(_BENCHMARK_TABLE.sub("", text).splitlines())


def _joined(lines: list[str]) -> str:
    """Return lines that are kept, with at most one empty line between two of them."""
    kept = [line.rstrip() for line in lines if not _LEFT_OUT.match(_ANSI.sub("", line))]
    text = re.sub(r"\n(?=[.F]+( +\[100%\])?$)", " ", "\n".join(kept), flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def terminal_picture(output: str, path: Path, title: str) -> None:
    """Write the part of an output from its inference section on as an SVG picture."""
    from rich.console import Console
    from rich.terminal_theme import MONOKAI
    from rich.text import Text

    lines = output.splitlines()
    plain = [_ANSI.sub("", line) for line in lines]
    start = next(i for i, line in enumerate(plain) if re.match(r"=+ inference =+", line))
    end = next((i for i, line in enumerate(plain) if re.match(r"-+ benchmark ", line)), len(lines))
    last = next(i for i in reversed(range(len(plain))) if plain[i].startswith("==="))
    shown = _joined([*lines[start + 1 : end], "", *lines[last : last + 1]])
    console = Console(record=True, width=COLUMNS + 4, file=io.StringIO(), force_terminal=True)
    console.print(f"$ {title}\n", highlight=False, markup=False)
    console.print(Text.from_ansi(shown), "\n")
    path.write_text(console.export_svg(code_format=_SVG, theme=MONOKAI, unique_id="t"), "utf-8")


def page_picture(page: Path, path: Path, height: int, dark: bool = False) -> None:
    """Write the top of a page as a WebP picture.

    Raises
    ------
    RuntimeError
        If Chromium is not installed.
    """
    from PIL import Image

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RuntimeError(f"none of {', '.join(BROWSERS)} is installed")
    shot = page.with_suffix(".png")
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         *["--blink-settings=preferredColorScheme=0"] * dark, "--virtual-time-budget=3000",
         f"--window-size=1280,{height}", f"--screenshot={shot}", page.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    with Image.open(shot) as image:
        image.convert("RGB").save(path, quality=80, method=6)


def tutorial(folder: Path) -> None:
    """Carry out the tutorial, and write its outputs and the picture of the caught regression.

    Raises
    ------
    RuntimeError
        If the regression is not caught, or the repair does not pass, as the host is too busy.
    """
    shutil.copy(DATA, folder)
    walk = Walk(folder)
    page = walk.run(TUTORIAL.read_text("utf-8"))
    caught = next((each for each in walk.outputs if _BROKEN.search(_ANSI.sub("", each))), None)
    if caught is None:
        raise RuntimeError(f"the slowdown was not caught; the last run:\n{walk.outputs[-1]}")
    if " failed" in _ANSI.sub("", walk.outputs[-1]):
        raise RuntimeError(f"the repair does not pass on this host now:\n{walk.outputs[-1]}")
    TUTORIAL.write_text(page, "utf-8")
    terminal_picture(
        caught, IMAGES / "regression.svg", "pytest --infperf --infperf-against HEAD suites/spam"
    )


def example(folder: Path) -> None:
    """Measure the example of a classifier, and write the pictures of its table and its report."""
    report = folder / "report.html"
    command = f"pytest --infperf examples/csv_classifier --infperf-html {report}"
    output = Walk(ROOT)._output(f"{command} --infperf-cache {folder / 'cache'}")
    terminal_picture(output, IMAGES / "terminal.svg", "pytest --infperf examples/csv_classifier")
    page_picture(report, IMAGES / "report.webp", 1100)
    page_picture(report, IMAGES / "report-dark.webp", 1100, dark=True)


def main() -> None:
    """Write all pictures, or those that the arguments name: tutorial, example."""
    made = {"tutorial": tutorial, "example": example}
    IMAGES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or made:
        with tempfile.TemporaryDirectory() as folder:
            made[name](Path(folder))
    for picture in IMAGES.iterdir():
        size = picture.stat().st_size
        sys.stdout.write(f"{picture.relative_to(ROOT)} {size / 1000:.0f} kB\n")
        if size > MAX_BYTES:
            sys.exit(f"{picture} is larger than {MAX_BYTES / 1000:.0f} kB")


if __name__ == "__main__":
    main()
