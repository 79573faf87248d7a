"""Read a streamed chat completion: bytes of the response in, new text out; in the end what it cost. Pure.

    data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "I see"}}], "usage": null}
    data: {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}
    data: {"choices": [], "usage": {"prompt_tokens": 831, "completion_tokens": 38,
           "prompt_tokens_details": {"cached_tokens": 64}}}
    data: [DONE]

Servers say this in many ways (tests/models/openai/dialect_streams.py has seven), so:

    an event that carries nothing      skipped: no data, `null`, `{}`, no choices, a choice or a delta that is null
    an ending                          `length`, `max_tokens` and the like: cut at the longest answer; `content_filter`,
                                       `abort`, `error` and the like: a failure; any other: a good end
    `[DONE]` and no ending before it   a good end, if there was text
    whatever follows an ending         only its `usage` is read; nothing there breaks the answer
    `reasoning_content`, `reasoning`   the model's thinking, like `<think>` in the text (`asides`)
    a stop string in the text          ends the answer and is no part of it, as is what follows

Everything in it is untrusted: each value that is used is checked for its type, and bytes, events and text are
bounded by the longest answer that was asked for. Only these fields are read, and an event costs one `json.loads`.
A failure is kept until the text that came before it, in the same bytes, has been returned.
"""

import json
from collections.abc import Mapping
from contextlib import suppress

from internvl_demo.conversation.template import V1_5
from internvl_demo.errors import DemoError
from internvl_demo.models.asides import Asides
from internvl_demo.models.base import FinishReason, Usage
from internvl_demo.models.openai.errors import MalformedError, broke_off, endless, gave_up, is_error, refusal
from internvl_demo.models.openai.sse import EventDecoder, EventTooLongError

EVENTS_PER_TOKEN, MORE_EVENTS, BYTES_PER_EVENT = 2, 100, 4096
"""Bounds on an answer's bytes. A token is one event of some 300 bytes or, taken together with others, less."""

CHARS_PER_TOKEN, MORE_CHARS = 64, 4096
"""Bounds on an answer's text. The longest tokens of common vocabularies are runs of spaces and dashes."""

_CUT = frozenset({"length", "max_tokens", "max_length", "max_new_tokens", "model_length", "token_limit"})
_GIVEN_UP = frozenset(
    {"content_filter", "abort", "aborted", "cancelled", "canceled", "error", "failed", "safety", "recitation"}
)
"""Endings, in lower case; every other is a good one (`stop`, `eos`, `eos_token`, `end_turn`, `stop_sequence`...)."""

_THINKING = ("reasoning_content", "reasoning")
"""Fields of a delta: of DeepSeek, vLLM, SGLang and LMDeploy; of Ollama, OpenRouter and newer vLLM."""

_MAX_COUNT = 2**53
"""The largest number of tokens that is believed: what a float holds exactly."""


