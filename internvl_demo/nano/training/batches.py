r"""Turn lessons into tensors. One conversation asks many questions of its images, in one sequence.

    prefix   <s>system ... <img> visual tokens </img>\n        read once
    question 1, answer 1 | question 2, answer 2 | ...

In most sequences every question sees the prefix and itself alone (a block mask; positions start
anew after the prefix), so that each learns to be asked first. In the others they follow one another,
as the turns of a real conversation do. Losses are asked for where answers stand; a box coordinate's
loss is spread over the neighbouring numbers, because 498 is nearly right where 499 is meant.
"""

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy
import torch
from transformers import PreTrainedTokenizerFast

from internvl_demo.conversation.tiling import IMAGENET_MEAN, IMAGENET_STD, TILE_PX
from internvl_demo.nano.shape import GRID, TOKENS_PER_TILE
from internvl_demo.nano.training.pointing import Look
from internvl_demo.nano.world.truth import PATCH_PX, ViewTruth

_FILLED = 0.75
"""The least share of a group's length that a conversation in it fills."""
_LENGTH_STEP = 64
"""Lengths are multiples of this, so that shapes come again: a CPU prepares a product of matrices for each new one."""

COORDINATE_SHARE = 0.4
"""What a coordinate's loss weighs beside that of a word that nobody could expect."""
SPREAD_SIGMA = 4.0
"""How far a coordinate's loss spreads, in thousandths."""
_SURE = 0.05
"""What a word's loss weighs that is quite sure."""


@dataclass
class Sequence:
    """One conversation as token ids.

    blocks: the question's number for each token (0: the prefix). chained: each question sees those before it.
    losses: the tokens to be learned. numbers: the value of box coordinates (-1: none).
    starts: where each view's first visual token stands; views: the numbers of all its views in the batch.
    points: for a word its place, where the view begins at which the decoder should look, and the tokens (64,) of it.
    """

    ids: list[int]
    blocks: list[int]
    losses: list[bool]
    numbers: list[int]
    chained: bool
    starts: list[int] = field(default_factory=list)
    views: range = range(0)
    points: list[tuple[int, int, numpy.ndarray]] = field(default_factory=list)


@dataclass
class Talk:
    """Conversations as tensors: ids, positions, losses and numbers (conversations, length).

    mask (conversations, 1, length, length) bool: true where a token may look. points (looks, 3): for each look of an
    answer (see `pointing`) its row, the place before its word (from where it is said) and where the 64 tokens of
    its view begin; cells (looks, 64) bool: those at which to look.
    views (views,): which of the batch's views the conversations show, in the order of their places in `ids`.
    """

    views: torch.Tensor
    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    losses: torch.Tensor
    numbers: torch.Tensor
    points: torch.Tensor
    cells: torch.Tensor

    def to(self, device: torch.device) -> "Talk":
        """Return the same tensors on another device."""
        return Talk(**{name: part.to(device, non_blocking=True) for name, part in vars(self).items()})


@dataclass
class Truth:
    """What views show, by patch; see `world.truth.ViewTruth`.

    looks (views, patches) int64, sides (views, patches, 4) float32, letters (views, patches, 4) int64, words
    (views, patches), digits (views, patches, 3) and ranks (views, patches) int64.
    """

    looks: torch.Tensor
    sides: torch.Tensor
    letters: torch.Tensor
    words: torch.Tensor
    digits: torch.Tensor
    ranks: torch.Tensor

    def to(self, device: torch.device) -> "Truth":
        """Return the same tensors on another device."""
        return Truth(**{name: part.to(device, non_blocking=True) for name, part in vars(self).items()})

    def __getitem__(self, chosen: torch.Tensor) -> "Truth":
        return Truth(**{name: part[chosen] for name, part in vars(self).items()})


@dataclass
class TokenTruth:
    """What visual tokens show, each a square of four patches.

    looks (views, 64), boxes (views, 64, 4) in normalised 0-1000 coordinates of the view, letters (views, 64, 16),
    words (views, 64), digits (views, 64, 3), ranks (views, 64).
    """

    looks: torch.Tensor
    boxes: torch.Tensor
    letters: torch.Tensor
    words: torch.Tensor
    digits: torch.Tensor
    ranks: torch.Tensor

    @property
    def shows(self) -> torch.Tensor:
        """Return which tokens show something, (views, 64) bool."""
        printed = (self.letters > 0).any(-1) | (self.words > 0) | (self.digits > 0).any(-1)
        return printed | (self.looks > 0)


