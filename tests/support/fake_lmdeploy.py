"""A program `lmdeploy` that behaves as a test wants: prints LMDeploy 0.18's lines, serves HTTP, dies, hangs.

`install(tmp_path, behaviours)` puts it into a folder and gives its handle; run n follows behaviour n, the last
stays. What it did is written into files beside it; files that a test makes tell it when to go on.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Fake:
    """The handle of a test. `folder` holds one file for each thing that the program did or shall do."""

    folder: Path

    @property
    def path(self) -> str:
        """A PATH in which `lmdeploy` is found."""
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    def let(self, what: str) -> None:
        """Lets the program `be-ready`, `die` or `freeze`."""
        (self.folder / what).touch()

    def runs(self) -> list[tuple[int, int]]:
        """(process id, process id of its detached helper) of each run."""
        files = sorted(self.folder.glob("run-*"), key=lambda path: int(path.name.split("-")[1]))
        return [tuple(map(int, path.read_text().split())) for path in files]  # type: ignore[misc]

    def arguments(self, run: int = 0) -> list[str]:
        """What `sys.argv` was."""
        return (self.folder / f"arguments-{run}").read_text().split("\n")


def install(folder: Path, *behaviours: str) -> Fake:
    """Behaviours: serve, crash, usage, silent, fallback, die-on-image."""
    script = folder / "lmdeploy"
    start = f"from tests.support.fake_lmdeploy import run; run({str(folder)!r})"
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {start}"
    script.write_text(f"#!{sys.executable}\n{code}\n")
    script.chmod(0o755)
    (folder / "behaviours").write_text("\n".join(behaviours))
    return Fake(folder)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- the program ---------------------------------------------------------------------------------------------


def run(where: str) -> None:
    folder = Path(where)
    number = len(list(folder.glob("run-*")))
    behaviours = (folder / "behaviours").read_text().split("\n")
    behaviour = behaviours[min(number, len(behaviours) - 1)]
    far, near = os.pipe()
    helper = os.fork()
    if helper == 0:  # leaves the group, and wants to live for ever
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(near, b"!")
        while True:
            time.sleep(3600)
    os.read(far, 1)
    (folder / f"arguments-{number}").write_text("\n".join(sys.argv))
    told = folder / f"told-{number}"
    told.write_text(f"{os.getpid()} {helper}")
    told.rename(folder / f"run-{number}")
    if behaviour == "usage":
        print("lmdeploy: error: unrecognized arguments: --nonsense", file=sys.stderr)
        sys.exit(2)
    if behaviour == "silent":
        time.sleep(3600)
    if behaviour == "fallback":
        print("2026-01-01 - lmdeploy - WARNING - Fallback to pytorch engine because turbomind is not built.")
        time.sleep(3600)
    for percent in (0, 40):
        print(f"\rLoading: {percent:3d}%|{'#' * (percent // 10)}| {percent}/100", end="", file=sys.stderr)
    _wait_for(folder / "load")
    print("\rLoading: 100%|##########| 100/100", file=sys.stderr)
    if behaviour == "crash":
        raise RuntimeError("CUDA error: out of memory\x1b[31m <b>now</b>")
    print("[TM][INFO] Object cache budget: 24712.45 MB from free 32949.94 MB and ratio 0.750")
    _serve(folder, behaviour)


def _serve(folder: Path, behaviour: str) -> None:
    import argparse
    import json
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    parser = argparse.ArgumentParser()
    parser.add_argument("--server-port", type=int)
    parser.add_argument("--api-keys", nargs="*")
    parser.add_argument("--model-name")
    told, _ = parser.parse_known_args()
    card = {"id": told.model_name, "object": "model", "created": 1, "owned_by": "lmdeploy"}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/health":
                (folder / f"health-{time.monotonic_ns()}").touch()
                if (folder / "freeze").exists():
                    time.sleep(3600)
                self.answer(200 if (folder / "be-ready").exists() else 503, {"status": "x", "message": ""})
            elif self.allowed():
                self.answer(200, {"object": "list", "data": [card]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self.allowed():
                return
            if behaviour == "die-on-image" and "data:image" in json.dumps(asked):
                print("[TM][FATAL] Check failed: pixel_value.dtype() == batch_input.dtype()", flush=True)
                os.abort()
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            common = {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": card["id"],
            }
            for content, finish in (("A cat.", None), ("", "stop")):
                choice = {
                    "index": 0,
                    "delta": {"role": "assistant", "content": content},
                    "finish_reason": finish,
                }
                self.wfile.write(b"data: " + json.dumps({**common, "choices": [choice]}).encode() + b"\n\n")
            usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
            self.wfile.write(
                b"data: " + json.dumps({**common, "choices": [], "usage": usage}).encode() + b"\n\n"
            )
            self.wfile.write(b"data: [DONE]\n\n")

        def allowed(self) -> bool:
            good = self.headers.get("authorization") in [f"Bearer {key}" for key in told.api_keys]
            if not good:
                self.answer(401, {"message": "Unauthorized.", "object": "error", "code": 401})
            return good

        def answer(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def die() -> None:
        _wait_for(folder / "die")
        (folder / "die").unlink()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=die, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", told.server_port), Handler)
    print(f"INFO:     Uvicorn running on http://127.0.0.1:{told.server_port} (Press CTRL+C to quit)")
    server.serve_forever()


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)
