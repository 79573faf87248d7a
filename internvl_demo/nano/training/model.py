"""The architecture of InternVL 1.5 at small scale: InternViT, pixel shuffle + MLP, a Llama-form decoder.

InternViT-6B's form (RMS norms, normalised queries and keys, no attention bias, layer scale) and
InternLM2's (Llama with grouped key/value heads), in `transformers`' own classes, so that the finished
model is loaded like any other checkpoint. Patches of 28 pixels make 64 visual tokens a tile instead of
256: four times cheaper on a CPU. Heads are 64 wide, which TurboMind can serve.

Three things exist in training only, because the language loss alone takes hours to teach what they teach in
minutes. `DenseHead` asks the vision encoder, for every patch, what is there, how far its object's four sides
are, and which letters, which word and which number are printed there. `TruthReader` writes the truth itself as
visual tokens, in the decoder's own words: the decoder learns its language from them, before it ever meets
pixels, and they are then what the vision encoder and the MLP shall say.
`Pointer` asks one head of the decoder to look at what is being named, boxed or read.
"""

from typing import Any

import torch
from torch import nn
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.internvl.modeling_internvl import InternVLVisionModel
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from internvl_demo.conversation.prompt import IMG_CONTEXT
from internvl_demo.conversation.tiling import TILE_PX
from internvl_demo.nano.shape import GRID, TOKENS_PER_TILE
from internvl_demo.nano.training.batches import TokenTruth, Truth
from internvl_demo.nano.world.truth import DIGITS, LETTERS, PATCH_PX, WORD_CHOICES
from internvl_demo.nano.world.vocabulary import looks

CONTEXT_LENGTH = 8192
"""Three images at 40 tiles fit (3 x 41 x 64 tokens and the text), as in the 26B's 32,768."""


def vision_config() -> InternVLVisionConfig:
    """Return the configuration of the vision encoder: an InternViT of 6 layers, 192 wide."""
    return InternVLVisionConfig(
        hidden_size=192,
        num_hidden_layers=6,
        num_attention_heads=3,
        intermediate_size=768,
        image_size=TILE_PX,
        patch_size=PATCH_PX,
        use_qk_norm=True,
        norm_type="rms_norm",
        attention_bias=False,
        layer_scale_init_value=1.0,
    )


def model_config(tokenizer: PreTrainedTokenizerFast) -> InternVLConfig:
    """Return the whole model's configuration: vision, MLP, and a decoder of 6 layers, 256 wide."""
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        intermediate_size=768,
        max_position_embeddings=CONTEXT_LENGTH,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        bos_token_id=tokenizer.convert_tokens_to_ids("<s>"),
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("</s>"),
        tie_word_embeddings=False,
    )
    return InternVLConfig(
        vision_config=vision_config(),
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids(IMG_CONTEXT),
        image_seq_length=TOKENS_PER_TILE,
        tie_word_embeddings=False,
    )


def fresh_vision() -> InternVLVisionModel:
    """Return a new vision encoder that can learn places: its positions start as sines and cosines, not zeros."""
    vision = InternVLVisionModel(vision_config())
    projection = vision.embeddings.patch_embeddings.projection
    nn.init.normal_(projection.weight, std=projection.weight[0].numel() ** -0.5)
    with torch.no_grad():
        vision.embeddings.position_embeddings[0, 1:] = _sines(GRID, vision.config.hidden_size)
    return vision


def fresh_model(tokenizer: PreTrainedTokenizerFast) -> InternVLForConditionalGeneration:
    """Return the whole model, freshly initialised."""
    model = InternVLForConditionalGeneration(model_config(tokenizer))
    model.model.vision_tower.load_state_dict(fresh_vision().state_dict())
    number_ids = tokenizer.convert_tokens_to_ids([str(value) for value in range(1000)])
    with torch.no_grad():
        for rows in (model.get_input_embeddings().weight, model.lm_head.weight):
            rows[number_ids] = number_rows(rows.shape[1])
    return model


