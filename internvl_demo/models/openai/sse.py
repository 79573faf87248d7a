"""Decode server-sent events as the WHATWG specifies them. Pure: bytes in, the data of each event out.

    decoder.feed(b'data: {"a": 1}\\n\\n: comment\\n\\ndata: [DO')  ->  [b'{"a": 1}']
    decoder.feed(b'NE]\\r\\n\\r\\n')                              ->  [b'[DONE]']

Lines end with LF, CRLF or CR; the bytes may be cut anywhere, between CR and LF, too. An event ends with an empty
line; several `data` lines of one event are joined with LF. Comments and the fields `event`, `id` and `retry` say
nothing about an answer and are skipped. What has not ended when the stream does is no event.

Strategy: all lines of one feed are split at once; only a line that has not ended is kept, in pieces, so that a long
one costs what its bytes cost. Not here: what the data means (`completion`).
"""

MAX_EVENT_BYTES = 2**20
"""The longest event, unfinished line included. A token's is some 300 bytes."""

_BOM = b"\xef\xbb\xbf"


class EventTooLongError(ValueError):
    """An event goes on beyond `MAX_EVENT_BYTES`."""


class EventDecoder:
    """Collects bytes until events are complete."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES):
        self._max_event_bytes = max_event_bytes
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._line_bytes = self._data_bytes = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of every event that these bytes complete. Raises EventTooLongError."""
        if self._after_cr and data:
            data, self._after_cr = data.removeprefix(b"\n"), False
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        lines = data.splitlines(keepends=True)  # of bytes: LF, CRLF and CR, nothing else
        rest = b"" if lines[-1].endswith((b"\n", b"\r")) else lines.pop()
        events: list[bytes] = []
        for line in lines:
            if self._line:
                line = b"".join((*self._line, line))
                self._line, self._line_bytes = [], 0
            self._take(line.rstrip(b"\r\n"), events)
        if rest:
            self._line.append(rest)
            self._line_bytes += len(rest)
            self._check_length()
        return events

    def _take(self, line: bytes, events: list[bytes]) -> None:
        """Read one whole line, without its end."""
        if self._at_start:
            line, self._at_start = line.removeprefix(_BOM), False
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data, self._data_bytes = [], 0
        elif line.startswith(b"data:") or line == b"data":
            self._data.append(line[5:].removeprefix(b" "))
            self._data_bytes += len(line)
            self._check_length()

    def _check_length(self) -> None:
        if self._line_bytes + self._data_bytes > self._max_event_bytes:
            raise EventTooLongError(f"an event of more than {self._max_event_bytes} bytes")