class CompletionReader:
    """Reads one answer. `done` after the event that ends it; `failure` is what went wrong, to be raised.

    ends: the model's stop strings.
    """

    def __init__(self, max_new_tokens: int, ends: tuple[str, ...] = V1_5.ends):
        self.done = False
        self.failure: Exception | None = None
        self._events, self._characters, self._asides = EventDecoder(), _WholeCharacters(), Asides(ends)
        self._events_left = max_new_tokens * EVENTS_PER_TOKEN + MORE_EVENTS
        self._bytes_left = self._events_left * BYTES_PER_EVENT
        self._chars_left = max_new_tokens * CHARS_PER_TOKEN + MORE_CHARS
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._has_text = False
        self._thinking: list[str] = []

    def feed(self, data: bytes) -> str:
        """Return the text that these bytes bring; may be empty."""
        parts: list[str] = []
        try:
            self._bytes_left -= len(data)
            if self._bytes_left < 0:
                raise endless()
            for event in self._events.feed(data):
                if event.startswith(b"[DONE]"):
                    self.done = True
                    break
                self._read(event, parts)
                if self.done:
                    break
        except EventTooLongError:
            self._fail(endless())
        except Exception as error:  # noqa: BLE001 - raised by whoever reads, after the text
            self._fail(error)
        return self._answer("".join(parts))

    @property
    def ended(self) -> bool:
        """Whether the answer has its end; only its cost may still come."""
        return self._finish is not None

    def _fail(self, error: Exception) -> None:
        """Keep what went wrong; behind an ending nothing can, and reading is over."""
        self.done, self.failure = bool(self._finish), None if self._finish else error

    def rest(self) -> str:
        """Return the text that was kept because it might have been the beginning of a mark."""
        answer, thinking = self._asides.finish()
        self._thinking.append(thinking)
        return answer

    def take_thinking(self) -> str:
        """Return what the model has thought since this was asked the last time."""
        thought, self._thinking = "".join(self._thinking), []
        return thought

    def usage(self) -> Usage:
        """Return what the answer cost; zeros when the server did not count. Raises BackendError without a good end."""
        finish = self._finish or ("stop" if self.done and self._has_text else None)
        if finish is None:
            raise broke_off()
        if finish in _GIVEN_UP:
            raise gave_up(finish)
        reason: FinishReason = "length" if finish in _CUT else "stop"
        counted = self._usage or Usage(0, 0)
        return Usage(
            counted.prompt_tokens, counted.completion_tokens, counted.cached_tokens, finish_reason=reason
        )

    def _answer(self, text: str) -> str:
        """Return what is the answer's of new text."""
        answer, thinking = self._asides.feed(self._characters.whole(text))
        if thinking:
            self._thinking.append(thinking)
        if self._asides.stopped:
            self._finish = self._finish or "stop"
        return answer

    def _read(self, event: bytes, parts: list[str]) -> None:
        """Add an event's text to `parts`. Raises what makes it no part of an answer."""
        self._events_left -= 1
        if self._events_left < 0:
            raise endless()
        if not self._finish:
            self._take(_object(event), parts)
            return
        with suppress(ValueError, DemoError):  # the answer has ended: only its cost may come
            after: list[str] = []
            self._take(_object(event), after)
            self.done = bool(after) and self._asides.stopped  # the model goes on behind its own end

    def _take(self, chunk: Mapping[str, object], parts: list[str]) -> None:
        if is_error(chunk):
            raise refusal(500, chunk)
        if (usage := chunk.get("usage")) is not None:
            with suppress(MalformedError):  # a cost that cannot be read takes nothing from an answer
                self._usage = _usage_of(usage)
        choices = chunk.get("choices")
        if choices is None:
            return
        if not isinstance(choices, list):
            raise MalformedError("choices that are no list")
        for choice in choices:
            if choice is not None:
                self._choose(choice, parts)

    def _choose(self, choice: object, parts: list[str]) -> None:
        if not isinstance(choice, dict) or not isinstance(delta := choice.get("delta") or {}, dict):
            raise MalformedError("a choice that is no object")
        finish = choice.get("finish_reason")
        if not (finish is None or isinstance(finish, str)):
            raise MalformedError("a finish reason that is no text")
        if thought := next(filter(None, (_text(delta, field) for field in _THINKING)), ""):
            self._count(thought)
            self._thinking.append(thought)
        if text := _text(delta, "content"):
            self._count(text)
            self._has_text = True
            parts.append(text)
        if finish and not self._finish:
            self._finish = finish.lower()

    def _count(self, text: str) -> None:
        self._chars_left -= len(text)
        if self._chars_left < 0:
            raise endless()


def _object(event: bytes) -> Mapping[str, object]:
    """Return what an event says; empty when it says nothing. Raises ValueError."""
    chunk = json.loads(event.decode() or "null")
    if not (chunk is None or isinstance(chunk, dict)):
        raise MalformedError("an event that is no object")
    return chunk or {}


def _text(delta: Mapping[str, object], field: str) -> str:
    """Return the text of a field of a delta; some servers send parts of it."""
    value = delta.get(field)
    if isinstance(value, list):
        value = "".join(_text(part, "text") for part in value if isinstance(part, dict))
    if not (value is None or isinstance(value, str)):
        raise MalformedError(f"{field} that is no text")
    return value or ""


class _WholeCharacters:
    """Text in which no character is cut in half: JSON may carry the halves of one in two pieces, or one only."""

    def __init__(self) -> None:
        self._half = ""

    def whole(self, text: str) -> str:
        """Return the text, with what was kept before it and without a first half at its end, which is kept."""
        if not text or (text.isascii() and not self._half):
            return text
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _usage_of(usage: object) -> Usage:
    if not isinstance(usage, dict):
        raise MalformedError("a usage that is no object")
    details = usage.get("prompt_tokens_details")
    if not (details is None or isinstance(details, dict)):
        raise MalformedError("a usage whose details are no object")
    cached_tokens = _count(details or {}, "cached_tokens")
    return Usage(_count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), cached_tokens)


def _count(counts: dict[str, object], name: str) -> int:
    count = counts.get(name)
    if count is None:
        return 0
    if type(count) is not int or not 0 <= count <= _MAX_COUNT:
        raise MalformedError(f"{name} that is no number of tokens")
    return count
