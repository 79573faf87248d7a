"""The stages of training, each a command, each resumable: `python -m internvl_demo train STAGE`.

    vision     the vision encoder alone: for every patch, what is there and where its object ends
    language   the decoder learns how people ask and what answers look like; vision frozen
    align      the MLP alone: every visual token lies where its object's name lies, and tells its box
    all        everything, the dense labels kept beside the language loss, vision at a quarter of the rate

Everything that a stage knows is in `RUN/STAGE.pt` (weights, optimiser, step), written every few
minutes and at the end; a stage starts from its own file if there is one, else from the stage before.
`RUN/log.jsonl` has a line for every hundred steps. Data come from worker processes, each batch from
its own seed: batch n is the same on every machine. CPU in float32, CUDA in bfloat16.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerFast

from internvl_demo.errors import SetupError
from internvl_demo.nano.batches import Batch, Talk, answer_loss, normalise, token_truth
from internvl_demo.nano.data import LessonBatches, VisionBatches
from internvl_demo.nano.model import DenseHead, Pointer, WordHead, fresh_model, fresh_vision
from internvl_demo.nano.vocabulary import kinds

STAGES = ("vision", "language", "align", "all")
_SAVE_SECONDS = 240
_SHARES = {"dense": 0.5, "words": 0.3, "points": 0.3}
"""What the training-only losses weigh beside the answers'."""


@dataclass(frozen=True)
class Recipe:
    """How a stage is trained: `views` pictures a step, `vision_rate` the vision encoder's share of the
    learning rate (0: frozen). The rate rises for `warm_up` steps, stays, and falls to zero over the
    last `fall` of the steps, so that a run can be made longer or cut short at any time."""

    steps: int
    views: int
    rate: float
    vision_rate: float = 1.0
    warm_up: int = 200
    fall: float = 0.3
    seed: int = 0


RECIPES = {
    "vision": Recipe(steps=2000, views=12, rate=2e-3, seed=0),
    "language": Recipe(steps=400, views=8, rate=2e-3, vision_rate=0.0, warm_up=100, fall=0.1, seed=1),
    "align": Recipe(steps=400, views=24, rate=2e-3, vision_rate=0.0, warm_up=50, seed=3),
    "all": Recipe(steps=3320, views=8, rate=2e-3, vision_rate=0.25, warm_up=50, fall=0.5, seed=2),
}


def rate_at(step: int, recipe: Recipe) -> float:
    """The share of the full learning rate at a step."""
    rising = min(1.0, (step + 1) / recipe.warm_up)
    falling = (recipe.steps - step) / max(1.0, recipe.fall * recipe.steps)
    return max(0.0, min(rising, falling, 1.0))


class Learner(torch.nn.Module):
    """The model in training: vision encoder and dense head, and the rest once there is a tokenizer."""

    number_ids: torch.Tensor
    name_ids: torch.Tensor

    def __init__(self, tokenizer: PreTrainedTokenizerFast | None):
        super().__init__()
        self.model: InternVLForConditionalGeneration | None = fresh_model(tokenizer) if tokenizer else None
        self.vision = self.model.model.vision_tower if self.model else fresh_vision()
        self.dense = DenseHead(self.vision.config.hidden_size, len(kinds()))
        if tokenizer and self.model:
            self.pointer = Pointer(self.model)
            self.words = WordHead(self.model.config.text_config.hidden_size)
            ids = tokenizer.convert_tokens_to_ids([str(value) for value in range(1000)])
            self.register_buffer("number_ids", torch.tensor(ids), persistent=False)
            names = [tokenizer(f" {kind.en}", add_special_tokens=False)["input_ids"][-1] for kind in kinds()]
            self.register_buffer("name_ids", torch.tensor(names), persistent=False)

    def forward(self, batch: Batch, freeze_vision: bool) -> dict[str, torch.Tensor]:
        """The losses of a batch by name."""
        patches = self._see(batch, freeze_vision)
        losses = {}
        if not freeze_vision:
            losses["dense"] = self.dense.loss(patches[batch.dense], batch.kinds, batch.sides)
        if self.model:
            visual = self._project(patches)
            losses["words"] = self._words(batch, visual[batch.dense])
            if batch.talk is not None:
                losses["answers"] = self._answers(batch.talk, visual)
                if len(batch.talk.points):
                    losses["points"] = self.pointer.loss(batch.talk.points, batch.talk.cells, batch.talk.mask)
        return losses

    def _see(self, batch: Batch, freeze_vision: bool) -> torch.Tensor:
        """Patch features (views, patches, width). Views without dense truth, tiles, teach the decoder only:
        going back through them as well would take most of a step's time."""
        pixels = normalise(batch.pixels)
        whole = torch.zeros(len(pixels), dtype=torch.bool, device=pixels.device)
        if not freeze_vision:
            whole[batch.dense] = True
        parts = []
        for chosen, learns in ((whole, True), (~whole, False)):
            if chosen.any():
                with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
                    parts.append(self.vision(pixel_values=pixels[chosen]).last_hidden_state[:, 1:])
        order = torch.cat([whole.nonzero(), (~whole).nonzero()]).flatten().argsort()
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

    def _words(self, batch: Batch, visual: torch.Tensor) -> torch.Tensor:
        assert self.model is not None
        names = self.model.get_input_embeddings().weight[self.name_ids].detach()
        numbers = self.model.lm_head.weight[self.number_ids].detach()
        kind, boxes = token_truth(batch.kinds, batch.sides)
        return self.words.loss(visual, kind, boxes, names, numbers)

    def _answers(self, talk: Talk, visual: torch.Tensor) -> torch.Tensor:
        assert self.model is not None
        inner = self.model.model
        embedded = inner.language_model.embed_tokens(talk.ids)
        places = (talk.ids == inner.config.image_token_id)[..., None]
        embedded = embedded.masked_scatter(places, visual.to(embedded.dtype))
        hidden = inner.language_model(
            inputs_embeds=embedded, attention_mask=talk.mask, position_ids=talk.positions, use_cache=False
        ).last_hidden_state
        wanted = talk.losses[:, 1:]
        logits = self.model.lm_head(hidden[:, :-1][wanted])
        return answer_loss(logits, talk.ids[:, 1:][wanted], talk.numbers[:, 1:][wanted], self.number_ids)