@dataclass
class Batch:
    """One training step: views, what they show, and conversations about them.

    The pixels (views, 3, side, side) uint8 are missing where the truth itself is what the decoder reads. corners
    (views, 2): where each view's first patch lies on a tile's grid, as (row, column). learned: which views the vision
    encoder learns from. Conversations of about one length are together.
    """

    truth: Truth
    learned: torch.Tensor
    corners: torch.Tensor
    pixels: torch.Tensor | None = None
    talks: tuple[Talk, ...] = ()

    def to(self, device: torch.device) -> "Batch":
        """Return the same batch on another device."""
        learned, corners = self.learned.to(device), self.corners.to(device)
        pixels = None if self.pixels is None else self.pixels.to(device, non_blocking=True)
        talks = tuple(talk.to(device) for talk in self.talks)
        return Batch(self.truth.to(device), learned, corners, pixels, talks)


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Return uint8 pixels (views, 3, side, side) as float32, ImageNet-normalised as in `tiling.pixel_values`."""
    mean = torch.tensor(IMAGENET_MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=pixels.device).view(1, 3, 1, 1)
    return (pixels.float() / 255 - mean) / std


def pack_views(
    truths: list[ViewTruth],
    pixels: list[numpy.ndarray],
    learned: list[int] | None = None,
    corners: list[tuple[int, int]] | None = None,
) -> Batch:
    """Pack views (side, side, 3) uint8, or none, and what they show, into tensors."""
    parts = {name: numpy.stack([vars(truth)[name] for truth in truths]) for name in vars(truths[0])}
    truth = Truth(**{name: torch.from_numpy(part) for name, part in parts.items()})
    places = torch.tensor(corners or [(0, 0)] * len(truths))
    chosen = torch.tensor(range(len(truths)) if learned is None else learned, dtype=torch.long)
    if not pixels:
        return Batch(truth, chosen, places)
    stacked = torch.from_numpy(numpy.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return Batch(truth, chosen, places, stacked)


def pack_talks(sequences: list[Sequence], pad_id: int) -> tuple[Talk, ...]:
    """Pack conversations in groups of about one length, each padded to its longest: padding costs as much as text."""
    groups: list[list[Sequence]] = []
    for sequence in sorted(sequences, key=lambda one: -len(one.ids)):
        if not groups or len(sequence.ids) < _FILLED * len(groups[-1][0].ids):
            groups.append([])
        groups[-1].append(sequence)
    return tuple(_pack(group, pad_id) for group in groups)


def _pack(sequences: list[Sequence], pad_id: int) -> Talk:
    longest = max(len(sequence.ids) for sequence in sequences)
    length = -(-longest // _LENGTH_STEP) * _LENGTH_STEP
    shape = (len(sequences), length)
    ids = numpy.full(shape, pad_id, numpy.int64)
    blocks = numpy.full(shape, -1, numpy.int64)
    losses = numpy.zeros(shape, bool)
    numbers = numpy.full(shape, -1, numpy.int64)
    positions = numpy.zeros(shape, numpy.int64)
    chained = numpy.array([sequence.chained for sequence in sequences])
    for row, sequence in enumerate(sequences):
        count = len(sequence.ids)
        ids[row, :count], blocks[row, :count] = sequence.ids, sequence.blocks
        losses[row, :count], numbers[row, :count] = sequence.losses, sequence.numbers
        positions[row, :count] = _positions(sequence)
    same = blocks[:, :, None] == blocks[:, None, :]
    visible = same | (blocks[:, None, :] == 0) | chained[:, None, None]
    mask = visible & (blocks[:, None, :] >= 0) & numpy.tri(length, dtype=bool)
    mask |= numpy.eye(length, dtype=bool)
    points, cells = _points(sequences)
    views = numpy.array([view for sequence in sequences for view in sequence.views], numpy.int64)
    tensors = (views, ids, positions, mask[:, None], losses, numbers, points, cells)
    return Talk(*(torch.from_numpy(part) for part in tensors))


def _points(sequences: list[Sequence]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return `Talk.points` and `Talk.cells`."""
    rows = [
        (row, place - 1, start)
        for row, sequence in enumerate(sequences)
        for place, start, _ in sequence.points
    ]
    cells = [cells for sequence in sequences for _, _, cells in sequence.points]
    return numpy.array(rows, numpy.int64).reshape(-1, 3), numpy.array(cells, bool).reshape(
        -1, TOKENS_PER_TILE
    )


def _positions(sequence: Sequence) -> numpy.ndarray:
    """Return consecutive positions; with separate blocks, each block starts anew where the prefix ends."""
    if sequence.chained:
        return numpy.arange(len(sequence.ids))
    positions, prefix, block, start = [], sequence.blocks.count(0), 0, 0
    for index, number in enumerate(sequence.blocks):
        if number != block:
            block, start = number, index - prefix
        positions.append(index - start)
    return numpy.array(positions)


