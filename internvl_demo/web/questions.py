"""Refuse what cannot be a question: too many characters or pictures, or nothing to read. Pure."""

from internvl_demo.conversation.turns import is_blank
from internvl_demo.errors import DemoError
from internvl_demo.photos.limits import MESSAGE_PICTURES

MAX_QUESTION_CHARS = 64_000
"""The longest question. The 26B's whole context is some 100,000 letters of English; more only costs time."""


def too_long() -> DemoError:
    """Return what to say of a question with too many characters."""
    return DemoError(
        "The question is longer than {most} characters.",
        "Shorten it, or ask about one part of the text at a time.",
        most=f"{MAX_QUESTION_CHARS:,}",
    )


def checked_question(text: str, images: int) -> str:
    """Return the text of a question without spaces around it. Raises DemoError when it cannot be one."""
    if len(text) > MAX_QUESTION_CHARS:
        raise too_long()
    text = text.strip()
    if is_blank(text):
        raise DemoError("There is no question yet.", "Write what you want to know, then send.")
    if images > MESSAGE_PICTURES:
        raise DemoError(
            "A message takes {most} pictures at most.",
            "Send these first, or remove some.",
            most=MESSAGE_PICTURES,
        )
    return text
