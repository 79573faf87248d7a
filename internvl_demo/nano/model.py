"""The architecture of InternVL 1.5 at small scale: InternViT, pixel shuffle + MLP, a Llama-form decoder.

InternViT-6B's form (RMS norms, normalised queries and keys, no attention bias, layer scale) and
InternLM2's (Llama with grouped key/value heads), in `transformers`' own classes, so that the finished
model is loaded like any other checkpoint. Patches of 28 pixels make 64 visual tokens a tile instead of
256: four times cheaper on a CPU. Heads are 64 wide, which TurboMind can serve.

Three things exist in training only, because the language loss alone takes hours to teach what they teach in
minutes. `DenseHead` asks the vision encoder, for every patch, what is there and how far its object's four
sides are. `WordHead` asks the MLP for the same in the decoder's own words: every visual token shall lie where
the embedding of its object's name lies, and tell the four numbers of its box. `Pointer` asks one head of
the decoder to look at the object whose coordinates are being said.
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

from internvl_demo.prompt import IMG_CONTEXT
from internvl_demo.tiling import TILE_PX

PATCH_PX = 28
GRID = TILE_PX // PATCH_PX
TOKENS_PER_TILE = (GRID // 2) ** 2
CONTEXT_LENGTH = 8192
"""Three images at 40 tiles fit (3 x 41 x 64 tokens and the text), as in the 26B's 32,768."""


SPREAD_SIGMA = 4.0
"""How far a coordinate's loss spreads, in thousandths."""


