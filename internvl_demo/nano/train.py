"""The stages of training, each a command, each resumable: `python -m internvl_demo train STAGE`.

    vision-112   the vision encoder alone, on small squares: what every patch shows
    vision-224   the same on larger ones
    vision-448   the same on whole tiles, and on squares full of print: continuous learning, as InternViT's
    language     the decoder alone: how people ask and what answers look like, from the truth in place of pixels
    align        vision encoder and MLP, the decoder frozen: the visual tokens become those that it reads
    all          everything

Everything that a stage knows is in `RUN/STAGE.pt` (weights, optimiser, step), written every few
minutes and at the end; a stage starts from its own file if there is one, else from the stages before.
`language` needs no other stage and can be trained beside the first three. `RUN/log.jsonl` has a line for
every hundred steps. Data come from worker processes, each batch from its own seed: batch n is the same
on every machine. In bfloat16 on CUDA and on processors that multiply it (AVX-512 BF16, AMX), else in float32.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerFast

from internvl_demo.errors import SetupError
from internvl_demo.nano.batches import Batch, Talk, answer_loss, normalise, token_truth
from internvl_demo.nano.data import LessonBatches, VisionBatches
from internvl_demo.nano.model import DenseHead, Pointer, TruthReader, fresh_model, fresh_vision, see
from internvl_demo.nano.muon import Muon
from internvl_demo.nano.shape import GRID
from internvl_demo.nano.tokenizer import build_tokenizer, truth_words
from internvl_demo.tiling import TILE_PX

_SAVE_SECONDS = 240
_SHARES = dict.fromkeys(
    ("looks", "sides", "overlap", "letters", "words", "digits", "ranks", "tokens", "said", "points"), 0.5
)
"""What the training-only losses weigh beside the answers'."""


@dataclass(frozen=True)
class Recipe:
    """How a stage is trained: from what stages it starts, which parts learn and at which share of the rate
    (by the beginning of their names), `views` a step, and the share of steps that are small squares full of print
    (`squares`). The rate rises for `warm_up` steps, stays, and falls to
    zero over the last `fall` of the steps, so that a run can be made longer or cut short at any time."""

    steps: int
    views: int
    rate: float
    learns: Mapping[str, float]
    after: tuple[str, ...] = ()
    view_px: int = TILE_PX
    squares: float = 0.0
    warm_up: int = 100
    fall: float = 0.4
    seed: int = 0


_TOWER = "model.model.vision_tower"
"""The vision encoder's name once the model is whole; alone it is `vision`."""
_VISION = {"vision": 1.0, _TOWER: 1.0, "dense": 1.0}
_DECODER = {"model.model.language_model": 1.0, "model.lm_head": 1.0}
RECIPES = {
    "vision-112": Recipe(4000, 96, 2e-3, _VISION, view_px=112, seed=1),
    "vision-224": Recipe(2000, 32, 1.5e-3, _VISION, ("vision-112",), 224, seed=2),
    "vision-448": Recipe(6000, 12, 1.5e-3, _VISION, ("vision-224",), squares=0.6, seed=3),
    "language": Recipe(3000, 10, 2e-3, {**_DECODER, "truth": 1.0}, seed=4),
    "align": Recipe(
        1200,
        12,
        1e-3,
        {**_VISION, "model.model.multi_modal": 2.0},
        ("vision-448", "language"),
        squares=0.25,
        seed=5,
    ),
    "all": Recipe(
        2600,
        12,
        1.6e-3,
        {**_VISION, **_DECODER, _TOWER: 0.5, "model.model.multi_modal": 1.0},
        ("align",),
        seed=6,
    ),
}
STAGES = tuple(RECIPES)
_NOISE = 0.3
"""How much of a visual token is made wrong on purpose while the decoder learns its language: no vision
encoder is perfect."""


def rate_at(step: int, recipe: Recipe) -> float:
    """The share of the full learning rate at a step."""
    rising = min(1.0, (step + 1) / recipe.warm_up)
    falling = (recipe.steps - step) / max(1.0, recipe.fall * recipe.steps)
    return max(0.0, min(rising, falling, 1.0))


