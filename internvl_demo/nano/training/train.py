"""The stages of training, each a command, each resumable: `python -m internvl_demo train STAGE`.

    vision-112   the vision encoder alone, on small squares: what every patch shows
    vision-224   the same on larger ones
    vision-448   the same on whole tiles, and on squares full of print: continuous learning, as InternViT's
    language     the decoder alone: how people ask and what answers look like, from the truth in place of pixels
    align        vision encoder and MLP, the decoder frozen: the visual tokens become those that it reads
    all          everything
    heads        the parts that only training has, anew, for the finished model of assets/nano, which stands still:
                 `all --after heads` goes on from published weights

Everything that a stage knows is in `RUN/STAGE.pt` (weights, optimiser, step), written every few
minutes and at the end; a stage starts from its own file if there is one, else from the stages before.
`language` needs no other stage and can be trained beside the first three. `RUN/log.jsonl` has a line for
every hundred steps. Data come from worker processes, each batch from its own seed: batch n is the same
on every machine. In bfloat16 on CUDA and on processors that multiply it (AVX-512 BF16, AMX), else in float32.
On two cores version 4 was trained with `--processes 2 --workers 0 --compile`.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from internvl_demo.conversation.template import V1_5
from internvl_demo.conversation.template_files import jinja_of
from internvl_demo.errors import SetupError
from internvl_demo.nano.tokenizer import build_tokenizer
from internvl_demo.nano.training.batches import Batch
from internvl_demo.nano.training.data import LessonBatches, VisionBatches
from internvl_demo.nano.training.learner import Learner
from internvl_demo.nano.training.muon import Muon
from internvl_demo.nano.training.parallel import rank, run_together, share_gradients, size
from internvl_demo.nano.training.recipes import RECIPES, STAGES, TOWER, Recipe, rate_at
from internvl_demo.nano.world.vocabulary import NANO_DIR

_SAVE_SECONDS = 240
_SHARES = dict.fromkeys(
    ("looks", "sides", "overlap", "letters", "words", "digits", "ranks", "tokens", "said", "points"), 0.5
)
"""What the training-only losses weigh beside the answers'."""


def train(
    stage: str,
    run: Path,
    *,
    steps: int | None = None,
    after: str = "",
    workers: int = 1,
    processes: int = 1,
    device: str = "",
    compiled: bool = False,
) -> dict[str, Any]:
    """Train a stage to its end; return the last line of its log.

    after: the stage to start from instead of the recipe's. processes: how many train together, each on batches of its
    own. compiled: layers as machine code of their own, which takes two minutes and a C++ compiler, and makes a step's
    passes 1.8 times as fast on a CPU.
    """
    for name in filter(None, (stage, after)):
        if name not in STAGES:
            raise SetupError(f"There is no training stage {name!r}.", f"Stages are {', '.join(STAGES)}.")
    recipe = RECIPES[stage]
    recipe = replace(recipe, steps=steps or recipe.steps, after=(after,) if after else recipe.after)
    if not (run / f"{stage}.pt").exists():
        _check_earlier(stage, recipe, run)
    run.mkdir(parents=True, exist_ok=True)
    if stage == "heads":
        PreTrainedTokenizerFast.from_pretrained(NANO_DIR).save_pretrained(run / "tokenizer")
    elif not stage.startswith("vision"):
        _tokenizer(run)  # before processes would build it at once
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if processes == 1:
        return _train(stage, recipe, run, place, workers, compiled)
    run_together(processes, run, _train, stage, recipe, run, place, workers, compiled)
    last: dict[str, Any] = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    return last


def _check_earlier(stage: str, recipe: Recipe, run: Path) -> None:
    """Make sure that the stages before are there, before anything is built. Raises SetupError."""
    for before in recipe.after:
        earlier = run / f"{before}.pt"
        if not earlier.exists():
            raise SetupError(f"Stage {stage} needs {earlier}.", f"Train the stage {before} first.")


