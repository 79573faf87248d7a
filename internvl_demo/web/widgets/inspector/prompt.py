"""The last question of a conversation -> the exact prompt, piece by piece, and the call that asks it again.

In: a conversation, options, the model, and how it is reached. Out: an `Inspection`: the prompt's segments with
their tokens, and the call as texts to paste into bash and into Python. An answer of the last turn is left out:
inspected is what the model read before it. To inspect an earlier answer, give the turns up to it.

    system     <s><|im_start|>system\\nYou are ...<|im_end|>      16
    question   <|im_start|>user\\nImage-1: <img>                    9
    image      <IMG_CONTEXT>, `tokens` times                    1,792
    question   </img>\\nWhat is this?<|im_end|>                     7
    opening    <|im_start|>assistant\\n                             3

The call is in `calls`. Where a picture is not sent as its original file, a JPEG is not quite what a model in
process saw. No tokenizer here; only `how_of` looks at a disk.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import IMG_CONTEXT, ImageSlot, system_text, turn_segments
from internvl_demo.conversation.template import Template
from internvl_demo.conversation.tiling import TilePlan, plan_tiles
from internvl_demo.conversation.turns import Conversation, Turn
from internvl_demo.models.base import ModelInfo
from internvl_demo.models.openai.dialects import reads_webp
from internvl_demo.models.places import Place
from internvl_demo.models.profiles import hub_id_of
from internvl_demo.photos.photo import Photo, file_of
from internvl_demo.web.widgets.inspector.calls import ByServer, File, How, InProcess, call_texts

Kind = Literal["system", "question", "image", "answer", "opening"]


@dataclass(frozen=True)
class Picture:
    """An image of the prompt: `Image-1`, the file that the scripts read it from, and how it is cut; None: the server
    decides that."""

    caption: str
    file: str
    photo: Photo
    plan: TilePlan | None


@dataclass(frozen=True)
class Segment:
    """A piece of the prompt. Of an image, `text` stands there `tokens` times; where its server decides how it is cut,
    that is not known, and one stands for all of them."""

    kind: Kind
    text: str
    tokens: int
    picture: Picture | None = None


@dataclass(frozen=True)
class Inspection:
    """segments: in order they are the whole prompt. exact: whether a tokenizer counted, or the texts' tokens
    are an estimate. curl: "" where the page's API cannot ask this. how: who answers."""

    segments: tuple[Segment, ...]
    exact: bool
    curl: str
    python: str
    how: How

    @property
    def cut(self) -> bool:
        """Whether it is known how each image is cut; the server may decide that."""
        return all(segment.picture.plan for segment in self.segments if segment.picture)

    @property
    def tokens(self) -> int:
        """Of the whole prompt, but for images of which that is not known."""
        return sum(segment.tokens for segment in self.segments if self.cut or not segment.picture)

    @property
    def prompt(self) -> str:
        """The whole prompt, every `<IMG_CONTEXT>` written out."""
        return "".join(
            segment.text * segment.tokens if segment.picture else segment.text for segment in self.segments
        )


def how_of(place: Place, info: ModelInfo) -> How:
    """Return how a model is reached: by a server in the dialect in which it is asked, or in this process."""
    if place.by_server:
        return ByServer(info.name, info.dialect or "lmdeploy", info.profile)
    if place.is_miniature:
        return InProcess()
    checkpoint = hub_id_of(place.where) if place.kind == "model" else place.where
    return InProcess(info.name if Path(checkpoint).is_dir() else checkpoint)


def inspect(
    conversation: Conversation,
    options: Options,
    info: ModelInfo,
    how: How,
    count_text: Callable[[str], int],
    *,
    exact: bool,
    host: Options | None = None,
) -> Inspection:
    """Return the last question's prompt and call. `count_text` says how many tokens a text takes, `exact` whether it
    knows or estimates; `host`: the page's own options. Raises ValueError where nothing has been asked.

    A photo over 2 megapixels without a plain original is encoded to learn its format: not for an event loop.
    """
    asked = conversation.retry()
    files = _files(asked, webp=not isinstance(how, ByServer) or reads_webp(how.dialect))
    curl, python = call_texts(asked, options, how, files, host or Options())
    system = info.profile.system_of(options)
    segments = _segments(asked.as_read(info.tiles_follow), system, info, count_text, files)
    return Inspection(tuple(segments), exact, curl, python, how)


# --- the prompt -------------------------------------------------------------------------------------------


def _segments(
    conversation: Conversation,
    system: str | None,
    info: ModelInfo,
    count_text: Callable[[str], int],
    files: Mapping[str, File],
) -> Iterator[Segment]:
    pieces: list[tuple[Kind, str | ImageSlot]] = [("system", system_text(system, info.profile.template))]
    images_before = 0
    for turn in conversation.turns:
        pieces += _turn_pieces(turn, images_before, info.profile.template)
        images_before += len(turn.images)
    number = 0
    for kind, piece in pieces:
        if isinstance(piece, str):
            yield Segment(kind, piece, count_text(piece))
            continue
        number += 1
        image = piece.attachment
        known = info.tiles_follow != "engine"
        plan = plan_tiles(image.photo.size_wh, image.max_tiles) if known else None
        picture = Picture(f"Image-{number}", files[image.photo.id].name, image.photo, plan)
        tokens = plan.visual_tokens(info.tokens_per_tile) if plan else 1
        yield Segment("image", IMG_CONTEXT, tokens, picture)


def _turn_pieces(turn: Turn, images_before: int, template: Template) -> list[tuple[Kind, str | ImageSlot]]:
    """Return a turn as `prompt` writes it, cut where the question ends. The cuts lie between two control tokens, so
    that the tokens of the pieces are those of the whole."""
    asked = turn_segments(replace(turn, answer=None), images_before, template)
    question, whole = asked[-1], turn_segments(turn, images_before, template)[-1]
    assert isinstance(question, str) and isinstance(whole, str) and question.endswith(template.before_answer)
    question = question.removesuffix(template.before_answer)
    pieces: list[tuple[Kind, str | ImageSlot]] = [
        ("image" if isinstance(piece, ImageSlot) else "question", piece) for piece in (*asked[:-1], question)
    ]
    return [*pieces, ("opening" if turn.answer is None else "answer", whole.removeprefix(question))]


def _files(conversation: Conversation, *, webp: bool) -> dict[str, File]:
    """Photo id -> its file, in the format that `photo.file_of` sends. A photo sent again keeps its file."""
    files: dict[str, File] = {}
    for number, image in enumerate(conversation.images, 1):
        if image.photo.id not in files:
            mime = file_of(image.photo, webp=webp)[0]
            ending = mime.removeprefix("image/").replace("jpeg", "jpg")
            files[image.photo.id] = File(f"image-{number}.{ending}", mime)
    return files
