"""Tell a model's answer from what it writes beside it: its thinking, and the marks with which it ends. Pure.

    asides.feed("<think>Two")  ->  ("", "Two")          thinking, which stands before the answer
    asides.feed("</think>\\n\\nA cat.<|im_")  ->  ("A cat.", "")
    asides.feed("end|>")  ->  ("", ""), and `stopped`

A mark may be cut anywhere: what may be the beginning of one is kept until the next piece. Thinking is told by
`<think>` at the very beginning only, where InternVL3.5 and others write it; later it is text like any other.
"""

from typing import Literal

from internvl_demo.conversation.template import V1_5

_OPENING, _CLOSING = "<think>", "</think>"


class Asides:
    """Divides one answer. `stopped`: one of the `ends` has come; what follows it belongs to nobody."""

    def __init__(self, ends: tuple[str, ...] = V1_5.ends) -> None:
        self._ends = ends
        self.stopped = False
        self._held = ""
        self._place: Literal["start", "thinking", "gap", "answer"] = "start"

    def feed(self, text: str) -> tuple[str, str]:
        """Return what a piece of text brings of the answer, and of the thinking."""
        if self._place == "answer" and not self._held and "<" not in text:
            return ("" if self.stopped else text), ""
        self._held += text
        answer: list[str] = []
        thinking: list[str] = []
        while self._held and not self.stopped and self._step(answer, thinking):
            pass
        return "".join(answer), "".join(thinking)

    def finish(self) -> tuple[str, str]:
        """Return what was still kept: it is no mark."""
        held, self._held = self._held, ""
        if self.stopped or self._place == "gap":
            return "", ""
        return ("", held) if self._place == "thinking" else (held, "")

    def _step(self, answer: list[str], thinking: list[str]) -> bool:
        """Take from what is held as much as is certain; return whether there may be more to take."""
        if self._place == "start":
            begun = self._held.lstrip()
            if begun.startswith(_OPENING):
                self._held, self._place = begun.removeprefix(_OPENING), "thinking"
            elif _OPENING.startswith(begun):
                return False
            else:
                self._place = "answer"
            return True
        if self._place == "gap":
            self._held = self._held.lstrip()
            self._place = "answer" if self._held else "gap"
            return bool(self._held)
        if self._place == "thinking":
            part, mark = self._until((_CLOSING, *self._ends))
            thinking.append(part)
            if mark == _CLOSING:
                self._place = "gap"
        else:
            part, mark = self._until(self._ends)
            answer.append(part)
        self.stopped = mark in self._ends
        return bool(mark)

    def _until(self, marks: tuple[str, ...]) -> tuple[str, str]:
        """Take what stands before the first of the marks, and the mark; without one, what cannot be part of one."""
        found = [(at, mark) for mark in marks if (at := self._held.find(mark)) >= 0]
        if found:
            at, mark = min(found)
            part, self._held = self._held[:at], self._held[at + len(mark) :]
            return part, mark
        kept = max(_overlap(self._held, mark) for mark in marks)
        part, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return part, ""


def _overlap(text: str, mark: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a mark."""
    longest = min(len(text), len(mark) - 1)
    return next((count for count in range(longest, 0, -1) if text.endswith(mark[:count])), 0)
