"""A program that speaks the HTTP interface: one person, with a secret of their own."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx


class Client:
    """One person at a page. `call` gives the JSON of a success; `refused` the status and JSON of an error."""

    def __init__(self, url: str, language: str = "en", secret: str | None = None):
        self.secret = secret or secrets.token_hex(16)
        headers = {"Authorization": f"Bearer {self.secret}", "Accept-Language": language}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def call(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        response = self.http.request(method, path, json=body, **more)
        assert response.is_success, (response.status_code, response.text)
        return response.json() if response.content else None

    def refused(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, dict[str, str]]:
        response = self.http.request(method, path, json=body, **more)
        assert response.is_error, response.text
        problem = response.json()
        assert {"what", "next_step"} <= set(problem) <= {"what", "next_step", "details"} and all(
            problem.values()
        )
        return response.status_code, problem

    def upload(self, data: bytes, name: str = "a.png") -> dict[str, Any]:
        response = self.http.post("/api/photos", files={"file": (name, data)})
        assert response.status_code == 201, response.text
        photo: dict[str, Any] = response.json()
        return photo

    def ask(
        self,
        text: str,
        *photos: dict[str, Any],
        conversation: str = "new",
        mode: object = "low",
        **options: Any,
    ) -> dict[str, str]:
        images = [{"photo": photo["id"], "mode": mode} for photo in photos]
        body = {"text": text, "images": images, "options": options}
        started: dict[str, str] = self.call("POST", f"/api/conversations/{conversation}/questions", body)
        return started

    def events(
        self, conversation: str, after: int | None = None, blocks: bool = False
    ) -> Iterator[tuple[int, str, Any]]:
        """(id, name, data) as they come, until the reader leaves."""
        query: dict[str, Any] = {} if after is None else {"after": after}
        query |= {"blocks": "1"} if blocks else {}
        with self.http.stream("GET", f"/api/conversations/{conversation}/events", params=query) as stream:
            assert stream.status_code == 200, stream.read()
            assert stream.headers["content-type"].startswith("text/event-stream")
            fields: dict[str, str] = {}
            begun = time.monotonic()
            for line in stream.iter_lines():
                assert time.monotonic() - begun < 60, "nothing of what was waited for has come"
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                    fields = {}

    def answer(self, conversation: str) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
        """The last answer's text, boxes and end, followed from wherever it is now."""
        text, boxes = "", []
        for _, name, data in self.events(conversation):
            if name == "conversation":
                last = data["questions"][-1]["answers"][-1]
                text, boxes = last["text"], list(last["boxes"])
                if last["state"] != "running":
                    return text, boxes, last
            elif name == "answer.delta":
                text += data["text"]
            elif name == "answer.box":
                boxes.append(data)
            elif name in ("answer.done", "answer.failed"):
                return text, boxes, data
        raise AssertionError("the stream ended before the answer")
