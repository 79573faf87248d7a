"""Run the model in training: what it says of a batch, and how wrong that is.

A batch goes in, losses by name come out: {"answers": ..., "looks": ..., "points": ..., ...}. Which of them a stage
weighs how, and what learns from them, is decided in `train`.
"""

from pathlib import Path

import torch
from torch import nn
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerFast

from internvl_demo.nano.shape import GRID
from internvl_demo.nano.tokenizer import truth_words
from internvl_demo.nano.training.batches import Batch, Talk, answer_loss, normalise, token_truth
from internvl_demo.nano.training.model import (
    DenseHead,
    Pointer,
    TruthReader,
    fresh_model,
    fresh_vision,
    neighbours,
    see,
)

NUMBERS_SIGMA = 3.0
"""How far a coordinate shares with its neighbours what it learns where it is read, in thousandths."""
_NOISE = 0.3
"""How much of a visual token is made wrong on purpose while the decoder learns its language: no vision
encoder is perfect."""
_WANTED_STEP = 256
"""Words are said in multiples of this, as `batches` has lengths."""


class Learner(torch.nn.Module):
    """The model in training: vision encoder and dense head, and the rest once there is a tokenizer."""

    number_ids: torch.Tensor
    spread: torch.Tensor

    def __init__(self, tokenizer: PreTrainedTokenizerFast | None):
        super().__init__()
        self.model: InternVLForConditionalGeneration | None = fresh_model(tokenizer) if tokenizer else None
        self.vision = self.model.model.vision_tower if self.model else fresh_vision()
        self.dense = DenseHead(self.vision.config.hidden_size)
        if tokenizer and self.model:
            self.pointer = Pointer(self.model)
            self.truth = TruthReader(self.model.config.text_config.hidden_size, *truth_words(tokenizer))
            ids = tokenizer.convert_tokens_to_ids([str(value) for value in range(1000)])
            self.register_buffer("number_ids", torch.tensor(ids), persistent=False)
            self.register_buffer("spread", neighbours(NUMBERS_SIGMA), persistent=False)
            self.model.get_input_embeddings().weight.register_hook(self._spread)

    def _spread(self, gradient: torch.Tensor) -> torch.Tensor:
        """Spread the gradient of a number's embedding over its neighbours.

        In one conversation of thousands each number stands once; alone, numbers would lose their initial order.
        """
        return gradient.index_copy(0, self.number_ids, self.spread @ gradient[self.number_ids])

    def load_published(self, folder: Path) -> None:
        """Load the finished model of a folder."""
        assert self.model is not None
        finished = InternVLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.model.load_state_dict(finished.state_dict())
        with torch.no_grad():
            words = self.model.get_input_embeddings().weight
            words[self.number_ids] = self.spread @ words[self.number_ids]

    def forward(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        """Return the losses of a batch by name."""
        if stage == "language":
            assert self.model is not None
            tokens = self.truth(token_truth(batch.truth), self.model.get_input_embeddings().weight)
            wrong = (
                torch.randn_like(tokens)
                * TruthReader.SIZE
                * _NOISE
                * torch.rand(len(tokens), 1, 1).to(tokens)
            )
            return self._answers(batch, tokens + wrong)
        patches = self._see(batch)
        learned = batch.truth[batch.learned]
        losses = self.dense.loss(patches[batch.learned], learned)
        if self.model and patches.shape[1] == GRID**2:
            visual = self._project(patches)
            words = self.model.get_input_embeddings().weight
            if stage == "heads":
                return losses | {"tokens": self.truth.distance(visual, token_truth(learned), words)}
            losses |= self.truth.loss(visual[batch.learned], token_truth(learned), words)
            losses |= self._answers(batch, visual) if batch.talks else {}
        return losses

    def _see(self, batch: Batch) -> torch.Tensor:
        """Return patch features (views, patches, width); gradients flow back through the learned views only."""
        assert batch.pixels is not None
        pixels, learns = normalise(batch.pixels), torch.zeros(len(batch.pixels), dtype=torch.bool)
        learns[batch.learned.cpu()] = True
        parts = []
        for chosen, with_gradient in ((learns, True), (~learns, False)):
            if chosen.any():
                with torch.set_grad_enabled(with_gradient and torch.is_grad_enabled()):
                    parts.append(see(self.vision, pixels[chosen], batch.corners[chosen]))
        order = torch.cat([learns.nonzero(), (~learns).nonzero()]).flatten().argsort()
        return torch.cat(parts)[order]

    def _project(self, patches: torch.Tensor) -> torch.Tensor:
        """Project patch features (views, patches, width) to visual tokens (views, 64, decoder's width)."""
        assert self.model is not None
        inner = self.model.model
        side = round(patches.shape[1] ** 0.5)
        grids = patches.reshape(len(patches), side, side, -1)
        shuffled = inner.pixel_shuffle(grids, inner.config.downsample_ratio)
        visual: torch.Tensor = inner.multi_modal_projector(shuffled.flatten(1, 2))
        return visual

    def _answers(self, batch: Batch, visual: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the losses of all conversations: each token of an answer counts alike, and each coordinate."""
        answers, points = [], []
        for talk in batch.talks:
            answer, point = self._talk(talk, visual.index_select(0, talk.views))
            answers.append((answer, int(talk.losses[:, 1:].sum())))
            points.append((point, len(talk.points)))
        losses = {"answers": _mean(answers)}
        if any(count for _, count in points):
            losses["points"] = _mean(points)
        return losses

    def _talk(self, talk: Talk, visual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert self.model is not None
        inner = self.model.model
        embedded = inner.language_model.embed_tokens(talk.ids)
        places = (talk.ids == inner.config.image_token_id)[..., None]
        embedded = embedded.masked_scatter(places, visual.to(embedded.dtype))
        # to be added to the scores: attention that is not fused would add a mask of truths as ones
        kind = embedded.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else embedded.dtype
        hides = torch.zeros_like(talk.mask, dtype=dtype).masked_fill(~talk.mask, torch.finfo(dtype).min)
        hidden = inner.language_model(
            inputs_embeds=embedded, attention_mask=hides, position_ids=talk.positions, use_cache=False
        ).last_hidden_state
        wanted = talk.losses[:, 1:].flatten().nonzero()[:, 0]
        targets, numbers = (part[:, 1:].flatten()[wanted] for part in (talk.ids, talk.numbers))
        filled = nn.functional.pad(wanted, (0, -len(wanted) % _WANTED_STEP))
        said = hidden[:, :-1].flatten(0, 1).index_select(0, filled)
        answers = answer_loss(self.model.lm_head(said)[: len(wanted)], targets, numbers, self.number_ids)
        if not len(talk.points):
            return answers, answers.new_zeros(())
        return answers, self.pointer.loss(talk.points, talk.cells, talk.mask)


def _mean(parts: list[tuple[torch.Tensor, int]]) -> torch.Tensor:
    """Return the mean of means, each over so many."""
    total = sum(count for _, count in parts)
    return torch.stack([mean * (count / total) for mean, count in parts]).sum()
