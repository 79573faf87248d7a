"""What the inspector shows: an `Inspection` -> plain data for `static/inspector.js`.

The script puts a button under each answer and opens a dialog when it is given an answer's value. All text is
set as text there; nothing here is markup.

    {"turn": 2, "total": "3,377 tokens", "note": "",
     "segments": [{"kind": "question", "text": "<|im_start|>user\\n<img>", "tokens": "4 tokens", "count": 4},
                  {"kind": "image", "text": "<IMG_CONTEXT>", "tokens": "3,328 tokens", "count": 3328,
                   "caption": "Image-1", "name": "a.png", "cut": "800 × 600 px → ...", "file": 0}],
     "files": [{"name": "image-1.png", "url": ...}],
     "scripts": [{"name": "curl", "text": ..., "needs": ...}, {"name": "Python", ...}],
     "words": {"close": "Close", ...}}
"""

from collections.abc import Callable
from typing import Any

from internvl_demo.conversation.turns import Conversation
from internvl_demo.photos.decode import Photo
from internvl_demo.web.inspection.prompt import ByServer, Inspection, Picture, Segment
from internvl_demo.web.session import tiles_text
from internvl_demo.web.strings import TABLE, Words

CLOSED: dict[str, Any] = {"turn": 0, "open": list(TABLE["inspector_open"])}
"""Before anything is inspected; what the buttons say, in both languages."""

_PREFIX = "inspector_"


def turns_until(conversation: Conversation, turn: object) -> Conversation | None:
    """The conversation as it was with answer number `turn`, which a browser names; None where there is none."""
    if not isinstance(turn, int) or isinstance(turn, bool) or not 1 <= turn <= len(conversation.turns):
        return None
    return Conversation(conversation.turns[:turn], conversation.id)


def inspector(seen: Inspection, turn: int, url_of: Callable[[Photo], str], words: Words) -> dict[str, Any]:
    """The whole value; see the module's opening. `turn` is the number of the answer, from 1; `url_of` gives
    where the browser finds a photo's file, as it is sent."""
    photos: dict[str, Photo] = {
        segment.picture.file: segment.picture.photo for segment in seen.segments if segment.picture
    }
    total = words("inspector_tokens" if seen.exact else "inspector_about", count=f"{seen.tokens:,}")
    return {
        "turn": turn,
        "open": CLOSED["open"],
        "total": total,
        "note": "" if seen.exact else words("inspector_estimated"),
        "segments": [_segment(segment, seen.exact, list(photos), words) for segment in seen.segments],
        "files": [{"name": name, "url": url_of(photo)} for name, photo in photos.items()],
        "scripts": _scripts(seen),
        "words": {
            key.removeprefix(_PREFIX): TABLE[key][words.column] for key in TABLE if key.startswith(_PREFIX)
        },
    }


def _segment(segment: Segment, exact: bool, files: list[str], words: Words) -> dict[str, Any]:
    known = exact or segment.picture is not None
    return {
        "kind": segment.kind,
        "text": segment.text,
        "count": segment.tokens,
        "tokens": words("inspector_tokens" if known else "inspector_about", count=f"{segment.tokens:,}"),
        **(_picture(segment.picture, segment.tokens, files, words) if segment.picture else {}),
    }


def _picture(picture: Picture, tokens: int, files: list[str], words: Words) -> dict[str, Any]:
    plan = picture.plan
    width, height = plan.size_wh
    views = words("inspector_views", views=plan.views, tokens=tokens // plan.views)
    return {
        "caption": picture.caption,
        "name": picture.photo.name,
        "cut": f"{width} × {height} px → {tiles_text(plan, words)} → {views}",
        "file": files.index(picture.file),
    }


def _scripts(seen: Inspection) -> list[dict[str, str]]:
    """`needs` is a key of the words."""
    server = isinstance(seen.how, ByServer)
    page = "needs_page" if seen.curl else "no_curl"
    return [
        {"name": "curl", "text": seen.curl, "needs": "needs_server" if server else page},
        {"name": "Python", "text": seen.python, "needs": "needs_openai" if server else "needs_package"},
    ]
