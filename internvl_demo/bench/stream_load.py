"""Readers, as many as wanted, in one process: each asks one question and reads the answer as a browser would.

    python -m internvl_demo.bench.stream_load KIND URL READERS TOKENS PID TIMES PATIENCE_S

KIND is `page`, `plain` or `server`, which is the model server itself. PID is the process whose CPU is counted, its
children with it, from just before the first question to just after the last reader's end. It prints a JSON list,
one row for each time. A reader is lost when its question is refused, its stream ends early, fails or is not over
within PATIENCE_S, or when the text that it has is not the one that was sent.
"""

import asyncio
import json
import math
import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import mean
from typing import Any, Protocol

from internvl_demo.bench.page_client import Visitor, answer_in
from internvl_demo.bench.processes import cpu_s_of_tree
from internvl_demo.bench.stream_http import Event, Refused, call, follow, request_of
from internvl_demo.bench.stream_server import MODEL
from internvl_demo.bench.stream_text import question_for, text_of, tokens_received

PAUSE_S = 0.3
"""Between two times: what the answer before left behind is done by then."""

_JSON = {"Content-Type": "application/json"}


@dataclass
class Reader:
    """What one reader has got: text, when it came, and what went wrong."""

    asked_s: float = field(default_factory=time.monotonic)
    first_text_s: float | None = None
    worst_gap_s: float = 0.0
    updates: int = 0
    text: str = ""
    failure: str | None = None
    _last_s: float = 0.0

    def show(self, text: str) -> None:
        """Show the whole text, which may be what it was."""
        if text == self.text:
            return
        now = time.monotonic()
        if self.first_text_s is None:
            self.first_text_s = now - self.asked_s
        else:
            self.worst_gap_s = max(self.worst_gap_s, now - self._last_s)
        self.text, self._last_s = text, now
        self.updates += 1

    async def read(self, source: "Source", tokens: int, patience_s: float) -> None:
        """Ask for so many tokens and read to the end; say in `failure` why that did not work."""
        try:
            async with asyncio.timeout(patience_s):
                await source.read(self, question_for(tokens))
        except TimeoutError:
            self.failure = f"no end after {patience_s:.0f} s"
        except (Refused, OSError) as error:
            self.failure = str(error)
        except (ValueError, LookupError, TypeError) as error:
            self.failure = f"not understood: {error!r}"
        if not self.failure and self.text != text_of(tokens):
            self.failure = "text incomplete" if text_of(tokens).startswith(self.text) else "another text"


class Source(Protocol):
    """Where an answer can be read."""

    async def read(self, reader: Reader, question: str) -> None:
        """Ask, show the reader all that comes, and return at the answer's end. Raise Refused, OSError, ValueError."""


class OurPage:
    """The page's HTTP interface: a question, then the events of its conversation."""

    def __init__(self, url: str):
        self._url = url

    async def read(self, reader: Reader, question: str) -> None:
        """Ask as our page does, and read the events of the answer."""
        visitor = Visitor(self._url)
        asked = await visitor.ask(question, [])

        def on_event(event: Event) -> bool:
            match event.name:
                case "answer.delta":
                    reader.show(reader.text + json.loads(event.data)["text"])
                case "conversation":
                    answer = answer_in(json.loads(event.data), asked["answer"])
                    reader.show(answer["text"] if answer else "")
                    return answer is not None and answer["state"] != "running"
                case "answer.failed":
                    reader.failure = f"failed: {json.loads(event.data)['what']}"
                    return True
            return event.name in ("answer.done", "gone")

        await visitor.follow(asked["conversation"], on_event)


class PlainChat:
    """A `gr.ChatInterface`, by the protocol of Gradio's own page.

    As its page does after a click: the text box is cleared and kept, the question is shown, then the function
    that streams joins the queue, and the session's events are read.
    """

    def __init__(self, url: str):
        self._url = url
        self._functions: list[int] = []

    async def read(self, reader: Reader, question: str) -> None:
        """Ask as Gradio's own page does, and read its queue's events."""
        clear, show, stream = await self._find_functions()
        session = secrets.token_hex(6)
        reader.asked_s = time.monotonic()  # a page knows its functions before anybody asks
        await self._post("run/predict", session, clear, [question])
        await self._post("run/predict", session, show, [None, []])
        await self._post("queue/join", session, stream, [None, None])
        chat: list[Any] = []

        def on_event(event: Event) -> bool:
            message = json.loads(event.data)
            if message["msg"] not in ("process_generating", "process_completed"):
                return bool(message["msg"] == "close_stream")
            if not message["success"]:
                reader.failure = f"failed: {message['output'].get('error')}"
                return True
            nonlocal chat
            value = message["output"]["data"][1]
            chat = apply_edits(chat, value) if chat and message["msg"] == "process_generating" else value
            reader.show(chat[-1]["content"][0]["text"] if len(chat) > 1 else "")
            return bool(message["msg"] == "process_completed")

        events = f"{self._url}/gradio_api/queue/data?session_hash={session}"
        await follow(events, request_of("GET", events), on_event)

    async def _find_functions(self) -> list[int]:
        """Return the numbers of the three functions: the one that streams, and the two before it."""
        if not self._functions:
            _, body = await call("GET", f"{self._url}/config")
            streams = [one["id"] for one in json.loads(body)["dependencies"] if one["types"]["generator"]]
            self._functions = list(range(streams[0] - 2, streams[0] + 1))
        return self._functions

    async def _post(self, path: str, session: str, function: int, data: list[Any]) -> None:
        body = json.dumps({"data": data, "fn_index": function, "session_hash": session}).encode()
        status, got = await call("POST", f"{self._url}/gradio_api/{path}", _JSON, body)
        if status != 200:
            raise Refused(status, got)


