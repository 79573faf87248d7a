"""Find the boxes that stand in plain text without any tag: in JSON, bare or in a fence, and as `cat[[1, 2, 3, 4]]`.

In: the text outside of tags, in pieces. Out: the text to show, and what was found in the place of the rest. What is
no box comes through untouched, character by character, and code stays code:

    a fence       of JSON, or of no named language, whose value holds boxes becomes its labels; any other stays
    bare JSON     `{` before a string, or `[` before that, begins a value (`json_boxes`); until then it is held back
    brackets      `[[` right behind words, outside of code, then only lists of four numbers: boxes, labelled with these
                  words; if the scale of a list is not sure, they stay as text

Held back are a run of backticks, the first line of a fence, a JSON value as `json_boxes` says, and a list of at most
`LIST_CHARS`. Nothing here knows tags or which box is the last.
"""

import re
from collections.abc import Callable

from internvl_demo.grounding.json_boxes import Found, JsonBoxes
from internvl_demo.grounding.lists import LIST_CHARS
from internvl_demo.grounding.numbers import Scale, numbers_in

LINE_CHARS = 100
"""How much of a line is remembered: for the label of a bare list, and to know where a line begins."""

INFO_CHARS = 40
"""The longest first line of a fence that may hold JSON."""

_JSON_INFOS = ("", "json", "jsonc", "json5")
_SPECIAL = re.compile(r"[`~]|\{(?![^\s\"])|\[(?![^\s\[{])")
"""What may begin code, JSON or a list."""
_LINE_START = re.compile(r"[ \t>]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)?")
_MARKS = "`*_\"'”’」』》~"
_LISTS = re.compile(r"\[\s*\[[^\[\]]+\]\s*(?:,\s*\[[^\[\]]+\]\s*)*\]")
_INSIDE = re.compile(r"[^\[\],\s][^\[\]]*")
_IN_LISTS = frozenset("[]0123456789+-.,\uff0c \t\r\n")
_WORDS = re.compile(r"[^.,;:!?()\[\]{}<>|\"“”‘「」『』《》。，；：！？、（）【】\n]+\Z")
_LITTLE = re.compile(r"(?:[-*+_#>`\s]|[0-9]{1,3}[.)]\s|(?:and|or|an?|the)\s)*", re.IGNORECASE)

Item = str | Found


