"""Shape an `Inspection` as the data of the inspector's dialog. All text is set as text there; nothing is markup.

{"turn": 2, "total": "3,377 tokens", "note": "",
 "segments": [{"kind": "question", "text": "<|im_start|>user\\n<img>", "tokens": "4 tokens", "count": 4},
              {"kind": "image", "text": "<IMG_CONTEXT>", "tokens": "3,328 tokens", "count": 3328,
               "caption": "Image-1", "name": "a.png", "cut": "800 × 600 px → ...", "file": 0}],
 "files": [{"name": "image-1.png", "url": ...}],
 "scripts": [{"name": "curl", "text": ..., "needs": "needs_page"}, {"name": "Python", ...}]}
"""

from typing import Any

from internvl_demo.conversation.tiling import TilePlan
from internvl_demo.photos.photo import Photo
from internvl_demo.web.language import Words
from internvl_demo.web.widgets.inspector.calls import ByServer
from internvl_demo.web.widgets.inspector.prompt import Inspection, Picture, Segment


def inspector(seen: Inspection, turn: int, words: Words) -> dict[str, Any]:
    """Return the whole value; see the module's opening. `turn` is the number of the answer, from 1."""
    photos: dict[str, Photo] = {
        segment.picture.file: segment.picture.photo for segment in seen.segments if segment.picture
    }
    total = words("inspector_tokens" if seen.exact else "inspector_about", count=f"{seen.tokens:,}")
    note = "" if seen.exact else words("inspector_estimated")
    return {
        "turn": turn,
        "total": total if seen.cut else words("inspector_and_images", total=total),
        "note": note if seen.cut else words("inspector_engine"),
        "segments": [_segment(segment, seen.exact, list(photos), words) for segment in seen.segments],
        "files": [{"name": name, "url": f"api/photos/{photo.id}"} for name, photo in photos.items()],
        "scripts": _scripts(seen),
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
    width, height = picture.photo.size_wh
    shown = {
        "caption": picture.caption,
        "name": picture.photo.name,
        "file": files.index(picture.file),
    }
    if not (plan := picture.plan):
        cut = f"{width} × {height} px → {words('tiles_engine')}"
        return {**shown, "cut": cut, "count": None, "tokens": words("inspector_unknown")}
    views = words("inspector_views", views=plan.views, tokens=tokens // plan.views)
    return {**shown, "cut": f"{width} × {height} px → {tiles_text(plan, words)} → {views}"}


def _scripts(seen: Inspection) -> list[dict[str, str]]:
    """Return both scripts; the page's text `inspector_NEEDS` says what has to be there first."""
    server = isinstance(seen.how, ByServer)
    page = "needs_page" if seen.curl else "no_curl"
    return [
        {"name": "curl", "text": seen.curl, "needs": "needs_server" if server else page},
        {"name": "Python", "text": seen.python, "needs": "needs_openai" if server else "needs_package"},
    ]


def tiles_text(plan: TilePlan, words: Words) -> str:
    """Return `2 × 3 = 6 tiles + thumbnail`, or `1 tile`."""
    if plan.tiles == 1:
        return words("tile")
    columns, rows = plan.grid
    return f"{columns} × {rows} = {words('tiles', count=plan.tiles)} + {words('thumbnail')}"