def apply_edits(value: Any, edits: list[Any]) -> Any:
    """Apply what Gradio sends in place of a whole value, `[["append", [1, "content", 0, "text"], " word"], ...]`."""
    for deed, path, new in edits:
        if not path:
            value = value + new if deed == "append" else new
            continue
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        last = path[-1]
        if deed == "append":
            holder[last] += new
        elif deed == "delete":
            del holder[last]
        elif deed == "add" and isinstance(holder, list):
            holder.insert(last, new)
        else:
            holder[last] = new
    return value


class ModelServer:
    """The model server itself, asked as an OpenAI client asks."""

    def __init__(self, url: str):
        self._url = url

    async def read(self, reader: Reader, question: str) -> None:
        """Ask the model server itself, and read its chunks."""
        messages = [{"role": "user", "content": question}]
        body = json.dumps({"model": MODEL, "messages": messages, "stream": True}).encode()

        def on_event(event: Event) -> bool:
            if event.data == b"[DONE]":
                return True
            for choice in json.loads(event.data)["choices"]:
                reader.show(reader.text + choice["delta"]["content"])
            return False

        url = f"{self._url}/v1/chat/completions"
        await follow(url, request_of("POST", url, _JSON, body), on_event)


SOURCES: dict[str, type[OurPage] | type[PlainChat] | type[ModelServer]] = {
    "page": OurPage,
    "plain": PlainChat,
    "server": ModelServer,
}


async def measure_readers(
    source: Source, readers: int, tokens: int, pid: int, patience_s: float
) -> dict[str, Any]:
    """Let so many readers ask at once; return what it took and what they got."""
    cpu_s, began, own_s = cpu_s_of_tree(pid), time.monotonic(), time.process_time()
    crowd = [Reader() for _ in range(readers)]
    await asyncio.gather(*(reader.read(source, tokens, patience_s) for reader in crowd))
    wall_s, cpu_s = time.monotonic() - began, cpu_s_of_tree(pid) - cpu_s
    return account(crowd, tokens, cpu_s) | {
        "wall_s": round(wall_s, 2),
        "load_cpu_s": round(time.process_time() - own_s, 2),
    }


def account(crowd: list[Reader], tokens: int, cpu_s: float) -> dict[str, Any]:
    """Return the figures of readers who are through; a figure that nothing can be said of is None."""
    firsts = sorted(reader.first_text_s for reader in crowd if reader.first_text_s is not None)
    received = sum(tokens_received(reader.text, tokens) for reader in crowd)
    losses = Counter(reader.failure for reader in crowd if reader.failure)
    return {
        "tokens_received": received,
        "cpu_s": round(cpu_s, 2),
        "cpu_ms_per_1000_tokens": round(1e6 * cpu_s / received, 1) if received else None,
        "first_text_p50_ms": _percentile_ms(firsts, 0.5),
        "first_text_p95_ms": _percentile_ms(firsts, 0.95),
        "worst_gap_ms": round(1000 * max(reader.worst_gap_s for reader in crowd), 1) if firsts else None,
        "updates_per_reader": round(mean(reader.updates for reader in crowd), 1),
        "readers_lost": losses.total(),
        "losses": dict(losses),
    }


def _percentile_ms(ordered_s: list[float], part: float) -> float | None:
    """Return the nearest rank's value."""
    return round(1000 * ordered_s[math.ceil(part * len(ordered_s)) - 1], 1) if ordered_s else None


async def main(kind: str, url: str, readers: int, tokens: int, pid: int, times: int, patience_s: int) -> None:
    """Measure so many times, one after another, and print the rows as a JSON list."""
    source = SOURCES[kind](url)
    rows = []
    for _ in range(times):
        rows.append(await measure_readers(source, readers, tokens, pid, patience_s))
        await asyncio.sleep(PAUSE_S)
    print(json.dumps(rows))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:8])))
