"""What a host sees of the demo at work: Prometheus metrics, and one line of JSON for each question. No people's words.

    with observer.request(conversation, 256) as request: request.saw(piece)     one question to the model
    observer.refused(error)                      a question that never got as far as the backend
    observer.text()                              the metrics as Prometheus reads them

A line tells sizes, counts, seconds and how it ended; never a question, an answer, a file's name, a picture or an
error's sentence (which may quote them). Conversations are told apart by a digest of their id:

    {"time": "2026-11-23T06:54:40.120Z", "conversation": "9f86d081884c", "turn": 2, "images": 2, "views": 14,
     "visual_tokens": 3584, "outcome": "stop", "error": null, "prompt_tokens": 3710, "cached_tokens": 3648,
     "completion_tokens": 41, "ttft_s": 0.182, "total_s": 1.034}

`outcome` is stop, length, left (the reader went away or pressed Stop), error or refused; `error` is the name of
the error's class. Not here: the paths over which a host asks for it (`web.probes`).
"""

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Any
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from internvl_demo import __version__
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import ModelInfo, Piece, Usage

LOG = logging.getLogger("internvl_demo.requests")
"""One record for each question; its message is the line."""

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)


def log_to_stderr() -> None:
    """Lets the lines appear on standard error; without it they go where the host's logging sends them."""
    if not LOG.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOG.addHandler(handler)
        LOG.setLevel(logging.INFO)
        LOG.propagate = False


class Observer:
    """Metrics of one page, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._counted: WeakSet[BaseException] = WeakSet()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "internvl_requests", "Questions that have ended, by how.", ["outcome"], registry=registry
        )
        self.errors = Counter("internvl_errors", "Errors, by kind.", ["kind"], registry=registry)
        self.ttft = Histogram(
            "internvl_time_to_first_token_seconds",
            "From asking the model to its first token.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.took = Histogram(
            "internvl_answer_seconds",
            "From asking the model to the answer's end.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.tokens = Counter(
            "internvl_tokens",
            "Tokens: visual (of the images in prompts), prompt (all of a prompt), cached (of those, what the "
            "model's cache had), completion.",
            ["kind"],
            registry=registry,
        )
        self.queue = Gauge("internvl_queue", "Questions now, by state.", ["state"], registry=registry)
        build = Gauge("internvl_build_info", "The demo's version.", ["version"], registry=registry)
        build.labels(__version__).set(1)
        for outcome in ("stop", "length", "left", "error", "refused"):
            self.requests.labels(outcome)
        for kind in ("visual", "prompt", "cached", "completion"):
            self.tokens.labels(kind)

    def request(self, conversation: Conversation, info: ModelInfo) -> "Request":
        """Return a context that counts one question to the model, from its entry to its exit."""
        return Request(self, conversation, info)

    def watch_queue(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Set what tells the numbers of questions that run and that wait, whenever they are asked for."""
        self.queue.labels("running").set_function(running)
        self.queue.labels("waiting").set_function(waiting)

    def refused(self, error: Exception) -> None:
        """Count a question that was refused before the model saw it; the model's own errors are counted already."""
        if error in self._counted:
            return
        self.ended("refused", error)
        LOG.info(_line(outcome="refused", error=type(error).__name__))

    def ended(self, outcome: str, error: BaseException | None) -> None:
        """Count a question that has ended."""
        self.requests.labels(outcome).inc()
        if error is not None:
            self.errors.labels(type(error).__name__).inc()
            self._counted.add(error)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class Request:
    """One question to the model, from asking to its end."""

    def __init__(self, observer: Observer, conversation: Conversation, info: ModelInfo):
        self._observer = observer
        images = conversation.as_read(info.tiles_follow).images
        known = info.tiles_follow != "engine" or not images
        views = (
            sum(plan_tiles(image.photo.size_wh, image.max_tiles).views for image in images) if known else None
        )
        self._visual_tokens = views * info.tokens_per_tile if views is not None else None
        self._sizes = {
            "conversation": sha256(conversation.id.encode("utf-8", "replace")).hexdigest()[:12],
            "turn": len(conversation.turns),
            "images": len(images),
            "views": views,
            "visual_tokens": self._visual_tokens,
        }
        self._usage: Usage | None = None
        self._ttft_s: float | None = None

    def __enter__(self) -> "Request":
        self._started = time.monotonic()
        self._observer.tokens.labels("visual").inc(self._visual_tokens or 0)
        return self

    def saw(self, piece: Piece) -> None:
        """Note a piece that the model yielded."""
        if isinstance(piece, Usage):
            self._usage = piece
        elif self._ttft_s is None:
            self._ttft_s = time.monotonic() - self._started
            self._observer.ttft.observe(self._ttft_s)

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        total_s = time.monotonic() - self._started
        outcome, failed = self._outcome(error)
        self._observer.ended(outcome, failed)
        self._observer.took.observe(total_s)
        usage = self._usage
        counted = {
            "prompt": usage and usage.prompt_tokens,
            "cached": usage and usage.cached_tokens,
            "completion": usage and usage.completion_tokens,
        }
        for kind, count in counted.items():
            self._observer.tokens.labels(kind).inc(count or 0)
        LOG.info(
            _line(
                **self._sizes,
                outcome=outcome,
                error=type(failed).__name__ if failed else None,
                **{f"{kind}_tokens": count for kind, count in counted.items()},
                ttft_s=self._ttft_s and round(self._ttft_s, 3),
                total_s=round(total_s, 3),
            )
        )

    def _outcome(self, error: BaseException | None) -> tuple[str, Exception | None]:
        """How it ended, and the error if it was one. Leaving ends a generator from outside, which is none."""
        if self._usage is not None:
            return self._usage.finish_reason, None
        if isinstance(error, Exception):
            return "error", error
        return "left", None


def _line(**fields: Any) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": now, **fields})
