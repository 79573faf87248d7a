"""Read a streamed chat completion: bytes of the response in, new text out; in the end what it cost. Pure.

    data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "I see"}}], "usage": null}
    data: {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}
    data: {"choices": [], "usage": {"prompt_tokens": 831, "completion_tokens": 38,
           "prompt_tokens_details": {"cached_tokens": 64}}}
    data: [DONE]

Everything in it is untrusted: each value that is used is checked for its type, and bytes, events and text are
bounded by the longest answer that was asked for. Only these fields are read; an event costs one `json.loads` and
no object of the `openai` package, which cost more than all the rest of the page.

A failure is kept until the text that came before it, in the same bytes, has been returned.
"""

import json

from internvl_demo.models.base import FinishReason, Usage
from internvl_demo.models.openai.errors import MalformedError, broke_off, endless, gave_up, is_error, refusal
from internvl_demo.models.openai.sse import EventDecoder, EventTooLongError

EVENTS_PER_TOKEN, MORE_EVENTS, BYTES_PER_EVENT = 2, 100, 4096
"""Bounds on an answer's bytes. A token is one event of some 300 bytes or, taken together with others, less."""

CHARS_PER_TOKEN, MORE_CHARS = 64, 4096
"""Bounds on an answer's text. The longest tokens of common vocabularies are runs of spaces and dashes."""

_MAX_COUNT = 2**53
"""The largest number of tokens that is believed: what a float holds exactly."""


class CompletionReader:
    """Reads one answer. `done` after the event that ends it; `failure` is what went wrong, to be raised."""

    def __init__(self, max_new_tokens: int):
        self.done = False
        self.failure: Exception | None = None
        self._events, self._characters = EventDecoder(), _WholeCharacters()
        self._events_left = max_new_tokens * EVENTS_PER_TOKEN + MORE_EVENTS
        self._bytes_left = self._events_left * BYTES_PER_EVENT
        self._chars_left = max_new_tokens * CHARS_PER_TOKEN + MORE_CHARS
        self._finish: str | None = None
        self._usage: Usage | None = None

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
                self._take(event, parts)
        except EventTooLongError:
            self.failure = endless()
        except Exception as error:  # noqa: BLE001 - raised by whoever reads, after the text
            self.failure = error
        return self._characters.whole("".join(parts))

    def usage(self) -> Usage:
        """Return what the answer cost; zeros when the server did not count. Raises BackendError without a good end."""
        if self._finish is None:
            raise broke_off()
        if self._finish not in ("stop", "length"):
            raise gave_up(self._finish)
        reason: FinishReason = "length" if self._finish == "length" else "stop"
        counted = self._usage or Usage(0, 0)
        return Usage(
            counted.prompt_tokens, counted.completion_tokens, counted.cached_tokens, finish_reason=reason
        )

    def _take(self, event: bytes, parts: list[str]) -> None:
        """Add an event's text to `parts`. Raises what makes it no part of an answer."""
        self._events_left -= 1
        if self._events_left < 0:
            raise endless()
        chunk = json.loads(event.decode())
        if not isinstance(chunk, dict):
            raise MalformedError("an event that is no object")
        if is_error(chunk):
            raise refusal(500, chunk)
        if (usage := chunk.get("usage")) is not None:
            self._usage = _usage_of(usage)
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            raise MalformedError("choices that are no list")
        for choice in choices:
            self._choose(choice, parts)

    def _choose(self, choice: object, parts: list[str]) -> None:
        if not isinstance(choice, dict) or not isinstance(delta := choice.get("delta"), dict):
            raise MalformedError("a choice without its delta")
        finish, content = choice.get("finish_reason"), delta.get("content")
        if not (finish is None or isinstance(finish, str)) or not (
            content is None or isinstance(content, str)
        ):
            raise MalformedError("content that is no text")
        self._finish = finish or self._finish
        if content:
            self._chars_left -= len(content)
            if self._chars_left < 0:
                raise endless()
            parts.append(content)


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