def train(
    stage: str, run: Path, *, steps: int | None = None, workers: int = 1, device: str = ""
) -> dict[str, Any]:
    """Trains a stage to its end and returns the last line of its log."""
    if stage not in STAGES:
        raise SetupError(f"There is no training stage {stage!r}.", f"Stages are {', '.join(STAGES)}.")
    recipe = RECIPES[stage]
    if steps is not None:
        recipe = Recipe(**{**vars(recipe), "steps": steps})
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
        self.tokenizer = None if name == "vision" else _tokenizer(run)
        torch.manual_seed(recipe.seed)
        self.learner = Learner(self.tokenizer).to(device)
        self.frozen = recipe.vision_rate == 0
        self.optimisers = self._optimisers()
        self.step = self._resume()

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices inside the layers, AdamW for all else; rates matched to AdamW's."""
        groups: dict[tuple[bool, float], list[torch.nn.Parameter]] = {}
        for name, parameter in self.learner.named_parameters():
            share = self.recipe.vision_rate if "vision" in name else 1.0
            if share and (self.name != "align" or name.startswith(("words", "model.model.multi_modal"))):
                inner = parameter.ndim == 2 and ".layer" in name
                groups.setdefault((inner, share), []).append(parameter)
        made: list[torch.optim.Optimizer] = []
        for (inner, share), parameters in groups.items():
            settings: dict[str, Any] = {"params": parameters, "full": self.recipe.rate * share}
            if inner:
                made.append(torch.optim.Muon([settings], weight_decay=0.05, adjust_lr_fn="match_rms_adamw"))
            else:
                made.append(torch.optim.AdamW([settings], betas=(0.9, 0.98), weight_decay=0.05))
        return made

    def _resume(self) -> int:
        own = self.run / f"{self.name}.pt"
        if own.exists():
            kept = torch.load(own, map_location=self.device, weights_only=True)
            self.learner.load_state_dict(kept["weights"])
            for optimiser, state in zip(self.optimisers, kept["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            return int(kept["step"])
        before = STAGES[STAGES.index(self.name) - 1] if self.name != STAGES[0] else None
        if before:
            earlier = self.run / f"{before}.pt"
            if not earlier.exists():
                raise SetupError(f"Stage {self.name} needs {earlier}.", f"Train the stage {before} first.")
            kept = torch.load(earlier, map_location=self.device, weights_only=True)
            self.learner.load_state_dict(kept["weights"], strict=False)
        return 0

    def run_through(self) -> dict[str, Any]:
        line: dict[str, Any] = {"stage": self.name, "step": self.step}
        saved = logged = time.monotonic()
        sums: dict[str, float] = {}
        for batch in self._batches():
            losses = self._learn(batch.to(self.device))
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + loss
            self.step += 1
            if self.step % 100 == 0 or self.step == self.recipe.steps:
                seconds, logged = time.monotonic() - logged, time.monotonic()
                counted = (self.step - 1) % 100 + 1
                means = {name: round(total / counted, 4) for name, total in sums.items()}
                line = {"stage": self.name, "step": self.step, **means, "seconds": round(seconds, 1)}
                sums = {}
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
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            losses = self.learner(batch, self.frozen)
        shares = _SHARES if "answers" in losses else {}
        total = torch.stack([loss * shares.get(name, 1.0) for name, loss in losses.items()]).sum()
        self.learner.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _batches(self) -> Iterator[Batch]:
        if self.name in ("vision", "align"):
            data: Dataset[Batch] = VisionBatches(self.recipe.seed, self.recipe.views)
        else:
            data = LessonBatches(self.recipe.seed, self.recipe.views, _tokenizer(self.run))
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


def _stand_back(_worker: int) -> None:
    """Drawing gives way to computing: a preempted thread stalls all the others."""
    os.nice(10)


def _tokenizer(run: Path) -> PreTrainedTokenizerFast:
    """The run's tokenizer, built the first time it is needed."""
    from internvl_demo.nano.tokenizer import build_tokenizer

    place = run / "tokenizer"
    if not place.exists():
        build_tokenizer().save_pretrained(place)
    return PreTrainedTokenizerFast.from_pretrained(place)