def _train(
    stage: str, recipe: Recipe, run: Path, device: torch.device, workers: int, compiled: bool
) -> dict[str, Any]:
    learning = _Stage(stage, recipe, run, device, workers)
    if compiled:
        learning.compile()
    return learning.run_through()


def export_model(run: Path, stage: str, folder: Path) -> None:
    """Write the stage's model and tokenizer to `folder`, in transformers' format and bfloat16."""
    tokenizer = _tokenizer(run)
    learner = Learner(tokenizer)
    learner.load_state_dict(torch.load(run / f"{stage}.pt", map_location="cpu", weights_only=True)["weights"])
    assert learner.model is not None
    learner.model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(jinja_of(V1_5), "utf-8")


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
        torch.manual_seed(recipe.seed + 1000 * rank())

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Return Muon for the matrices inside the layers, AdamW for all else; rates matched to AdamW's."""
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
                made.append(torch.optim.AdamW([settings], betas=(0.9, 0.98), weight_decay=0.05, fused=True))
        return made

    def _share_of(self, name: str) -> float:
        """Return which share of the learning rate a parameter has; 0: frozen."""
        shares = [share for start, share in self.recipe.learns.items() if name.startswith(start)]
        return shares[0] if shares else 0.0

    def _resume(self) -> int:
        own = self.run / f"{self.name}.pt"
        if own.exists():
            kept = torch.load(own, map_location=self.device, weights_only=True)
            self.learner.load_state_dict(kept["weights"])
            rates = [group["full"] for optimiser in self.optimisers for group in optimiser.param_groups]
            for optimiser, state in zip(self.optimisers, kept["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            groups = [group for optimiser in self.optimisers for group in optimiser.param_groups]
            for group, rate in zip(groups, rates, strict=True):  # the recipe's, whatever it was before
                group["full"] = rate
            return int(kept["step"])
        if self.name == "heads":
            self.learner.load_published(NANO_DIR)
        for before in self.recipe.after:
            kept = torch.load(self.run / f"{before}.pt", map_location=self.device, weights_only=True)
            self.learner.load_state_dict(self._weights_of(before, kept["weights"]), strict=False)
        return 0

    @staticmethod
    def _weights_of(stage: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return what a stage hands on. The vision encoder has two names once the model is whole."""
        if stage == "language":
            return {
                name: part for name, part in weights.items() if "vision" not in name and "dense" not in name
            }
        return weights | {
            name.replace("vision", TOWER, 1): part
            for name, part in weights.items()
            if name.startswith("vision.")
        }

    def compile(self) -> None:
        """Compile the layers to machine code: a few hundred small operations become one each."""
        towers = [self.learner.vision.encoder.layer]
        if self.learner.model:
            towers.append(self.learner.model.model.language_model.layers)
        for layer in chain(*towers):
            layer.forward = torch.compile(layer.forward, dynamic=True)

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
                if rank() == 0:
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
        share_gradients(self.learner.parameters())
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
        order = range(self.step * size() + rank(), self.recipe.steps * size(), size())
        loader = DataLoader(
            data,
            batch_size=None,
            sampler=order,
            num_workers=self.workers,
            prefetch_factor=6 if self.workers else None,
            worker_init_fn=_lower_priority,
        )
        return iter(loader)

    def _save(self) -> None:
        if rank():
            return
        kept = {
            "weights": self.learner.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
        }
        fresh = self.run / f"{self.name}.new"
        torch.save(kept, fresh)
        fresh.replace(self.run / f"{self.name}.pt")


def _multiplies_bfloat16() -> bool:
    """Return whether this processor has bfloat16 instructions: 2.5 times as fast as float32, else five times slower."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _lower_priority(_worker: int) -> None:
    """Lower the priority of drawing: a preempted computing thread stalls all the others."""
    os.nice(2)


def _tokenizer(run: Path) -> PreTrainedTokenizerFast:
    """Return the run's tokenizer, built the first time it is needed."""
    place = run / "tokenizer"
    if not place.exists():
        build_tokenizer().save_pretrained(place)
    return PreTrainedTokenizerFast.from_pretrained(place)
