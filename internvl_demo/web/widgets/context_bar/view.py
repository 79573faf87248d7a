"""Shape a `Budget` as the data of the context bar.

One part after the other with its share of the bar, a sentence with the sums, and if it does not fit the problem
and the changes of which each is enough. The bar is as long as the model's context or, when that is exceeded, as
the parts together; then `limit` says where along it the context ends. Names of files are whatever people chose:
the script sets them as text. What a change does is `budget.Fix`; here it only gets its words.

    {"parts": [{"kind": "draft", "caption": "Image-2", "tokens": 3328, "share": 0.37,
                "text": "Image-2, new: 3,328 tokens"}],
     "sentence": "8,922 of 8,192 tokens ...", "limit": 0.92, "problem": {"what": ..., "next_step": ...},
     "fixes": [{"key": "fewer-tiles-6", "text": "Fewer tiles: Image-2 12 → 6", "max_new_tokens": 1024,
                "images": [{"photo": "5f0c...", "mode": 6}], "new_conversation": False}]}
"""

from typing import Any

from internvl_demo.conversation.budget import Budget, Change, Fix, Part
from internvl_demo.web.language import Words


def context_bar(found: Budget, words: Words) -> dict[str, Any]:
    """Return the whole value of the bar; see the module's opening."""
    length = max(found.total, found.context_length, 1)
    return {
        "parts": [_part(part, length, words) for part in found.parts if part.tokens > 0],
        "sentence": _sentence(found, words),
        "limit": found.context_length / length,
        "problem": None if found.fits else _problem(found, words),
        "fixes": [_fix(fix, words) for fix in found.fixes],
    }


def _fix(fix: Fix, words: Words) -> dict[str, Any]:
    """Return a change, and what would be sent after it; a picture that is left out is missing."""
    return {
        "key": fix.key,
        "text": fix_text(fix, words),
        "images": [{"photo": image.photo.id, "mode": image.max_tiles} for image in fix.draft],
        "max_new_tokens": fix.answer_tokens,
        "new_conversation": fix.new_conversation,
    }


def fix_text(fix: Fix, words: Words) -> str:
    """Say what a change would do: on its button, and wherever else it is told."""
    changes = " · ".join(words("context_change", **_values(change)) for change in fix.changes)
    if fix.new_conversation:
        return words("context_new_fewer", changes=changes) if changes else words("context_new")
    if any(change.tiles_after == 0 for change in fix.changes):
        return " · ".join(_left_out(change, words) for change in fix.changes)
    if changes:
        return words("context_fewer", changes=changes)
    return words("context_shorter", count=f"{fix.answer_tokens:,}")


def _part(part: Part, length: int, words: Words) -> dict[str, Any]:
    caption = _caption(part, words)
    where = words("context_new_image" if part.new else "context_sent_image") if part.number else ""
    return {
        "kind": part.kind,
        "caption": caption,
        "tokens": part.tokens,
        "share": part.tokens / length,
        "text": words("context_part", part=caption + where, count=f"{part.tokens:,}"),
    }


def _caption(part: Part, words: Words) -> str:
    if part.number:
        return f"Image-{part.number}"
    if part.kind == "answer":
        return words("context_answer")
    return words("context_question" if part.new else "context_so_far")


def _sentence(found: Budget, words: Words) -> str:
    total = f"{'≈ ' if found.estimated else ''}{found.total:,}"
    answer = sum(part.tokens for part in found.parts if part.kind == "answer")
    return words(
        "context_sentence", total=total, context=f"{found.context_length:,}", answer=f"{answer:,}"
    ) + (words("context_free", count=f"{found.left:,}") if found.fits else "")


def _problem(found: Budget, words: Words) -> dict[str, str]:
    return {
        "what": words("context_too_long", count=f"{-found.left:,}"),
        "next_step": words("context_choose" if found.fixes else "context_no_fix"),
    }


def _values(change: Change) -> dict[str, object]:
    return {
        "image": f"Image-{change.number}",
        "before": change.tiles_before,
        "after": change.tiles_after,
    }


def _left_out(change: Change, words: Words) -> str:
    name = f" ({change.name})" if change.name else ""
    return words("context_leave_out", image=f"Image-{change.number}{name}")
