"""Decode HTTP/1.1's chunked transfer coding (RFC 9112, section 7.1). Pure: bytes in, the body's bytes out.

    decoder.feed(b"5\\r\\nI see\\r\\n4\\r\\n a c\\r\\n2\\r\\na")  ->  b"I see a ca"
    decoder.feed(b"t\\r\\n0\\r\\n\\r\\n")                     ->  b"t", and decoder.ended

A model server sends each token as a chunk of its own; what one read of the network brings comes out as one piece,
which is why this is here and h11's is not used (`transport` says what that costs). As strict as h11: a size is at
most 16 hexadecimal digits, a line ends with CRLF, extensions and trailers are skipped and bounded.
"""

import re

MAX_LINE_BYTES = 4096
"""The longest line with a chunk's size and extensions, and the longest trailer."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


class ChunkedError(ValueError):
    """The bytes are not chunked coding."""


class ChunkedDecoder:
    """Takes the chunks' frames away. `ended` after the last chunk and its trailer."""

    def __init__(self) -> None:
        self.ended = False
        self._left = 0
        self._frame = b""
        self._after_data = False
        self._trailer_bytes = -1

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the body that came. What follows the end is ignored. Raises ChunkedError."""
        buffer, at, pieces = self._frame + data, 0, list[bytes]()
        self._frame = b""
        while at < len(buffer) and not self.ended:
            if self._left:
                piece = buffer[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._after_data = not self._left
                continue
            end = buffer.find(b"\n", at) + 1
            if not end:
                if len(buffer) - at > MAX_LINE_BYTES:
                    raise ChunkedError("a line without end")
                self._frame = buffer[at:]
                break
            self._take(buffer[at:end])
            at = end
        return b"".join(pieces)

    def _take(self, line: bytes) -> None:
        """Read one whole line between two chunks."""
        if len(line) > MAX_LINE_BYTES or not line.endswith(b"\r\n"):
            raise ChunkedError("no line of a frame")
        if self._trailer_bytes >= 0:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > MAX_LINE_BYTES:
                raise ChunkedError("a trailer without end")
            self.ended = line == b"\r\n"
        elif self._after_data:
            if line != b"\r\n":
                raise ChunkedError("a chunk longer than its size")
            self._after_data = False
        else:
            size = _SIZE.fullmatch(line)
            if not size:
                raise ChunkedError("no size of a chunk")
            self._left = int(size[1], 16)
            if not self._left:
                self._trailer_bytes = 0
