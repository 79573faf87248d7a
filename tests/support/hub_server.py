"""A hub of our own on this machine, to which huggingface_hub really speaks: models, files in parts, what goes wrong.

with Hub({"OpenGVLab/Tiny": folder}) as hub:
    hub.endpoint            # for HF_ENDPOINT
    hub.cut_after = 3000    # each answer that is longer ends there, `cuts` times
    hub.spoilt.add("config.json")    # is sent with another last byte than the hub tells of
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils.sha import git_hash

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE_BYTES = 50_000
"""From here on a file is stored as the hub stores weights (LFS)."""

_API = re.compile(r"/api/models/([^/]+/[^/?]+)(?:/(revision|tree)/[^/?]+)?/?(?:\?.*)?")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/[^/]+/([^?]+)")


def look_at(monkeypatch: pytest.MonkeyPatch, endpoint: str, cache: Path) -> None:
    """Makes huggingface_hub of this process look there, as HF_ENDPOINT and HF_HUB_CACHE do for one that starts."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))


class Hub:
    """Models by their ids, each the files of a folder."""

    def __init__(self, models: dict[str, Path]):
        self.models = models
        self.gated: set[str] = set()
        self.spoilt: set[str] = set()
        self.cuts, self.cut_after = 0, 1 << 60
        self.down = False
        self.requests: list[tuple[str, str, str | None]] = []
        """Method, path and range of each request."""
        self.sent_bytes = 0
        self.held = threading.Event()
        self.held.set()
        """While it is not set, large files wait after their first bytes."""
        hub = self

        class Handler(_Handler):
            served = hub

        self._server = _Server(("127.0.0.1", 0), Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.held.set()
        self._server.shutdown()
        self._server.server_close()

    def fetched(self, name: str) -> list[str | None]:
        """The ranges in which a file was fetched; None for the whole."""
        return [span for method, path, span in self.requests if method == "GET" and path.endswith(f"/{name}")]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that is gone."""


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return None

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        hub = self.served
        hub.requests.append((self.command, self.path.partition("?")[0], self.headers.get("Range")))
        if hub.down:
            return self._refuse(503, "", "down for a while")
        if found := _API.fullmatch(self.path):
            return self._tell(found[1], found[2] == "tree")
        if found := _FILE.match(self.path):
            return self._send(found[1], found[2], with_body)
        return self._refuse(404, "EntryNotFound", "no such page")

    def _tell(self, model: str, tree: bool) -> None:
        folder = self.served.models.get(model)
        if folder is None:
            return self._refuse(401, "RepoNotFound", "Repository not found")
        files = [_described(path) for path in sorted(folder.iterdir())]
        if tree:
            return self._json(
                [{"type": "file", "path": each.pop("rfilename"), "oid": "0", **each} for each in files]
            )
        gated = "manual" if model in self.served.gated else False
        return self._json({"id": model, "modelId": model, "sha": COMMIT, "gated": gated, "siblings": files})

    def _send(self, model: str, name: str, with_body: bool) -> None:
        hub = self.served
        folder = hub.models.get(model)
        if folder is None:
            return self._refuse(401, "RepoNotFound", "Repository not found")
        if model in hub.gated:
            return self._refuse(403, "GatedRepo", f"Access to model {model} is restricted.")
        path = folder / name
        if not path.is_file():
            return self._refuse(404, "EntryNotFound", "Entry not found")
        data = path.read_bytes()
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(span[1]) if span else 0
        self.send_response(206 if span else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if span:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if with_body:
            if name in hub.spoilt:
                data = data[:-1] + bytes([data[-1] ^ 1])
            self._write(data[start:])
        return None

    def _write(self, data: bytes) -> None:
        hub = self.served
        if len(data) > LARGE_BYTES and not hub.held.is_set():
            self.wfile.write(data[:LARGE_BYTES])
            hub.sent_bytes += LARGE_BYTES
            self.wfile.flush()
            hub.held.wait(60)
            data = data[LARGE_BYTES:]
        if len(data) > hub.cut_after and hub.cuts:
            hub.cuts -= 1
            self.wfile.write(data[: hub.cut_after])
            hub.sent_bytes += hub.cut_after
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(data)
        hub.sent_bytes += len(data)

    def _json(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, code: str, message: str) -> None:
        data = json.dumps({"error": message}).encode()
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _described(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    told: dict[str, Any] = {"rfilename": path.name, "size": len(data), "blobId": git_hash(data)}
    if len(data) > LARGE_BYTES:
        told["lfs"] = {"size": len(data), "oid": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
        told["lfs"]["sha256"] = told["lfs"]["oid"]
    return told
