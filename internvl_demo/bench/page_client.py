"""Visit the page by its HTTP interface: upload, ask, follow. Each visitor has a secret of its own.

visitor = Visitor("http://127.0.0.1:7860")
photo = await visitor.upload("cat.jpg", data)
asked = await visitor.ask("What is this?", [photo])      {"conversation", "question", "answer"}
await visitor.follow(asked["conversation"], on_event)
"""

import json
import secrets
from collections.abc import Callable
from typing import Any

from internvl_demo.bench.stream_http import Event, Refused, call, follow, request_of, send

_BOUNDARY = "5f0c1a2b3d4e"


class Visitor:
    """One person's browser. Every method raises Refused on another status than the expected, and OSError."""

    def __init__(self, url: str):
        self.url = url
        self.headers = {"Authorization": f"Bearer {secrets.token_hex(16)}"}

    def upload_request(self, name: str, data: bytes) -> bytes:
        """Return the bytes of a request that uploads a file."""
        kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/jpeg'
        body = f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
        return request_of("POST", f"{self.url}/api/photos", self.headers | kind, body)

    async def upload(self, name: str, data: bytes) -> str:
        """Upload a file; return the photo's id."""
        status, got = await send(self.url, self.upload_request(name, data))
        if status != 201:
            raise Refused(status, got)
        return str(json.loads(got)["id"])

    async def ask(self, text: str, photos: list[str], conversation: str = "new") -> dict[str, str]:
        """Ask a question about photos, each at standard resolution."""
        images = [{"photo": photo, "mode": "standard"} for photo in photos]
        body = json.dumps({"text": text, "images": images, "options": {}}).encode()
        url = f"{self.url}/api/conversations/{conversation}/questions"
        asked: dict[str, str] = json.loads(await self._fetch("POST", url, 202, body))
        return asked

    async def fetch_photo(self, photo: str) -> bytes:
        """Return a photo's file."""
        return await self._fetch("GET", f"{self.url}/api/photos/{photo}", 200)

    async def follow(self, conversation: str, on_event: Callable[[Event], bool]) -> None:
        """Hand each event of a conversation, with its blocks, to `on_event` until it returns True."""
        url = f"{self.url}/api/conversations/{conversation}/events?blocks=1"
        await follow(url, request_of("GET", url, self.headers), on_event)

    async def _fetch(self, method: str, url: str, expected: int, body: bytes = b"") -> bytes:
        kind = {"Content-Type": "application/json"} if body else {}
        status, got = await call(method, url, self.headers | kind, body)
        if status != expected:
            raise Refused(status, got)
        return got


def answer_in(conversation: dict[str, Any], answer: str) -> dict[str, Any] | None:
    """Return an answer of a conversation, or None while it has none such."""
    answers = (found for question in conversation["questions"] for found in question["answers"])
    return next((found for found in answers if found["id"] == answer), None)
