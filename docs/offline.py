"""Check that a built site loads nothing from the network: `python -m docs.offline site`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_REMOTE = re.compile(r"^\s*(https?:)?//")
_REMOTE_IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")
_LOADED_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload"}


class _Resources(HTMLParser):
    """Collects the addresses from which a page loads scripts, styles, pictures and frames."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._in_style = tag == "style"
        if tag == "link" and not _LOADED_LINKS & set((given.get("rel") or "").split()):
            return
        names = ("href",) if tag == "link" else ("src", "srcset", "data", "poster")
        self.addresses += [value for name in names if (value := given.get(name))]
        self.addresses += _REMOTE_IN_CSS.findall(given.get("style") or "")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.addresses += _REMOTE_IN_CSS.findall(data)


def remote_resources(site: Path) -> Iterator[str]:
    """Yield a line for each address of another host from which a file of the site loads."""
    for page in sorted(site.rglob("*.html")):
        parser = _Resources()
        parser.feed(page.read_text("utf-8"))
        for address in parser.addresses:
            if _REMOTE.match(address):
                yield f"{page.relative_to(site)} loads {address}"
    for style in sorted([*site.rglob("*.css"), *site.rglob("*.svg")]):
        for address in _REMOTE_IN_CSS.findall(style.read_text("utf-8")):
            yield f"{style.relative_to(site)} loads {address}"


if __name__ == "__main__":
    found = list(remote_resources(Path(sys.argv[1])))
    sys.exit("\n".join(found) if found else 0)
