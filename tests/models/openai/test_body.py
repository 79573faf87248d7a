"""A request's body: the same JSON as if it had been written at once, in small parts, with files kept in bounds."""

import asyncio
import base64
import gc
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import PhotoError
from internvl_demo.models.openai import backend as server_module
from internvl_demo.models.openai import body as body_module
from internvl_demo.models.openai.body import EncodedPhotos, File, PhotoMarks
from internvl_demo.photos.photo import Photo
from tests.support.scripted_server import (
    EVENTS,
    GREEDY,
    SILENCE,
    TEXT,
    backend_of,
    in_a_loop,
    picture,
    serving,
)


def written(marks: PhotoMarks, fields: dict[str, object]) -> tuple[list[bytes], int]:
    body = marks.body(fields)

    async def parts() -> list[bytes]:
        return [part async for part in body]

    return asyncio.run(parts()), body.length


@given(st.lists(st.binary(max_size=20), max_size=4), st.text(), st.integers(1, 3))
def test_the_body_is_json_with_the_photos_in_their_places(
    contents: list[bytes], text: str, repeats: int
) -> None:
    files: dict[str, File] = {str(at): ("image/png", content) for at, content in enumerate(contents)}
    marks = PhotoMarks(files)
    parts, length = written(marks, {"text": text, "urls": [*marks.urls.values()] * repeats})
    urls = [f"data:image/png;base64,{base64.b64encode(content).decode()}" for content in contents]
    assert json.loads(b"".join(parts)) == {"text": text, "urls": urls * repeats}
    assert len(b"".join(parts)) == length


def test_no_part_is_large_however_large_the_photo_is() -> None:
    marks = PhotoMarks({"a": ("image/jpeg", bytes(3 * 10**6 + 1))})
    parts, length = written(marks, marks.urls)
    assert max(map(len, parts)) <= 2**18 and sum(map(len, parts)) == length > 4 * 10**6


def test_a_body_can_be_sent_again() -> None:
    marks = PhotoMarks({"a": ("image/png", b"abcd")})
    body = marks.body({"url": marks.urls["a"]})

    async def twice() -> list[bytes]:
        return [b"".join([part async for part in body]) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert first == second


def test_the_mark_of_one_request_says_nothing_in_another() -> None:
    one, other = (PhotoMarks({"a": ("image/png", content)}) for content in (b"one", b"other"))
    parts, _ = written(other, {"text": one.urls["a"], "url": other.urls["a"]})
    found = json.loads(b"".join(parts))
    assert found["text"] == one.urls["a"], "text of people is never filled in"
    assert found["url"].endswith(base64.b64encode(b"other").decode())


@in_a_loop
async def test_files_are_kept_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"a": 40, "b": 40, "c": 40, "d": 500}
    read: list[str] = []

    def file_of(photo: Photo, **_: bool) -> File:
        read.append(photo.name)
        return "image/png", bytes(sizes[photo.name])

    monkeypatch.setattr(body_module, "file_of", file_of)
    base = picture(8, 8)
    photos = {name: Photo(name, name, base.size_wh, base.source) for name in sizes}
    kept = EncodedPhotos(100)
    for name in "aababcadd":
        await kept.of(photos[name])
    assert read == ["a", "b", "c", "a", "d", "d"]
    same = await asyncio.gather(*(kept.of(photos["b"]) for _ in range(5)))
    assert len(set(same)) == 1


@in_a_loop
async def test_a_photo_that_cannot_be_read_is_said_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def file_of(_photo: Photo, **_: bool) -> File:
        threads.append(threading.get_ident())
        raise PhotoError("The photo is gone.", "Send another.")

    monkeypatch.setattr(body_module, "file_of", file_of)
    kept = EncodedPhotos(100)
    for _ in range(2):
        with pytest.raises(PhotoError):
            await kept.of(picture(8, 8))
    assert len(threads) == 2 and threading.get_ident() not in threads


@in_a_loop
async def test_the_photos_are_let_go_once_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[bool] = []

    class Content(bytes):
        def __del__(self) -> None:
            gone.append(True)

    monkeypatch.setattr(body_module, "file_of", lambda _photo, **_: ("image/png", Content(b"abc")))
    monkeypatch.setattr(server_module, "KEPT_BYTES", 0)
    asked = Conversation().ask("?", (Attachment(picture(8, 8), 1),))
    async with serving(EVENTS, TEXT, SILENCE) as server, backend_of(server) as backend:
        pieces = backend.stream(asked, GREEDY)
        assert await anext(pieces) == "I see"
        gc.collect()
        assert gone, "an answer takes minutes"
        await pieces.aclose()
