r"""Write a conversation as the prompt of the model's official code: text, with a slot for every image.

With the template of V1.5, which is the default everywhere here:

    <s><|im_start|>system\nS<|im_end|><|im_start|>user\n<img>(IMG_CONTEXT x n)</img>\nQ1<|im_end|>
    <|im_start|>assistant\nA1<|im_end|><|im_start|>user\nQ2<|im_end|><|im_start|>assistant\n

(one line; broken here for reading). An image is written `Image-k: <img>...</img>` as soon as the
conversation holds more than one. A turn is written the same way for ever: the label of an image
depends on what had been sent up to its own turn, never on later turns, so that a model's KV cache and a
server's prefix cache stay valid.

People's text cannot leave its place: a zero-width space goes after the `<` (or `[`) of every string that a
tokenizer or server would take for control, and the text stays readable. `<ref>` and `<box>` are allowed: the
official referring prompt uses them. Time is linear in the text. No tokenizer here, no I/O.
"""

import re
from dataclasses import dataclass

from internvl_demo.conversation.template import V1_5, Template
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation, Turn

IMG_CONTEXT = "<IMG_CONTEXT>"

_CONTROL = re.compile(
    r"<(?=\s*+(?>(?:/\s*+)?)(?:s|unk|pad|img|image|video|quad|IMG_CONTEXT|IMAGE_TOKEN|VIDEO_CONTEXT|VIDEO_TOKEN"
    r"|human|bot)\s*+>"
    r"|\|[^<>|\s]{1,40}\|>)"
    r"|\[(?=UNUSED_TOKEN_\d{1,3}\])",  # InternLM2's vocabulary: 145 is <|im_end|> and 146 is <|im_start|>
    re.IGNORECASE,
)
_SEPARATOR = "\u200b"


@dataclass(frozen=True)
class ImageSlot:
    """The place of one image in the prompt: `views` 448-pixel pictures, all of whose tokens stand inside `<img>`."""

    attachment: Attachment
    views: int


Segment = str | ImageSlot
"""Prompt text, or the place of an image; in order they are the whole prompt."""


def neutralise(text: str) -> str:
    """Return people's text, well-formed, its control strings made harmless: `<img>` -> `<` + U+200B + `img>`."""
    return _CONTROL.sub(rf"\g<0>{_SEPARATOR}", well_formed(text))


def well_formed(text: str) -> str:
    """Return the text with U+FFFD for lone surrogates, which no tokenizer, file or server can read."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def system_prompt(own: str | None, template: Template = V1_5) -> str:
    """Return a person's system prompt, neutralised; the model's where they have none."""
    return template.system if own is None else neutralise(own)


def system_text(own: str | None = None, template: Template = V1_5) -> str:
    """Return the beginning of every prompt; `own`: a person's system prompt."""
    return template.opening(system_prompt(own, template))


def image_labels(turn: Turn, images_before: int, template: Template = V1_5) -> list[str]:
    """Return the label of each image of a turn: `Image-k: `, or "" for a conversation's only image."""
    alone = images_before + len(turn.images) == 1
    numbers = range(images_before + 1, images_before + len(turn.images) + 1)
    return ["" if alone else template.label(number) for number in numbers]


def turn_segments(turn: Turn, images_before: int, template: Template = V1_5) -> list[Segment]:
    """Return one turn, its question and its answer if there is one, after `images_before` earlier images."""
    segments: list[Segment] = [template.before_question]
    for label, image in zip(image_labels(turn, images_before, template), turn.images, strict=True):
        slot = ImageSlot(image, plan_tiles(image.photo.size_wh, image.max_tiles).views)
        segments += [f"{label}<img>", slot, "</img>\n"]
    segments.append(f"{neutralise(turn.text)}{template.after_question}{template.before_answer}")
    if turn.answer is not None:
        segments.append(template.answer_text(neutralise(turn.answer)))
    return _merge_texts(segments)


def prompt_segments(
    conversation: Conversation, system: str | None = None, template: Template = V1_5
) -> list[Segment]:
    """Return the whole prompt, ready for the model to go on after the last `assistant`.

    system: a person's, in the place of the model's own.
    """
    segments: list[Segment] = [system_text(system, template)]
    images_before = 0
    for turn in conversation.turns:
        segments += turn_segments(turn, images_before, template)
        images_before += len(turn.images)
    return _merge_texts(segments)


def prompt_text(
    conversation: Conversation, tokens_per_tile: int, system: str | None = None, template: Template = V1_5
) -> str:
    """Return the whole prompt with every image's `<IMG_CONTEXT>` written out."""
    return "".join(
        segment if isinstance(segment, str) else IMG_CONTEXT * (segment.views * tokens_per_tile)
        for segment in prompt_segments(conversation, system, template)
    )


def _merge_texts(segments: list[Segment]) -> list[Segment]:
    """Merge neighbouring texts, so that a tokenizer sees them whole."""
    merged: list[Segment] = []
    for segment in segments:
        if isinstance(segment, str) and merged and isinstance(merged[-1], str):
            merged[-1] += segment
        else:
            merged.append(segment)
    return merged