class Learner(torch.nn.Module):
    """The model in training: vision encoder and dense head, and the rest once there is a tokenizer."""

    number_ids: torch.Tensor

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

    def forward(self, batch: Batch, stage: str) -> dict[str, torch.Tensor]:
        """The losses of a batch by name."""
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
            losses |= self.truth.loss(visual[batch.learned], token_truth(learned), words)
            losses |= self._answers(batch, visual) if batch.talks else {}
        return losses

    def _see(self, batch: Batch) -> torch.Tensor:
        """Patch features (views, patches, width). Gradients flow back through the learned views only."""
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
        """Patch features (views, patches, width) -> visual tokens (views, 64, decoder's width)."""
        assert self.model is not None
        inner = self.model.model
        side = round(patches.shape[1] ** 0.5)
        grids = patches.reshape(len(patches), side, side, -1)
        shuffled = inner.pixel_shuffle(grids, inner.config.downsample_ratio)
        visual: torch.Tensor = inner.multi_modal_projector(shuffled.flatten(1, 2))
        return visual

    def _answers(self, batch: Batch, visual: torch.Tensor) -> dict[str, torch.Tensor]:
        """The losses of all conversations: each token of an answer counts alike, and each coordinate."""
        answers, points = [], []
        for talk in batch.talks:
            answer, point = self._talk(talk, visual[talk.views])
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
        said = hidden[:, :-1].flatten(0, 1).index_select(0, wanted)
        targets, numbers = (part[:, 1:].flatten()[wanted] for part in (talk.ids, talk.numbers))
        answers = answer_loss(self.model.lm_head(said), targets, numbers, self.number_ids)
        if not len(talk.points):
            return answers, answers.new_zeros(())
        return answers, self.pointer.loss(talk.points, talk.cells, talk.mask)


def _mean(parts: list[tuple[torch.Tensor, int]]) -> torch.Tensor:
    """The mean of means, each over so many."""
    total = sum(count for _, count in parts)
    return torch.stack([mean * (count / total) for mean, count in parts]).sum()


def train(
    stage: str, run: Path, *, steps: int | None = None, workers: int = 1, device: str = ""
) -> dict[str, Any]:
    """Trains a stage to its end and returns the last line of its log."""
    if stage not in STAGES:
        raise SetupError(f"There is no training stage {stage!r}.", f"Stages are {', '.join(STAGES)}.")
    recipe = RECIPES[stage]
    if steps is not None:
        recipe = replace(recipe, steps=steps)
    run.mkdir(parents=True, exist_ok=True)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return _Stage(stage, recipe, run, place, workers).run_through()


