"""A model server on loopback for commands in processes of their own; what it says depends on the question."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "图里有一只<ref>猫</ref><box>[[100, 200, 300, 400]]</box>。🐈"
BREAKS, WAITS = "Break off.", "Wait."
"""Questions whose answer breaks off in the middle, or never ends."""


@dataclass
class Endpoint:
    """Where it listens, and the texts of what it was asked."""

    url: str
    asked: list[str] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)


@contextmanager
def model_endpoint() -> Iterator[Endpoint]:
    """Run the server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing on the test's console."""

        def do_GET(self) -> None:
            known = self.path == "/v1/models"
            self._begin(200 if known else 404, "application/json")
            self.wfile.write(json.dumps({"object": "list", "data": [{"id": "m"}]} if known else {}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            question = _text(body["messages"][-1]["content"])
            endpoint.asked.append(question)
            self._begin(200, "text/event-stream")
            self._say(ANSWER)
            if question == WAITS:
                endpoint.waiting.set()
                self.rfile.read(1)  # until the client leaves
            elif question != BREAKS:
                self._say("", "stop")
                self.wfile.write(b"data: [DONE]\n\n")

        def _begin(self, status: int, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()

        def _say(self, content: str, finish: str | None = None) -> None:
            choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
            self.wfile.write(b"data: " + json.dumps({"id": "1", "choices": [choice]}).encode() + b"\n\n")

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Say nothing of clients that leave."""

    with Server(("127.0.0.1", 0), Handler) as server:
        endpoint = Endpoint(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            with suppress(OSError):
                server.shutdown()
            thread.join()


def _text(content: Any) -> str:
    """The words of a message, without its pictures."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return "".join(part["text"] for part in parts if part["type"] == "text").strip()
