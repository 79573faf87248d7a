"""What the page shows of a conversation: values in, plain data for the page's components out.

`Session` is frozen: the conversation, and for each turn the last snapshot of its answer. All that is shown is
derived from it. What people and models write goes through `markup`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from internvl_demo.answering.jobs import recalled
from internvl_demo.answering.stream import Answer
from internvl_demo.conversation.tiling import TilePlan, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import DemoError
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import Photo
from internvl_demo.store.records import Record
from internvl_demo.web.markup import markdown, plain
from internvl_demo.web.strings import Words


@dataclass(frozen=True)
class Session:
    """A conversation and its answers, one entry for each turn (None: not answered), and how it is kept."""

    conversation: Conversation = field(default_factory=Conversation)
    answers: tuple[Answer | None, ...] = ()
    record: Record | None = None

    @staticmethod
    def of(record: Record, conversation: Conversation) -> "Session":
        """As it is kept: of each answer the chosen version; of one that is being written, nothing yet."""
        answers = []
        for place, question in enumerate(record.questions):
            shown = next((v for v in question.versions if v.id == question.chosen), None)
            if shown and not any(version.state == "running" for version in question.versions):
                answers.append(recalled(conversation, place, shown))
            else:
                answers.append(None)
        return Session(conversation, tuple(answers), record)

    def model_of(self, place: int) -> str | None:
        """Which model gave the answer to turn number `place`, from 0; None where that is not kept."""
        question = self.record.questions[place] if self.record else None
        shown = (
            [version for version in question.versions if version.id == question.chosen] if question else []
        )
        return shown[0].model if shown else None

    def following(self, said: Answer | None) -> "Session":
        """With the last answer as far as it has come."""
        return replace(self, answers=(*self.answers[:-1], said))


def plan_of(image: Attachment) -> TilePlan:
    """How an attached image is cut."""
    return plan_tiles(image.photo.size_wh, image.max_tiles)


def messages(
    session: Session, info: ModelInfo, words: Words, file_of: Callable[[Photo], str]
) -> list[dict[str, Any]]:
    """The conversation for gr.Chatbot."""
    shown: list[dict[str, Any]] = []
    number = 0
    answered = zip(session.conversation.turns, session.answers, strict=True)
    for place, (turn, said) in enumerate(answered, 1):
        plans = []
        for image in turn.images:
            number += 1
            plans.append((number, plan_of(image)))
            path = file_of(image.photo)
            shown.append(
                {"role": "user", "content": {"path": path, "alt_text": f"{words('image')}-{number}"}}
            )
        asked = f'{plain(turn.text)}<span class="asked turn-{place}"></span>'
        shown.append({"role": "user", "content": asked})
        if said is not None:
            line = receipt(said, tuple(plans), info, words, session.model_of(place - 1) or info.name)
            content = f'{markdown(said.text)}\n\n<span class="receipt turn-{place}">{line}</span>'
            shown.append({"role": "assistant", "content": content})
    return shown


def receipt(
    said: Answer, plans: tuple[tuple[int, TilePlan], ...], info: ModelInfo, words: Words, model: str = ""
) -> str:
    """The short line under an answer. `plans`: each image's number in the conversation, and how it is cut.
    `model`: which gave it."""
    parts = []
    if said.timing.ttft_s is not None:
        parts.append(words("receipt_ttft", seconds=f"{said.timing.ttft_s:.2f}"))
    speed = said.timing.tokens_per_s(said.usage.completion_tokens) if said.usage else None
    if speed:
        parts.append(words("receipt_speed", speed=f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"))
    parts += [
        words(
            "receipt_image",
            image=f"Image-{number}",
            tiles=tiles_text(tiles, words),
            tokens=tokens_text(tiles, info, words),
        )
        for number, tiles in plans
    ]
    if said.usage and said.usage.cached_tokens:
        parts.append(words("receipt_cached", count=f"{said.usage.cached_tokens:,}"))
    if said.dropped_boxes:
        parts.append(words("receipt_dropped", count=said.dropped_boxes))
    if any(not pinned.certain for pinned in said.pinned):
        parts.append(words("receipt_guess"))
    if said.usage and said.usage.finish_reason == "length":
        parts.append(words("receipt_length"))
    if said.broken_off:
        parts.append(words("receipt_broke_off"))
    if model:
        parts.append(plain(model))
    return " · ".join(parts)


def tiles_text(plan: TilePlan, words: Words) -> str:
    """`2 × 3 = 6 tiles + thumbnail`, or `1 tile`."""
    if plan.tiles == 1:
        return words("tile")
    columns, rows = plan.grid
    return f"{columns} × {rows} = {words('tiles', count=plan.tiles)} + {words('thumbnail')}"


def tokens_text(plan: TilePlan, info: ModelInfo, words: Words) -> str:
    """`448 visual tokens`."""
    return words("tokens", count=f"{plan.visual_tokens(info.tokens_per_tile):,}")


def preview(
    plans: list[tuple[str, TilePlan]], first_number: int, info: ModelInfo, words: Words
) -> dict[str, Any]:
    """What the images in the composer would cost, line by line, before they are sent."""
    lines = []
    for number, (name, plan) in enumerate(plans, first_number):
        width, height = plan.size_wh
        cost = f"{width} × {height} px → {tiles_text(plan, words)}, {tokens_text(plan, info, words)}"
        lines.append({"caption": f"Image-{number}", "name": name, "text": cost, "grid": list(plan.grid)})
    tokens = sum(plan.visual_tokens(info.tokens_per_tile) for _, plan in plans)
    total = words("total", count=f"{tokens:,}") if len(plans) > 1 else ""
    return {"lines": lines, "total": total}


def notice(error: DemoError | None = None) -> dict[str, str]:
    """What went wrong and what to do now, in English until it is `spoken`; empty when nothing did."""
    if error is None:
        return {"what": "", "next_step": ""}
    return {"what": error.what, "next_step": error.next_step}


def spoken(notice: Mapping[str, str], words: Words) -> dict[str, str]:
    """A notice in the person's language."""
    return {name: words.said(text) for name, text in notice.items()}
