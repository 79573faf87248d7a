"""Compute what a question takes of the model's context, part by part, before it is sent; and what would make it fit.

In: the conversation so far, the new text and its images (the draft), what the model reads. Out: a `Budget`.
Its tokens are those of `prompt_segments` of the conversation with the question asked: an image takes its
views times the tokens per tile, everything else is text, and the tokens reserved for the answer come on top.

    budget(conversation, "Which is larger?", draft, tokens_per_tile=256, context_length=8192, answer_tokens=1024)

        text    so far      1,210 ##
        image   Image-1     3,328 ######
        draft   Image-2     3,328 ######
        text    question       32 #
        answer              1,024 ##       8,922 of 8,192: 730 too many

When it does not fit, `fixes` are changes of which each is enough alone. Nothing is changed here, and images
already sent keep their tiles for ever. The draft's tiles are shared out fairly: every image gets one, then the
one with the fewest goes up to its next grid as long as that fits. Only grids count: a 4:3 photo has 12 tiles at
most 12 and at most 40 alike, and a higher maximum never costs less (`plan_tiles` leaves a grid only for a larger).

Not here: words for people, and tokenizers. `estimate` stands in for one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from internvl_demo.conversation.prompt import ImageSlot, prompt_segments
from internvl_demo.conversation.template import V1_5, Template
from internvl_demo.conversation.tiling import TilesFollow, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation

SHORTEST_ANSWER_TOKENS = 256
"""A shorter answer is offered down to here: some 200 English words, or a dozen boxes."""

Kind = Literal["text", "image", "draft", "answer"]
CountText = Callable[[str], int]
"""Text of the prompt, template and all -> its tokens."""

_CONTROL = re.compile(r"</?(?:s|img|ref|box|quad)>|<\|[^<>|\s]{1,40}\|>")
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
_FIRST_SPACE = re.compile("(?<! ) ")
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")


def estimate(text: str) -> int:
    """Return about how many tokens a text takes, a little high, for a server whose tokenizer is not at hand.

    By the shape of vocabularies like InternLM2's (some 92,500 pieces, learnt from English, Chinese and code;
    what it lacks is spelt in bytes): a control string is one token; a run of letters one for every three
    begun (English has more letters a token); digits, signs, line ends, and Chinese characters one each;
    a space goes with what follows, each further one counts; any other character one less than its bytes in
    UTF-8, at most three. A rule of thumb, not measured against that tokenizer; never more than the bytes.
    """
    text = _CONTROL.sub("\0", text)
    in_words = sum(len(word) - (len(word) + 2) // 3 for word in _WORD.findall(text))
    first_spaces = len(_FIRST_SPACE.findall(text))
    not_ascii = len(text) - len(text.encode("ascii", "ignore"))
    chinese = sum(map(len, _CHINESE.findall(text)))
    return len(text.encode("utf-8", "surrogatepass")) - in_words - first_spaces - not_ascii - chinese


@dataclass(frozen=True)
class Part:
    """One part of the context: text, an image already sent, an image of the draft, or the tokens for the answer.

    number: k of an image's `Image-k`, 0 for the rest. new: it comes with the question, as the answer does.
    """

    kind: Kind
    tokens: int
    number: int = 0
    new: bool = True


@dataclass(frozen=True)
class Change:
    """A change to the draft: `Image-number` gets fewer tiles, not counting the thumbnail; 0 leaves it out."""

    number: int
    name: str
    tiles_before: int
    tiles_after: int


@dataclass(frozen=True)
class Fix:
    """One change that is enough: the question fits when sent with this draft and this answer length.

    key: names everything that is changed, so that a late click never does anything but what its button said.
    new_conversation: whether the earlier turns are left behind.
    """

    key: str
    draft: tuple[Attachment, ...]
    answer_tokens: int
    changes: tuple[Change, ...] = ()
    new_conversation: bool = False


@dataclass(frozen=True)
class Budget:
    """The parts in the order of the prompt, against the context; what to change if they do not fit.

    estimated: whether the tokens of text are an estimate, or those of images, where a server decides how they are cut.
    """

    parts: tuple[Part, ...]
    context_length: int
    estimated: bool
    fixes: tuple[Fix, ...] = ()

    @property
    def total(self) -> int:
        """Tokens of all parts."""
        return sum(part.tokens for part in self.parts)

    @property
    def left(self) -> int:
        """Tokens still free; negative when there are too many."""
        return self.context_length - self.total

    @property
    def fits(self) -> bool:
        """Whether question and answer fit into the context."""
        return self.left >= 0


@dataclass(frozen=True)
class _Rules:
    """What a model reads, and how its tokens are counted."""

    tokens_per_tile: int
    context_length: int
    count_text: CountText
    system: str | None
    template: Template
    follow: TilesFollow

    def tokens(self, image: Attachment) -> int:
        return plan_tiles(image.photo.size_wh, image.max_tiles).visual_tokens(self.tokens_per_tile)

    def text_tokens(self, conversation: Conversation) -> int:
        segments = prompt_segments(conversation, self.system, self.template)
        return sum(self.count_text(segment) for segment in segments if not isinstance(segment, ImageSlot))

    def parts(self, asked: Conversation, answer_tokens: int) -> tuple[Part, ...]:
        """Return the parts of a conversation whose last turn is the question."""
        asked = asked.as_read(self.follow)
        before, draft = replace(asked, turns=asked.turns[:-1]), asked.turns[-1].images
        sent, so_far = before.images, self.text_tokens(before)
        images = [
            Part("draft" if number > len(sent) else "image", self.tokens(image), number, number > len(sent))
            for number, image in enumerate((*sent, *draft), 1)
        ]
        question = self.text_tokens(asked) - so_far
        return (
            Part("text", so_far, new=False),
            *images,
            Part("text", question),
            Part("answer", answer_tokens),
        )

    def left(self, asked: Conversation, answer_tokens: int) -> int:
        return self.context_length - sum(part.tokens for part in self.parts(asked, answer_tokens))


def budget(
    conversation: Conversation,
    text: str,
    draft: tuple[Attachment, ...],
    *,
    tokens_per_tile: int,
    context_length: int,
    answer_tokens: int,
    count_text: CountText = estimate,
    system: str | None = None,
    template: Template = V1_5,
    tiles_follow: TilesFollow = "image",
) -> Budget:
    """Compute what `conversation.ask(text, draft)` takes, with `answer_tokens` reserved for its answer.

    count_text: the model's own tokenizer, where it is at hand. It is given the prompt's texts whole, as
        `prompt_segments` has them, `<s>` at the beginning included.
    system: a person's system prompt, in the place of the model's own.
    template: the model's.
    tiles_follow: whose choice of the most tiles the model follows.
    """
    rules = _Rules(tokens_per_tile, context_length, cache(count_text), system, template, tiles_follow)
    asked = conversation.ask(text, draft)
    guessed = count_text is estimate or (tiles_follow == "engine" and bool(asked.images))
    found = Budget(rules.parts(asked, answer_tokens), context_length, guessed)
    return found if found.fits else replace(found, fixes=tuple(_fixes(asked, answer_tokens, rules)))


def share_tiles(draft: tuple[Attachment, ...], views: int) -> tuple[Attachment, ...] | None:
    """Return the draft with at most `views` 448-pixel pictures in all; no image gets more tiles than before.

    Fair: the image with the fewest tiles goes first, the earlier of two. Full: no image could go up to its next
    grid any more. An image that keeps its grid keeps its maximum. None if one tile for each is too much.
    """
    left = views - len(draft)
    if left < 0:
        return None
    steps = [_steps(image) for image in draft]
    at, growing = [0] * len(draft), set(range(len(draft)))
    while growing:
        image = min(growing, key=lambda image: (_views(steps[image][at[image]]), image))
        now, *larger = steps[image][at[image] :]
        cost = _views(larger[0]) - _views(now) if larger else left + 1
        if cost > left:
            growing.remove(image)
        else:
            at[image], left = at[image] + 1, left - cost
    return tuple(grids[step] for grids, step in zip(steps, at, strict=True))


def _steps(image: Attachment) -> list[Attachment]:
    """Return the image with each grid that it can have, from one tile up to its own, by the fewest tiles for it."""
    whole = _tiles(image)
    fewer = [replace(image, max_tiles=tiles) for tiles in range(1, whole)]
    return [*(step for step in fewer if _tiles(step) == step.max_tiles), image]


def _fixes(asked: Conversation, answer_tokens: int, rules: _Rules) -> Iterator[Fix]:
    """Yield what would make it fit, the smallest loss first.

    A new conversation is offered with fewer tiles only if nothing else helps.
    """
    found = [
        *_fewer_tiles(asked, answer_tokens, rules),
        *_shorter_answer(asked, rules),
        *_without_largest(asked, answer_tokens, rules),
    ]
    yield from found
    if len(asked.turns) == 1:
        return
    alone = replace(asked, turns=asked.turns[-1:])
    draft = alone.images
    if rules.left(alone, answer_tokens) >= 0:
        yield Fix("new-conversation", draft, answer_tokens, new_conversation=True)
    elif not found:
        before = len(asked.images) - len(draft)
        for fix in _fewer_tiles(alone, answer_tokens, rules):
            changes = tuple(replace(change, number=change.number + before) for change in fix.changes)
            yield replace(fix, key=f"new-conversation-{fix.key}", changes=changes, new_conversation=True)


def _fewer_tiles(asked: Conversation, answer_tokens: int, rules: _Rules) -> Iterator[Fix]:
    question, draft = asked.turns[-1], asked.turns[-1].images
    if not draft or rules.follow == "engine":
        return
    if rules.follow == "request":
        shared = _lowered(asked, answer_tokens, rules)
    else:
        visual = sum(rules.tokens(image) for image in draft)
        shared = share_tiles(draft, (rules.left(asked, answer_tokens) + visual) // rules.tokens_per_tile)
    if shared:
        numbers = range(len(asked.images) - len(draft) + 1, len(asked.images) + 1)
        fewer = asked.ask(question.text, shared)
        read = (each.as_read(rules.follow).turns[-1].images for each in (asked, fewer))
        changes = tuple(
            Change(number, old.photo.name, _tiles(old), _tiles(new))
            for number, old, new in zip(numbers, *read, strict=True)
            if _tiles(old) != _tiles(new)
        )
        key = "-".join(str(image.max_tiles) for image in shared)
        yield Fix(f"fewer-tiles-{key}", shared, answer_tokens, changes)


def _lowered(asked: Conversation, answer_tokens: int, rules: _Rules) -> tuple[Attachment, ...] | None:
    """Return the draft with the highest maximum for all its images with which it fits; None if one tile is too much."""
    question = asked.turns[-1]
    for most in range(max(image.max_tiles for image in question.images) - 1, 0, -1):
        lower = tuple(replace(image, max_tiles=min(image.max_tiles, most)) for image in question.images)
        if rules.left(asked.ask(question.text, lower), answer_tokens) >= 0:
            return lower
    return None


def _shorter_answer(asked: Conversation, rules: _Rules) -> Iterator[Fix]:
    answer_tokens = rules.left(asked, 0)
    if answer_tokens >= SHORTEST_ANSWER_TOKENS:
        yield Fix(f"shorter-answer-{answer_tokens}", asked.turns[-1].images, answer_tokens)


def _without_largest(asked: Conversation, answer_tokens: int, rules: _Rules) -> Iterator[Fix]:
    """Yield the fix that leaves out the largest image; of equally large ones the last."""
    question = asked.turns[-1]
    if not question.images:
        return
    read = asked.as_read(rules.follow).turns[-1].images
    place = max(range(len(read)), key=lambda place: (rules.tokens(read[place]), place))
    kept = question.images[:place] + question.images[place + 1 :]
    if rules.left(asked.ask(question.text, kept), answer_tokens) >= 0:
        number = len(asked.images) - len(question.images) + place + 1
        out = question.images[place]
        change = Change(number, out.photo.name, _tiles(out), 0)
        yield Fix(f"leave-out-{number}", kept, answer_tokens, (change,))


def _tiles(image: Attachment) -> int:
    return plan_tiles(image.photo.size_wh, image.max_tiles).tiles


def _views(image: Attachment) -> int:
    return plan_tiles(image.photo.size_wh, image.max_tiles).views