class SequenceWriter:
    """Text -> ids, with the losses' places. `prefix`, then any number of questions and answers."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self.tokenizer = tokenizer
        self.image_id = tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
        self.box_id, self.box_end_id = tokenizer.convert_tokens_to_ids(["<box>", "</box>"])
        values = {tokenizer.convert_tokens_to_ids(str(value)): value for value in range(1000)}
        self.value_of = values

    def start(self, segments: list[str | int], chained: bool) -> Sequence:
        """Begin a sequence with text and images (an int: its number of views)."""
        ids: list[int] = []
        starts: list[int] = []
        for segment in segments:
            if isinstance(segment, int):
                starts += [len(ids) + view * TOKENS_PER_TILE for view in range(segment)]
                ids += [self.image_id] * (segment * TOKENS_PER_TILE)
            else:
                ids += self._ids(segment)
        zeros = [0] * len(ids)
        return Sequence(ids, zeros, [False] * len(ids), [-1] * len(ids), chained, starts)

    def add(self, sequence: Sequence, asked: str, answer: str, looks: Iterable[Look] = ()) -> None:
        """Add one more question and the answer to be learned."""
        block = max(sequence.blocks) + 1
        encoded = self.tokenizer.backend_tokenizer.encode(answer, add_special_tokens=False)
        question, said = self._ids(asked), encoded.ids
        ends, before = [end for _, end in encoded.offsets], len(sequence.ids) + len(question)
        places = {before + bisect(ends, look.start): look for look in looks}  # one a token
        for place, look in places.items():
            sequence.points.append((place, sequence.starts[look.view], look.cells))
        sequence.ids += question + said
        sequence.blocks += [block] * (len(question) + len(said))
        sequence.losses += [False] * len(question) + [True] * len(said)
        sequence.numbers += [-1] * len(question) + self._values(said)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _values(self, ids: list[int]) -> list[int]:
        values, inside = [], False
        for token in ids:
            inside = token == self.box_id or (inside and token != self.box_end_id)
            values.append(self.value_of.get(token, -1) if inside else -1)
        return values


def answer_loss(
    logits: torch.Tensor, targets: torch.Tensor, numbers: torch.Tensor, number_ids: torch.Tensor
) -> torch.Tensor:
    """Return the cross-entropy of (tokens, vocabulary) logits; that of coordinates is spread, see `spread_loss`.

    Each token weighs by how much it was not expected: most of an answer follows from the question alone and is
    learned soon, while the few words that tell what the picture shows would drown among it.

    targets, numbers (tokens,): the true id, and its value where it is a coordinate, else -1.
    number_ids (1000,): the id of each number.
    """
    said = logits.float().log_softmax(-1)
    loss = -said.gather(1, targets[:, None])[:, 0]
    weight = _SURE + 1 - (-loss.detach()).exp()
    coordinate = numbers >= 0
    if coordinate.any():
        spread = spread_loss(said[coordinate][:, number_ids], numbers[coordinate])
        loss = loss.masked_scatter(coordinate, spread)
        weight = weight.masked_fill(coordinate, COORDINATE_SHARE)
    return (weight * loss).sum() / weight.sum()


def spread_loss(said: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy (places,) of log-probabilities (places, 1000), spread over neighbouring values.

    498 is nearly right where 499 is meant.
    """
    numbers = torch.arange(said.shape[1], device=said.device)
    weight = torch.exp(-0.5 * ((numbers - values[:, None]) / SPREAD_SIGMA) ** 2)
    return -(weight / weight.sum(1, keepdim=True) * said).sum(1)


def token_truth(truth: Truth) -> TokenTruth:
    """Convert the truth of the patches of whole tiles to that of visual tokens.

    The first of the four patches that shows something decides for all.
    """
    centres = (torch.arange(GRID, device=truth.sides.device) + 0.5) * PATCH_PX / TILE_PX
    middle = torch.stack([centres[None].expand(GRID, GRID), centres[:, None].expand(GRID, GRID)], dim=-1)
    grid = truth.sides.reshape(-1, GRID, GRID, 4)
    corners = torch.cat([middle - grid[..., :2], middle + grid[..., 2:]], dim=-1)
    squares = _squares(truth.looks[..., None])[..., 0]
    boxes = _squares(corners.flatten(1, 2))
    chosen = (squares > 0).float().argmax(-1, keepdim=True)
    box = boxes.gather(2, chosen[..., None].expand(-1, -1, 1, 4))[:, :, 0]
    return TokenTruth(
        looks=squares.gather(2, chosen)[..., 0],
        boxes=(1000 * box).round().long().clamp(0, 999),
        letters=_squares(truth.letters).flatten(2),
        words=_first(_squares(truth.words[..., None]))[..., 0],
        digits=_first(_squares(truth.digits)),
        ranks=_first(_squares(truth.ranks[..., None]))[..., 0],
    )


def _first(squares: torch.Tensor) -> torch.Tensor:
    """Reduce (views, 64, 4, n) to (views, 64, n): the first of four patches that holds anything."""
    holds = (squares > 0).any(-1, keepdim=True).float().argmax(2, keepdim=True)
    return squares.gather(2, holds.expand(-1, -1, 1, squares.shape[-1]))[:, :, 0]


def _squares(patches: torch.Tensor) -> torch.Tensor:
    """Group (views, 256, n) as (views, 64, 4, n): the four patches of each visual token."""
    views, half = len(patches), GRID // 2
    grid = patches.reshape(views, half, 2, half, 2, -1).transpose(2, 3)
    return grid.reshape(views, half * half, 4, -1)