def export_model(run: Path, stage: str, folder: Path) -> None:
    """Writes the stage's model and tokenizer to `folder`, in transformers' format and bfloat16."""
    tokenizer = _tokenizer(run)
    learner = Learner(tokenizer)
    learner.load_state_dict(torch.load(run / f"{stage}.pt", map_location="cpu", weights_only=True)["weights"])
    assert learner.model is not None
    learner.model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class _Stage:
    """One stage under way."""

    def __init__(self, name: str, recipe: Recipe, run: Path, device: torch.device, workers: int):
        self.name, self.recipe, self.run, self.device, self.workers = name, recipe, run, device, workers
        self.tokenizer = None if name.startswith("vision") else _tokenizer(run)
        torch.manual_seed(recipe.seed)
        self.learner = Learner(self.tokenizer).to(device)
        self.half = device.type == "cuda" or _multiplies_bfloat16()
        if device.type == "cpu":  # where the fused attention's backward is the slower one for so few patches
            (self.learner.model or self.learner.vision).set_attn_implementation("eager")
        self.optimisers = self._optimisers()
        self.step = self._resume()

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices inside the layers, AdamW for all else; rates matched to AdamW's."""
        groups: dict[tuple[bool, float], list[torch.nn.Parameter]] = {}
        for name, parameter in self.learner.named_parameters():
            share = self._share_of(name)
            parameter.requires_grad_(share > 0)
            if share:
                inner = parameter.ndim == 2 and ".layer" in name
                groups.setdefault((inner, share), []).append(parameter)
        made: list[torch.optim.Optimizer] = []
        for (inner, share), parameters in groups.items():
            settings: dict[str, Any] = {"params": parameters, "full": self.recipe.rate * share}
            if inner:
                dtype = torch.bfloat16 if self.half else torch.float32
                made.append(Muon([settings], weight_decay=0.05, dtype=dtype))
            else:
                made.append(torch.optim.AdamW([settings], betas=(0.9, 0.98), weight_decay=0.05))
        return made

    def _share_of(self, name: str) -> float:
        """Which share of the learning rate a parameter has; 0: frozen."""
        shares = [share for start, share in self.recipe.learns.items() if name.startswith(start)]
        return shares[0] if shares else 0.0

    def _resume(self) -> int:
        own = self.run / f"{self.name}.pt"
        if own.exists():
            kept = torch.load(own, map_location=self.device, weights_only=True)
            self.learner.load_state_dict(kept["weights"])
            for optimiser, state in zip(self.optimisers, kept["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            return int(kept["step"])
        for before in self.recipe.after:
            earlier = self.run / f"{before}.pt"
            if not earlier.exists():
                raise SetupError(f"Stage {self.name} needs {earlier}.", f"Train the stage {before} first.")
            kept = torch.load(earlier, map_location=self.device, weights_only=True)
            self.learner.load_state_dict(self._taken_from(before, kept["weights"]), strict=False)
        return 0

    @staticmethod
    def _taken_from(stage: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What a stage hands on. The vision encoder has two names once the model is whole."""
        if stage == "language":
            return {
                name: part for name, part in weights.items() if "vision" not in name and "dense" not in name
            }
        return weights | {
            name.replace("vision", _TOWER, 1): part
            for name, part in weights.items()
            if name.startswith("vision.")
        }

    def run_through(self) -> dict[str, Any]:
        line: dict[str, Any] = {"stage": self.name, "step": self.step}
        saved = logged = time.monotonic()
        seen: dict[str, list[float]] = {}
        for batch in self._batches():
            losses = self._learn(batch.to(self.device))
            for name, loss in losses.items():
                seen.setdefault(name, []).append(loss)
            self.step += 1
            if self.step % 100 == 0 or self.step == self.recipe.steps:
                seconds, logged = time.monotonic() - logged, time.monotonic()
                means = {name: round(fmean(values), 4) for name, values in seen.items()}
                line = {"stage": self.name, "step": self.step, **means, "seconds": round(seconds, 1)}
                seen = {}
                print(json.dumps(line), flush=True)
                with (self.run / "log.jsonl").open("a") as log:
                    log.write(json.dumps(line) + "\n")
            if time.monotonic() - saved > _SAVE_SECONDS:
                self._save()
                saved = time.monotonic()
        self._save()
        return line

    def _learn(self, batch: Batch) -> dict[str, float]:
        share = rate_at(self.step, self.recipe)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["full"] * share
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            losses = self.learner(batch, self.name)
        shares = _SHARES if "answers" in losses else {}
        total = torch.stack([loss * shares.get(name, 1.0) for name, loss in losses.items()]).sum()
        self.learner.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _batches(self) -> Iterator[Batch]:
        if self.name in ("language", "all"):
            data: Dataset[Batch] = LessonBatches(
                self.recipe.seed, self.recipe.views, _tokenizer(self.run), pixels=self.name == "all"
            )
        else:
            data = VisionBatches(
                self.recipe.seed, self.recipe.views, self.recipe.view_px, self.recipe.squares
            )
        order = range(self.step, self.recipe.steps)
        loader = DataLoader(
            data,
            batch_size=None,
            sampler=order,
            num_workers=self.workers,
            prefetch_factor=6 if self.workers else None,
            worker_init_fn=_stand_back,
        )
        return iter(loader)

    def _save(self) -> None:
        kept = {
            "weights": self.learner.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
        }
        fresh = self.run / f"{self.name}.new"
        torch.save(kept, fresh)
        fresh.replace(self.run / f"{self.name}.pt")


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16: 2.5 times as fast as float32, else five times slower."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _stand_back(_worker: int) -> None:
    """Drawing gives way to computing: a preempted thread stalls all the others."""
    os.nice(2)


def _tokenizer(run: Path) -> PreTrainedTokenizerFast:
    """The run's tokenizer, built the first time it is needed."""
    place = run / "tokenizer"
    if not place.exists():
        build_tokenizer().save_pretrained(place)
    return PreTrainedTokenizerFast.from_pretrained(place)