def vision_config() -> InternVLVisionConfig:
    """InternViT: 4 layers of 192."""
    return InternVLVisionConfig(
        hidden_size=192,
        num_hidden_layers=4,
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
    """The whole: vision, MLP and a decoder of 4 layers of 256 over the tokenizer's vocabulary."""
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        num_hidden_layers=4,
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
    """A vision encoder that can learn place: positions start as sines and cosines, not zeros."""
    vision = InternVLVisionModel(vision_config())
    projection = vision.embeddings.patch_embeddings.projection
    nn.init.normal_(projection.weight, std=projection.weight[0].numel() ** -0.5)
    with torch.no_grad():
        vision.embeddings.position_embeddings[0, 1:] = _sines(GRID, vision.config.hidden_size)
    return vision


def fresh_model(tokenizer: PreTrainedTokenizerFast) -> InternVLForConditionalGeneration:
    """The whole model, freshly initialised."""
    model = InternVLForConditionalGeneration(model_config(tokenizer))
    model.model.vision_tower.load_state_dict(fresh_vision().state_dict())
    order_numbers(model, tokenizer.convert_tokens_to_ids([str(value) for value in range(1000)]))
    return model


def order_numbers(model: InternVLForConditionalGeneration, number_ids: list[int]) -> None:
    """Lets the numbers 0..999 start as sines and cosines of their value, to be read and to be said: near
    numbers lie near each other, so that a coordinate is learned as one quantity, not as a thousand words."""
    width = model.config.text_config.hidden_size
    source = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(width, width // 2, generator=source))
    rates = 2 * torch.pi / 1000 * 0.5 * 100 ** torch.linspace(0, 1, width // 4)
    angles = torch.arange(1000)[:, None] * rates
    rows = torch.cat([angles.sin(), angles.cos()], dim=1) @ basis.T / (width // 4) ** 0.5
    with torch.no_grad():
        model.get_input_embeddings().weight[number_ids] = rows
        model.lm_head.weight[number_ids] = rows


def _sines(grid: int, width: int) -> torch.Tensor:
    """2-D sine-cosine positions, (grid * grid, width): a half for the column, a half for the row."""
    rates = 100.0 ** -(torch.arange(width // 4) / (width // 4))
    angles = torch.arange(grid)[:, None] * rates
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns = line[None].expand(grid, grid, -1)
    rows = line[:, None].expand(grid, grid, -1)
    return torch.cat([columns, rows], dim=2).reshape(grid * grid, width)


class DenseHead(nn.Module):
    """Patch features (views, 256, width) -> kinds (views, 256, kinds + 1) and sides (views, 256, 4).

    Kind 0 is background. Sides are the distances from the patch's centre to its object's left, top,
    right and bottom, in tiles.
    """

    def __init__(self, width: int, kind_count: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.kinds = nn.Linear(width, kind_count + 1)
        self.sides = nn.Linear(width, 4)

    def forward(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        patches = self.norm(patches)
        return self.kinds(patches), self.sides(patches)

    def loss(self, patches: torch.Tensor, kinds: torch.Tensor, sides: torch.Tensor) -> torch.Tensor:
        """Against truth of the same shapes: `kinds` (views, 256) int64, `sides` (views, 256, 4).

        Background is most of every picture, so it weighs a quarter.
        """
        said_kinds, said_sides = self(patches)
        weight = torch.ones(said_kinds.shape[-1], device=patches.device)
        weight[0] = 0.25
        naming = nn.functional.cross_entropy(said_kinds.float().flatten(0, 1), kinds.flatten(), weight)
        on = kinds > 0
        if not on.any():
            return naming
        placing: torch.Tensor = (said_sides.float()[on] - sides[on]).abs().mean()
        return naming + 8 * placing


class WordHead(nn.Module):
    """Visual tokens (views, 64, width) in the decoder's words: names by their nearness to word embeddings,
    box coordinates through the decoder's own numbers."""

    def __init__(self, width: int):
        super().__init__()
        self.nothing = nn.Parameter(torch.randn(width))
        self.corners = nn.Linear(width, 4 * width)

    def loss(
        self,
        visual: torch.Tensor,
        kinds: torch.Tensor,
        boxes: torch.Tensor,
        names: torch.Tensor,
        numbers: torch.Tensor,
    ) -> torch.Tensor:
        """kinds (views, 64) int64, 0 for nothing; boxes (views, 64, 4) int64 in thousandths; names (kinds,
        width) and numbers (1000, width): the embeddings of each kind's name, the output rows of each number."""
        table = nn.functional.normalize(torch.cat([self.nothing[None], names]), dim=1)
        near = 15 * nn.functional.normalize(visual.float(), dim=2) @ table.T
        naming = nn.functional.cross_entropy(near.flatten(0, 1), kinds.flatten())
        on = kinds > 0
        if not on.any():
            return naming
        said = (self.corners(visual[on]).unflatten(1, (4, -1)).float() @ numbers.T).log_softmax(2)
        return naming + spread_loss(said.flatten(0, 1), boxes[on].flatten()).mean()


def spread_loss(said: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Cross-entropy (places,) of log-probabilities (places, 1000) with each true value spread over its
    neighbours: 498 is nearly right where 499 is meant."""
    numbers = torch.arange(said.shape[1], device=said.device)
    weight = torch.exp(-0.5 * ((numbers - values[:, None]) / SPREAD_SIGMA) ** 2)
    return -(weight / weight.sum(1, keepdim=True) * said).sum(1)


class Pointer:
    """Where one attention head of the decoder looks when it says a coordinate. Listens to its layer."""

    LAYER, HEAD = 2, 0

    def __init__(self, model: InternVLForConditionalGeneration):
        self.attention = model.model.language_model.layers[self.LAYER].self_attn
        self.attention.register_forward_pre_hook(self._listen, with_kwargs=True)

    def _listen(self, _module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.heard = (
            named.get("hidden_states", arguments[0] if arguments else None),
            named["position_embeddings"],
        )

    def loss(self, points: torch.Tensor, cells: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """How little of the head's look falls on the object; see `batches.Talk` for the arguments."""
        hidden, (cos, sin) = self.heard
        width = self.attention.head_dim
        queries = self.attention.q_proj(hidden).unflatten(-1, (-1, width))[:, :, self.HEAD]
        keys = self.attention.k_proj(hidden).unflatten(-1, (-1, width))[:, :, 0]
        queries, keys = apply_rotary_pos_emb(queries[:, None], keys[:, None], cos, sin)
        rows, places, starts = points.unbind(1)
        scores = (queries[rows, 0, places][:, None] @ keys[rows, 0].transpose(1, 2))[
            :, 0
        ].float() * width**-0.5
        look = scores.masked_fill(~mask[rows, 0, places], -torch.inf).log_softmax(1)
        there = look.gather(1, starts[:, None] + torch.arange(cells.shape[1], device=points.device))
        missed: torch.Tensor = -there.masked_fill(~cells, -torch.inf).logsumexp(1).mean()
        return missed
