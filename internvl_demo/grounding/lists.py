"""Collect the lists of numbers that stand inside one `<box>`, one character at a time.

In: characters. Out: the insides of complete lists, `10, 20, 300, 400`; what they mean is `numbers`'s. Brackets may
be round or square, of one level or more; what is broken is kept only as far as it must be counted or shown.
"""

LIST_CHARS = 400
"""The longest inside of one list, runs of spaces counted once. Four numbers need 20 characters."""

_OPENING, _CLOSING = "[(", "])"
_SEPARATORS = ",;\uff0c"
"""What may stand around lists; U+FF0C is the Chinese comma."""
_COORDINATE_CHARS = frozenset(_OPENING + _CLOSING + _SEPARATORS + "0123456789+-.")
"""What may follow a list inside `<box>`, besides spaces; anything else says that `</box>` was forgotten."""


class Lists:
    """Collect what stands inside one `<box>`: characters in, insides of complete lists out. Keep one list at most."""

    def __init__(self) -> None:
        self._chars: list[str] = []  # of the innermost list so far, or of what stands around the lists
        self._blank = True  # only spaces and separators in it
        self._nested = 0  # brackets open in a list that is bad already, because it held something before them
        self._depth = 0
        self._opened = False  # the last bracket outside a bad list was an opening one
        self._found = 0

    def refuses(self, char: str) -> bool:
        """Return whether the character must belong to the text behind the box: `</box>` is missing."""
        over = self.overfull or (self._found > 0 and self._depth == 0)
        return over and char not in _COORDINATE_CHARS and not char.isspace()

    def take(self, char: str) -> str | None:
        """Take one character; return the inside of the list that it closes, if it closes one."""
        if char in _OPENING and self._blank:
            self._depth += 1
            self._renew(opened=True)
        elif char in _CLOSING and not self._nested:
            return self._close()
        else:
            self._nested += (char in _OPENING) - (char in _CLOSING)
            self._keep(char)
        return None

    @property
    def overfull(self) -> bool:
        """Whether the list is longer than any good one; its further characters are not kept."""
        return len(self._chars) >= LIST_CHARS and not self._blank

    @property
    def behind(self) -> str:
        """The characters that followed the last list and belong to the text behind the box."""
        return "" if self.overfull else "".join(self._chars)

    @property
    def bare(self) -> str | None:
        """The characters outside any bracket, or None if there are none."""
        return None if self._blank or self._depth else "".join(self._chars)

    @property
    def unfinished(self) -> bool:
        """Whether a list has begun and not ended, or none ever began."""
        return self._opened or not self._blank or not self._found

    def _close(self) -> str | None:
        whole = None
        if self._opened or not self._blank:
            self._found += 1
            whole = "".join(self._chars)
        self._depth = max(0, self._depth - 1)
        self._renew(opened=False)
        return whole

    def _renew(self, *, opened: bool) -> None:
        self._chars, self._blank, self._nested, self._opened = [], True, 0, opened

    def _keep(self, char: str) -> None:
        after_space = bool(self._chars) and self._chars[-1].isspace()
        if len(self._chars) < LIST_CHARS and not (char.isspace() and after_space):
            self._chars.append(char)
        self._blank = self._blank and (char.isspace() or char in _SEPARATORS)
