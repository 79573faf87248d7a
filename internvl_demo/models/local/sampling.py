"""Pick the next token from a model's logits, as the options of the answer say.

    choose = chooser(options, prompt_ids)
    token = choose(logits)          # logits (vocabulary,) of the next token -> its id

First the repetition penalty: what has been read or written becomes less likely, as in transformers, vLLM and
LMDeploy; images have no words and do not count. Then temperature and top-p. The model is not known here.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from transformers.generation.logits_process import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from internvl_demo.conversation.options import Options

Choose = Callable[[torch.Tensor], int]


def chooser(options: Options, prompt_ids: Iterable[int]) -> Choose:
    """Return a function that picks the next token's id from logits (vocabulary,)."""
    choose = _greedy if options.temperature == 0 else _sampling(options)
    return choose if options.repetition_penalty == 1 else _penalised(choose, options, prompt_ids)


def _greedy(logits: torch.Tensor) -> int:
    return int(logits.argmax())


def _sampling(options: Options) -> Choose:
    source = torch.Generator()
    source.manual_seed(options.seed if options.seed is not None else source.seed())
    shapers: list[Any] = [TemperatureLogitsWarper(options.temperature)]
    if options.top_p < 1:
        shapers.append(TopPLogitsWarper(options.top_p))

    def sample(logits: torch.Tensor) -> int:
        scores = logits.float().cpu()[None]
        for shaper in shapers:
            scores = shaper(None, scores)
        return int(torch.multinomial(scores.softmax(-1)[0], 1, generator=source))

    return sample


def _penalised(choose: Choose, options: Options, prompt_ids: Iterable[int]) -> Choose:
    """Return `choose` after the penalty. Each id is kept once: more would change nothing and cost time."""
    penalty: Any = RepetitionPenaltyLogitsProcessor(options.repetition_penalty)
    known = set(prompt_ids)
    ids = torch.tensor([sorted(known)], dtype=torch.long)

    def choose_another(logits: torch.Tensor) -> int:
        nonlocal ids
        token = choose(penalty(ids, logits.float().cpu()[None])[0])
        if token not in known:
            known.add(token)
            ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
        return token

    return choose_another
