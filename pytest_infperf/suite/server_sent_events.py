"""Server-sent events, the format in which servers stream generated text.

The format is that of the HTML standard [1]_.

References
----------
.. [1] https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

_MARK = "\ufeff"
"""The byte order mark with which a stream may begin."""


class EventParser:
    """Parses a stream of events from pieces that may end anywhere, also within a character.

    Only the data of events is returned. Comments, and the types and ids of events, are ignored. An
    event ends with an empty line; without it, it is incomplete and is not returned.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._may_end_line = False

    def feed(self, piece: bytes) -> list[str]:
        r"""Return the data of the events that end in the next piece of the stream.

        Parameters
        ----------
        piece : bytes
            The next bytes. Lines end with ``\n``, ``\r\n`` or ``\r``.
        """
        if not piece:
            return []
        if self._may_end_line:  # the line feed of a \r\n that is cut in the middle
            piece = piece.removeprefix(b"\n")
        self._may_end_line = piece.endswith(b"\r")
        lines = (self._rest + piece).splitlines(keepends=True)
        self._rest = b"" if not lines or lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        events = []
        for line in lines:
            text = line.rstrip(b"\r\n").decode("utf-8", "replace").removeprefix(_MARK)
            name, _, value = text.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            elif not text and self._data:
                events.append("\n".join(self._data))
                self._data = []
        return events