class PlainText:
    """Read the plain text of one answer."""

    def __init__(self, scale: Scale):
        self._scale = scale
        self._items: list[Item] = []
        self._state: Callable[[str], bool] | None = None  # takes a character, or refuses it
        self._held = ""
        self._line = ""
        self._label = ""  # of a phrase right before
        self._ticks = 0  # how many backticks opened the code within this line
        self._fence = ""  # what opened the fence that is shown as code
        self._fence_is_json = False
        self._run = ""  # what opened the fence that is held or eaten
        self._json = JsonBoxes(scale)
        self._depth = 0

    def read(self, text: str) -> list[Item]:
        """Take the next piece; return what it completes."""
        if not self._state and not _SPECIAL.search(text):
            self._note(text)
            return [text]
        index = 0
        while index < len(text):
            if self._state:
                index += self._state(text[index])
                continue
            match = _SPECIAL.search(text, index)
            end = match.start() if match else len(text)
            self._pass(text[index:end])
            index = end + 1
            if match:
                self._begin(match.group())
        return self._take()

    def saw(self, text: str, label: str = "") -> None:
        """Know that `text` was shown, which is a phrase if it has a label."""
        self._note(text)
        self._label = label

    def flush(self) -> list[Item]:
        """Return what is held: the text ends here, or a tag follows."""
        if self._state == self._read_ticks:
            self._end_ticks()
        if self._state == self._read_json:
            if self._json.eaten and self._json.in_object:
                self._items.append(Found("", (None,), False))
            elif not self._json.eaten:
                self._give_back(self._json.text)
        elif self._state and self._state != self._read_fence_end:
            self._give_back()
        self._state, self._held, self._run = None, "", ""
        return self._take()

    def _take(self) -> list[Item]:
        items, self._items = self._items, []
        return items

    def _note(self, text: str) -> None:
        """Remember the end of the line that is shown."""
        if "\n" in text:
            self._ticks = 0
        self._line = (self._line + text[-LINE_CHARS:])[-LINE_CHARS:].rpartition("\n")[2]
        self._label = ""

    def _pass(self, text: str) -> None:
        """Show text as it is."""
        if text:
            self._items.append(text)
            self._note(text)

    def _give_back(self, more: str = "") -> None:
        """Show what is held, and more; a fence that was held is one of code now."""
        text, self._held, self._state = self._held + more, "", None
        if self._run:
            self._fence, self._run = self._run, ""
        self._pass(text)

    def _begin(self, char: str) -> None:
        """Begin to hold something back."""
        self._held = char
        if char in "`~":
            self._state = self._read_ticks
        elif char == "{" and (self._fence_is_json or not self._fence):
            self._begin_json(char)
        elif char == "[" and not self._fence:
            self._state = self._read_bracket
        else:
            self._give_back()

    def _read_ticks(self, char: str) -> bool:
        if char == self._held[0] and len(self._held) < INFO_CHARS:
            self._held += char
            return True
        self._end_ticks()
        return False

    def _end_ticks(self) -> None:
        """Tell a fence's beginning or end, and code within a line, by the whole run."""
        run, begins_line = self._held, bool(_LINE_START.fullmatch(self._line))
        if self._fence:
            if begins_line and run[0] == self._fence[0] and len(run) >= len(self._fence):
                self._fence = ""
        elif len(run) >= 3 and begins_line and not self._ticks:
            self._run, self._state, self._fence_is_json = run, self._read_info, False
            return
        elif run[0] == "`":
            self._ticks = 0 if self._ticks == len(run) else self._ticks or len(run)
        self._give_back()

    def _read_info(self, char: str) -> bool:
        """Read the first line of a fence."""
        is_json = self._held[len(self._run) :].strip().lower() in _JSON_INFOS
        if char == "\n" or (is_json and char in "{["):
            self._fence_is_json = is_json
            self._state = self._read_before
            return False
        if char == "`":
            self._ticks, self._run = len(self._run), ""  # code within a line
        elif len(self._held) < INFO_CHARS:
            self._held += char
            return True
        self._give_back()
        return False

    def _read_before(self, char: str) -> bool:
        """Read what stands between the first line of a fence and its content."""
        if self._fence_is_json and char in "{[":
            self._begin_json("")
        elif char.isspace() and len(self._held) < LINE_CHARS:
            self._held += char
            return True
        else:
            self._give_back()
        return False

    def _begin_json(self, begun: str, label: str | None = None) -> None:
        """Begin a value, of which a character was read; label: of the value before it in the same fence."""
        self._json, self._state = JsonBoxes(self._scale, label), self._read_json
        if begun:
            self._held = ""
            self._json.take(begun)

    def _read_json(self, char: str) -> bool:
        held = len(self._json.text)
        items = self._json.take(char)
        if items is None:
            consumed = len(self._json.text) > held
            if self._json.eaten:
                self._reopen()
            self._give_back(self._json.text)
            return consumed
        if self._json.eaten:
            self._held, self._line = "", "]"
        self._items += items
        if self._json.ended:
            self._state = self._read_fence_end if self._run else None
        return True

    def _reopen(self) -> None:
        """Open a fence again whose beginning was left out, for what follows is code."""
        if self._run:
            self._held = f"\n{self._run}\n"

    def _read_fence_end(self, char: str) -> bool:
        if char == self._run[0]:
            self._held += char
            if self._held == self._run:
                self._held, self._run, self._state = "", "", None
            return True
        if not self._held and (char.isspace() or char == ","):
            return True
        if not self._held and char in "{[":
            self._begin_json("", self._json.label)
            return False
        more = self._held
        self._reopen()
        self._give_back(more)
        return False

    def _read_bracket(self, char: str) -> bool:
        if char == "[" and not self._ticks and self._words():
            self._held, self._depth, self._state = "[[", 2, self._read_lists
            return True
        if char == "{" or char.isspace():
            self._begin_json("[")
        else:
            self._give_back()
        return False

    def _read_lists(self, char: str) -> bool:
        too_deep = char == "[" and self._depth == 2
        if too_deep or char not in _IN_LISTS or len(self._held) >= LIST_CHARS:
            self._give_back()
            return False
        self._held += char
        self._depth += (char == "[") - (char == "]")
        if self._depth == 0:
            self._end_lists()
        return True

    def _end_lists(self) -> None:
        inner = _INSIDE.findall(self._held) if _LISTS.fullmatch(self._held) else []
        lists = [numbers_in(text) for text in inner]
        right = bool(lists) and all(numbers and len(numbers) == 4 for numbers in lists)
        boxes = tuple(self._scale.box(numbers) for numbers in lists) if right else ()
        if not boxes or None in boxes:
            self._give_back()
            return
        label = self._words()
        self._items.append(Found(label, boxes, False))
        self._held, self._state, self._line, self._label = "", None, "]", label

    def _words(self) -> str:
        """Return the words right before, which label a list: those of the phrase, or of this part of the sentence."""
        if self._label:
            return self._label
        line = self._line.rstrip(_MARKS)
        match = _WORDS.search(line) if line[-1:].isalnum() else None
        if not match:
            return ""
        words = match.group()
        if len(self._line) == LINE_CHARS and not match.start() and " " in words:
            words = words.partition(" ")[2]  # a word that is not whole
        little = _LITTLE.match(words)
        words = words[little.end() if little else 0 :].replace("*", "").replace("`", "")
        return words if any(char.isalpha() for char in words) else ""