def see(vision: InternVLVisionModel, pixels: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Encode normalised pixels (views, 3, side, side) to patch features (views, patches, width).

    A view smaller than a tile is seen as the part of a tile whose first patch lies at `corners` (views, 2), row and
    column.
    """
    side = pixels.shape[-1] // PATCH_PX
    inner = vision.embeddings
    assert inner.position_embeddings is not None
    rows = corners[:, 0, None, None] + torch.arange(side, device=pixels.device)[:, None]
    columns = corners[:, 1, None, None] + torch.arange(side, device=pixels.device)[None]
    places = inner.position_embeddings[0, 1:][(rows * GRID + columns).flatten(1)]
    patches = _embedded(inner.patch_embeddings.projection, pixels) + places
    first = (inner.cls_token + inner.position_embeddings[:, :1]).expand(len(pixels), -1, -1)
    hidden = vision.encoder(torch.cat([first, patches], dim=1))[0]
    features: torch.Tensor = vision.layernorm(hidden)[:, 1:]
    return features


def _embedded(projection: nn.Conv2d, pixels: torch.Tensor) -> torch.Tensor:
    """Embed pixels (views, 3, side, side) as (views, patches, width), as the convolution does.

    It is one product of matrices, since patches do not overlap: a convolution's backward pass took 50 to 65 ms of a
    step on a CPU.
    """
    side = pixels.shape[-1] // PATCH_PX
    grid = pixels.reshape(len(pixels), 3, side, PATCH_PX, side, PATCH_PX)
    flat = grid.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    return nn.functional.linear(flat, projection.weight.flatten(1), projection.bias)


def number_rows(width: int) -> torch.Tensor:
    """Return the numbers 0..999 as sines and cosines of their value, (1000, width).

    Near numbers lie near each other, so that a coordinate is learned as one quantity, not as a thousand words.
    """
    source = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(width, width // 2, generator=source))
    rates = 2 * torch.pi / 1000 * 0.5 * 100 ** torch.linspace(0, 1, width // 4)
    angles = torch.arange(1000)[:, None] * rates
    rows: torch.Tensor = torch.cat([angles.sin(), angles.cos()], dim=1) @ basis.T / (width // 4) ** 0.5
    return rows


def neighbours(sigma: float) -> torch.Tensor:
    """Return how much each number 0..999 has of each, (1000, 1000), rows of sum 1: a bell of width `sigma`."""
    numbers = torch.arange(1000)
    bell = torch.exp(-0.5 * ((numbers - numbers[:, None]) / sigma) ** 2)
    return bell / bell.sum(1, keepdim=True)


def _sines(grid: int, width: int) -> torch.Tensor:
    """Return 2-D sine-cosine positions, (grid * grid, width): a half for the column, a half for the row."""
    rates = 100.0 ** -(torch.arange(width // 4) / (width // 4))
    angles = torch.arange(grid)[:, None] * rates
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns = line[None].expand(grid, grid, -1)
    rows = line[:, None].expand(grid, grid, -1)
    return torch.cat([columns, rows], dim=2).reshape(grid * grid, width)


class DenseHead(nn.Module):
    """Predict from patch features (views, patches, width) what `world.truth.ViewTruth` says of their patches."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.looks = nn.Linear(width, len(looks()) + 1)
        self.sides = nn.Linear(width, 4)
        self.letters = nn.Linear(width, 4 * (len(LETTERS) + 1))
        self.words = nn.Linear(width, WORD_CHOICES)
        self.digits = nn.Linear(width, DIGITS * 11)
        self.ranks = nn.Linear(width, 3)

    def loss(self, patches: torch.Tensor, truth: Truth) -> dict[str, torch.Tensor]:
        """Return the losses against the truth of the same views.

        Nothing is most of every picture, so it weighs a quarter.
        """
        patches = self.norm(patches)
        said = self.looks(patches).float()
        losses = {"looks": _naming(said, truth.looks)}
        on = (truth.sides > 0).any(-1)  # small print shows something, but has no sides
        if on.any():
            sides = _at(self.sides(patches), on).float()
            losses["sides"] = 8 * (sides - truth.sides[on]).abs().mean()
            losses["overlap"] = 1 - _overlap(sides, truth.sides[on]).mean()
        # most of the patches without print are not asked
        printed = (truth.letters > 0).any(-1) | (truth.words > 0) | (truth.digits > 0).any(-1)
        asked = printed | (torch.rand(printed.shape, device=printed.device) < 0.15)
        if asked.any():
            spelled = _at(self.letters(patches), asked).float().reshape(-1, 4, len(LETTERS) + 1)
            losses["letters"] = _naming(spelled, truth.letters[asked])
            losses["words"] = _naming(_at(self.words(patches), asked).float(), truth.words[asked])
            numbers = _at(self.digits(patches), asked).float().reshape(-1, DIGITS, 11)
            losses["digits"] = _naming(numbers, truth.digits[asked])
            losses["ranks"] = _naming(_at(self.ranks(patches), asked).float(), truth.ranks[asked])
        return losses


def _at(values: torch.Tensor, on: torch.Tensor) -> torch.Tensor:
    """Return values[on] of (a, b, width) by (a, b) truths, with a faster backward pass.

    Heads predict for all patches, and what is needed is picked afterwards, so that their products have the same
    shapes again and again.
    """
    return values.flatten(0, 1).index_select(0, on.flatten().nonzero()[:, 0])


def _overlap(sides: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the intersection over union (n,) of the boxes that two sets of distances (n, 4) to four sides span.

    Small objects ask for finer sides than large ones.
    """
    sides = sides.clamp(min=1e-3)
    shared = torch.minimum(sides, truth).clamp(min=0)
    inner = (shared[:, 0] + shared[:, 2]) * (shared[:, 1] + shared[:, 3])
    areas = [(box[:, 0] + box[:, 2]) * (box[:, 1] + box[:, 3]) for box in (sides, truth)]
    return inner / (areas[0] + areas[1] - inner + 1e-6)


def _naming(said: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of (..., choices) against (...,), the choice 0 weighing a quarter."""
    weight = torch.ones(said.shape[-1], device=said.device)
    weight[0] = 0.25
    return nn.functional.cross_entropy(said.flatten(0, -2), truth.flatten(), weight)


class TruthReader(nn.Module):
    """Writes the truth of whole tiles as visual tokens (views, 64, width): what there is, its box, what is printed.

    What there is, is written with the embeddings of its names in both languages, and a letter with its own: what
    the decoder has learned about repeating a word of the question then serves for saying what it sees. `names`
    (looks, n): the ids of the names' tokens, -1: none. `letters` (letters,), `words` (words,): those of the letters
    and the printed words.
    """

    SIZE = 0.1
    """Root mean square of a token."""

    numbers: torch.Tensor
    name_ids: torch.Tensor
    letter_ids: torch.Tensor
    word_ids: torch.Tensor

    def __init__(self, width: int, names: torch.Tensor, letters: torch.Tensor, words: torch.Tensor):
        super().__init__()
        self.looks = nn.Embedding(len(looks()) + 1, width)
        self.letters = nn.Embedding(16 * (len(LETTERS) + 1), width)
        self.words = nn.Embedding(WORD_CHOICES, width)
        self.digits = nn.Embedding(DIGITS * 11, width)
        self.ranks = nn.Embedding(3, width)
        self.places = nn.Parameter(_sines(GRID // 2, width) / 2)
        self.corners = nn.Linear(4 * width, width, bias=False)
        nn.init.normal_(self.looks.weight, std=0.3)
        nn.init.normal_(self.letters.weight, std=0.3)
        nn.init.normal_(self.words.weight, std=0.3)
        nn.init.normal_(self.digits.weight, std=0.5)
        nn.init.normal_(self.ranks.weight, std=0.5)
        nn.init.normal_(self.corners.weight, std=0.7)
        self.register_buffer("numbers", number_rows(width), persistent=False)
        self.register_buffer("name_ids", names, persistent=False)
        self.register_buffer("letter_ids", letters, persistent=False)
        self.register_buffer("word_ids", words, persistent=False)

    def forward(self, truth: TokenTruth, embeddings: torch.Tensor) -> torch.Tensor:
        """Write a view's truth as visual tokens; `embeddings` (vocabulary, width) are the decoder's."""
        corners = self.corners(self.numbers[truth.boxes].flatten(-2))
        slots = torch.arange(16, device=embeddings.device) * (len(LETTERS) + 1)
        letter_rows = self._row(embeddings, self.letter_ids[:, None])
        spelled = self.letters(slots + truth.letters) + 0.2 * letter_rows[truth.letters]
        named = self._names(embeddings)[truth.looks]
        words = self._words(embeddings)[truth.words]
        places = torch.arange(DIGITS, device=embeddings.device)
        numbers = self._digits(embeddings)[places, truth.digits]
        sums = (
            (named + corners) * (truth.looks > 0)[..., None]
            + (spelled * (truth.letters > 0)[..., None]).sum(-2)
            + words * (truth.words > 0)[..., None]
            + (numbers * (truth.digits > 0)[..., None]).sum(-2)
            + self.ranks(truth.ranks) * (truth.ranks > 0)[..., None]
            + self.places
        )
        return self.SIZE * nn.functional.rms_norm(sums, sums.shape[-1:])

    def _names(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return how each look is written, (looks, width)."""
        return self.looks.weight + self._row(embeddings, self.name_ids)

    def _words(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return how each printed word is written, (printed words, width)."""
        return self.words.weight + self._row(embeddings, self.word_ids[:, None])

    def _digits(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Return how each digit at each place is written, (places, 11, width).

        A digit is a letter, too: the row after the last capital's is that of 0.
        """
        rows = self._row(embeddings, self.letter_ids[:, None])[LETTERS.index("0") :][:11]
        return self.digits.weight.reshape(DIGITS, 11, -1) + 0.5 * rows

    @staticmethod
    def _row(words: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of each row of ids (rows, n) as one vector of root mean square 1: (rows, width)."""
        summed = (nn.functional.normalize(words[ids.clamp(min=0)], dim=-1) * (ids >= 0)[..., None]).sum(-2)
        return nn.functional.rms_norm(summed, summed.shape[-1:], eps=1e-6)

    def distance(
        self, visual: torch.Tensor, truth: TokenTruth, embeddings: torch.Tensor, still: bool = False
    ) -> torch.Tensor:
        """Return the distance of visual tokens from the truth's, as a share of their variance.

        Either side learns from it: where the truth's writing stands `still`, the vision encoder and the MLP learn what
        is true; else the writing learns how a finished model puts it.
        """
        written = self(truth, embeddings.detach()) / self.SIZE
        far = (visual.float() / self.SIZE - (written.detach() if still else written)).square().mean(-1)
        weight = torch.where(truth.shows, 1.0, 0.25)
        mean: torch.Tensor = (weight * far).sum() / weight.sum()
        return mean

    def loss(
        self, visual: torch.Tensor, truth: TokenTruth, embeddings: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return how far visual tokens (views, 64, width) are from the truth's, as losses by name.

        tokens: as a share of the truth's variance; those that show nothing weigh a quarter. said: which name, which
        word and which digits they say, as cross-entropy: of a token's variance a word is too little to be
        learned by distance alone.
        """
        embeddings, seen = embeddings.detach(), visual.float() / self.SIZE
        losses = {"tokens": self.distance(visual, truth, embeddings, still=True)}
        said = [
            _chosen(seen, self._names(embeddings), truth.looks),
            _chosen(seen, self._words(embeddings), truth.words),
            *(
                _chosen(seen, rows, truth.digits[..., place])
                for place, rows in enumerate(self._digits(embeddings))
            ),
        ]
        losses["said"] = torch.stack(said).mean()
        return losses


_SHARP = 4.0
"""A quarter of what the truth says of a word is enough to tell it from others: no need to give up all else for it."""


def _chosen(seen: torch.Tensor, rows: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of which row (choices, width) is in tokens (views, 64, width).

    Only where truth (views, 64) is not 0.
    """
    on = truth > 0
    if not on.any():
        return seen.new_zeros(())
    scores = _at(_SHARP * seen @ nn.functional.normalize(rows.detach(), dim=-1).T, on)
    return nn.functional.cross_entropy(scores[:, 1:], truth[on] - 1)


class Pointer:
    """Where one attention head of the decoder looks when it says a word about a picture. Listens to its layer."""

    LAYER, HEAD = 3, 0

    def __init__(self, model: InternVLForConditionalGeneration):
        layer = model.model.language_model.layers[self.LAYER]
        self.norm, self.attention = layer.input_layernorm, layer.self_attn
        layer.register_forward_pre_hook(self._listen, with_kwargs=True)

    def _listen(self, _module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.heard = (
            named.get("hidden_states", arguments[0] if arguments else None),
            named["position_embeddings"],
        )

    def loss(self, points: torch.Tensor, cells: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return how little of the head's attention falls on the object; see `batches.Talk` for the arguments."""
        hidden, (cos, sin) = self.heard
        hidden = self.norm(hidden)
        width = self.attention.head_dim
        queries = self.attention.q_proj(hidden).unflatten(-1, (-1, width))[:, :, self.HEAD]
        keys = self.attention.k_proj(hidden).unflatten(-1, (-1, width))[:, :, 0]
        queries, keys = apply_rotary_pos_emb(queries[:, None], keys[:, None], cos, sin)
        rows, places, starts = points.unbind(1)
        every = (queries[:, 0] @ keys[:, 0].transpose(1, 2)).flatten(0, 1)
        scores = every.index_select(0, rows * hidden.shape[1] + places).float() * width**-0.5
        look = scores.masked_fill(~mask[rows, 0, places], -torch.inf).log_softmax(1)
        there = look.gather(1, starts[:, None] + torch.arange(cells.shape[1], device=points.device))
        missed: torch.Tensor = -there.masked_fill(~cells, -torch.inf).logsumexp(1).mean()
        return missed
