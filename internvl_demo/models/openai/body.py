"""Build the body of a chat request, and send it without ever holding it whole.

A turn may carry sixteen photos of several megabytes. As one JSON text they would be 64 MB that `json` writes in one
go, for a second in which nobody else's page moves. So the JSON is written with a mark where each photo belongs, and
the photos are put into their places while the body is sent, a slice at a time:

    files = {photo.id: ("image/png", b"...")}
    marks = PhotoMarks(files)
    body = marks.body({"messages": messages_of(conversation, marks.urls)})      body.length, and async iteration

`EncodedPhotos` keeps the files of the last photos, bounded in bytes: a conversation sends all of its photos with
every turn. Files are read and pixels encoded in threads.
"""

import asyncio
import json
import uuid
from base64 import b64encode
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping

from internvl_demo.photos.photo import Photo, file_of

KEPT_BYTES = 96 * 2**20
"""Files kept between turns: a few dozen 4K photos."""

_SLICE_BYTES = 3 * 2**16
"""How much of a file is written as base64 at a time; a multiple of 3, so that no padding stands in the middle."""

File = tuple[str, bytes]
"""MIME type and content."""


class EncodedPhotos:
    """Photos as files without metadata; the longest unused go when all are over `limit_bytes`."""

    def __init__(self, limit_bytes: int):
        self._limit_bytes = limit_bytes
        self._files: OrderedDict[tuple[str, bool], File] = OrderedDict()
        self._bytes = 0

    async def of(self, photo: Photo, *, webp: bool = True) -> File:
        """Return a photo's file; read or encoded in a thread, unless it is kept. Raises PhotoError.

        webp: whether it may be a WebP file.
        """
        key = (photo.id, webp)
        if key not in self._files:
            file = await asyncio.to_thread(file_of, photo, webp=webp)
            if len(file[1]) > self._limit_bytes:
                return file
            self._drop(key)  # a second asker may have been quicker
            self._files[key] = file
            self._bytes += len(file[1])
        self._files.move_to_end(key)
        file = self._files[key]
        while self._bytes > self._limit_bytes:
            self._drop(next(iter(self._files)))
        return file

    def _drop(self, key: tuple[str, bool]) -> None:
        if file := self._files.pop(key, None):
            self._bytes -= len(file[1])


class PhotoMarks:
    """Data URLs in which a mark, which no text can hold by chance, stands for the photo's content."""

    def __init__(self, files: Mapping[str, File]):
        self._mark = uuid.uuid4().hex
        self._contents = [content for _, content in files.values()]
        self.urls = {
            photo_id: f"data:{mime};base64,{self._mark}{number}{self._mark}"
            for number, (photo_id, (mime, _)) in enumerate(files.items())
        }

    def body(self, fields: Mapping[str, object]) -> "ChatBody":
        """Return the fields as JSON, with the photos' content where their marks are."""
        text = json.dumps(
            fields, ensure_ascii=False, separators=(",", ":")
        )  # as the openai package writes it
        texts_and_numbers = text.split(self._mark)
        return ChatBody(
            [
                self._contents[int(part)] if at % 2 else part.encode("utf-8", "replace")
                for at, part in enumerate(texts_and_numbers)
            ]
        )


class ChatBody:
    """A request's body: JSON text and photo files in turn; iterates over its bytes, as often as it is asked to."""

    def __init__(self, parts: list[bytes]):
        self._parts = parts

    def clear(self) -> None:
        """Let go of the photos' files."""
        self._parts = []

    @property
    def length(self) -> int:
        """How many bytes the iteration yields."""
        return sum((len(part) + 2) // 3 * 4 if at % 2 else len(part) for at, part in enumerate(self._parts))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at, part in enumerate(self._parts):
            if at % 2 == 0:
                yield part
                continue
            content = memoryview(part)
            for start in range(0, len(part), _SLICE_BYTES):
                yield b64encode(content[start : start + _SLICE_BYTES])
