"""Answer in this process, with any InternVL checkpoint that `loading` reads.

    conversation -> prompt segments -> prompt tokens -> (what the cache lacks) -> vision encoder, prefill -> tokens

The KV cache of a conversation is kept between turns. A prompt is compared with what the cache holds,
token by token and image by image; only what follows the common part is computed. So turn 2 encodes
no image of turn 1. One thread computes, one answer at a time; others wait in order. Between any two
chunks of work the thread checks whether it should stop, so Stop frees the machine within a chunk.

Not here: batching of several conversations; whoever needs it runs a server.
"""

import asyncio
import contextvars
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import ImageSlot, prompt_segments
from internvl_demo.conversation.tiling import crop_tiles, pixel_values, plan_tiles
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError, ContextError, DemoError
from internvl_demo.models.asides import Asides
from internvl_demo.models.base import Backend, FinishReason, ModelInfo, Piece, Thinking, Usage
from internvl_demo.models.local.device import ATTENTIONS, device_of
from internvl_demo.models.local.loading import load
from internvl_demo.models.local.official import Progress
from internvl_demo.models.local.rope import PromptRope
from internvl_demo.models.local.sampling import chooser
from internvl_demo.models.local.steps import StepReader, can_step

_VIEWS_AT_ONCE = 4
_PREFILL_AT_ONCE = 512
"""Chunks between two looks at the stop sign: well under half a second each on two CPU cores."""

_KEPT_CONVERSATIONS = 8
_KEPT_TOKENS = 60_000
"""Bounds on the caches kept, least recently used first to go."""

PromptToken = int | tuple[str, int, int]
"""What one prompt token is: a token's id, or (photo id, largest number of tiles, index) inside an image."""


@dataclass
class _Kept:
    """The prompt tokens that a conversation's KV cache holds, and the cache. `long`: by which RoPE factors."""

    tokens: list[PromptToken]
    cache: DynamicCache
    long: bool = False


class Stopped(Exception):
    """Raised in the computing thread when nobody reads the answer any more."""


class LocalBackend(Backend):
    """Answer with a checkpoint in this process."""

    def __init__(
        self,
        checkpoint: str,
        device: str = "auto",
        *,
        name: str = "",
        profile: str | None = None,
        progress: Progress = lambda _: None,
    ):
        """Load `checkpoint`, a directory or hub id. Raises CheckpointError when it is no InternVL checkpoint.

        name: how the model is called (default: the last part of `checkpoint`). profile: a checkpoint of the family
        whose template it has, where its own files do not tell. progress: is told how much is loaded, from 0 to 1.
        Raises SetupError when this machine has no such device.
        """
        self.name = Path(name or checkpoint).name
        self.device = device_of(device)
        loaded = load(checkpoint, self.device, name, profile, progress)
        self.model, self.tokenizer, self.profile = loaded.model, loaded.tokenizer, loaded.profile
        config = self.model.config
        side = config.vision_config.image_size[0] // config.vision_config.patch_size[0]
        self.tokens_per_tile = int(side * config.downsample_ratio) ** 2
        self.context_length: int = config.text_config.max_position_embeddings
        self.stop_ids = _stop_ids(self.tokenizer, self.profile.template.ends)
        attention = config.text_config._attn_implementation
        self._attention = ATTENTIONS.get(attention, attention)
        self._rope = PromptRope(self.model.model.language_model)
        self._steps = StepReader(self.model) if can_step(self.model) else None
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def describe(self) -> ModelInfo:
        """Return the model's name, tokens per tile and context length, as loaded."""
        return ModelInfo(self.name, self.tokens_per_tile, self.context_length, self.profile)

    def count_text(self, text: str) -> int:
        """Return how many tokens a piece of a prompt takes."""
        return len(self._ids(text))

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Answer the last question; see `base.Backend`."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Piece | Exception | None] = asyncio.Queue()
        stop = threading.Event()

        def say(piece: Piece | Exception | None) -> None:
            if not stop.is_set() and not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        around = contextvars.copy_context()  # whose question it is, for those who count by person
        self._thread.submit(around.run, self._run, conversation, options, stop, say)
        try:
            while (piece := await pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            stop.set()

    async def close(self) -> None:
        """Forget all conversations and end the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._kept.clear()

    def _run(
        self,
        conversation: Conversation,
        options: Options,
        stop: threading.Event,
        say: Callable[[Piece | Exception | None], None],
    ) -> None:
        """Answer in the thread; send whatever goes wrong as one of our errors."""
        try:
            for piece in self._answer(conversation, options, stop):
                say(piece)
            say(None)
        except Stopped:
            pass
        except DemoError as error:
            say(error)
        except torch.OutOfMemoryError:
            self._kept.clear()
            say(
                BackendError(
                    "The GPU has too little memory for this conversation.", "Lower the resolution mode."
                )
            )
        except Exception as error:  # noqa: BLE001 - a thread's last door
            self._kept.pop(conversation.id, None)
            say(
                BackendError(
                    "The model failed at this question.",
                    "Ask again, or start a new conversation.",
                    "The model raised {kind}: {reason}",
                    kind=type(error).__name__,
                    reason=" ".join(str(error).split())[:200],
                )
            )

    @torch.inference_mode()
    def _answer(self, conversation: Conversation, options: Options, stop: threading.Event) -> Iterator[Piece]:
        prompt, slots = self._prompt_tokens(conversation, self.profile.system_of(options))
        max_answer_tokens = self.context_length - len(prompt)
        if max_answer_tokens < 1:
            raise ContextError(
                "The conversation takes {count} tokens, the model reads {most}.",
                "Lower the resolution mode of its images, or start a new conversation.",
                count=len(prompt),
                most=self.context_length,
            )
        kept = self._recall(conversation.id, prompt, slots)
        self._rope.choose(len(prompt))
        cached = len(kept.tokens)
        embedded, encoded = self._embed(prompt, slots, cached, stop)
        logits = self._prefill(kept, prompt, embedded, stop)

        text, n_generated, finish = _IncrementalText(self.tokenizer), 0, "length"
        asides = Asides(self.profile.template.ends)
        choose = chooser(options, [token for token in prompt if isinstance(token, int)])
        for _ in range(min(options.max_new_tokens, max_answer_tokens)):
            _check(stop)
            token = choose(logits)
            if token in self.stop_ids:
                finish = "stop"
                break
            n_generated += 1
            yield from _pieces(asides.feed(text.add(token)))
            if asides.stopped:
                finish = "stop"
                break
            logits = self._step(kept, token)
        yield from _pieces(asides.feed(text.rest()))
        yield from _pieces(asides.finish())
        self._forget_old()
        reason: FinishReason = "stop" if finish == "stop" else "length"
        yield Usage(len(prompt), n_generated, cached, encoded, reason, self._attention)

    def _prompt_tokens(
        self, conversation: Conversation, system: str | None = None
    ) -> tuple[list[PromptToken], dict[int, ImageSlot]]:
        """Return the prompt token by token, and each image by the place of its first token."""
        prompt: list[PromptToken] = []
        slots: dict[int, ImageSlot] = {}
        for segment in prompt_segments(conversation, system, self.profile.template):
            if isinstance(segment, ImageSlot):
                slots[len(prompt)] = segment
                image = segment.attachment
                tokens = segment.views * self.tokens_per_tile
                prompt += [(image.photo.id, image.max_tiles, index) for index in range(tokens)]
            else:
                prompt += self._ids(segment)
        return prompt, slots

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _recall(self, conversation_id: str, prompt: list[PromptToken], slots: dict[int, ImageSlot]) -> _Kept:
        """Return the conversation's cache, cropped to what it shares with the prompt.

        The crop never falls inside an image, and the last token of the prompt is always read anew: its logits say
        what follows.
        """
        kept, long = self._kept.pop(conversation_id, None), self._rope.is_long(len(prompt))
        if kept is None or kept.long != long:
            kept = _Kept([], DynamicCache(config=self.model.config.text_config), long)
        self._kept[conversation_id] = kept
        common = 0
        for old, new in zip(kept.tokens, prompt[:-1], strict=False):
            if old != new:
                break
            common += 1
        for start, slot in slots.items():
            if start < common < start + slot.views * self.tokens_per_tile:
                common = start
        if common < len(kept.tokens):
            kept.cache.crop(common - len(kept.tokens))  # transformers counts what to remove, negatively
            del kept.tokens[common:]
        return kept

    def _embed(
        self, prompt: list[PromptToken], slots: dict[int, ImageSlot], start: int, stop: threading.Event
    ) -> tuple[torch.Tensor, int]:
        """Return the embeddings (1, tokens, width) of the prompt from `start` on, and how many views were encoded."""
        image_id = self.model.config.image_token_id
        ids = [token if isinstance(token, int) else image_id for token in prompt[start:]]
        embedded = self.model.get_input_embeddings()(torch.tensor([ids], device=self.device))
        encoded = 0
        for place, slot in slots.items():
            if place >= start:
                features = self._encode(slot, stop)
                embedded[0, place - start : place - start + len(features)] = features
                encoded += slot.views
        return embedded, encoded

    def _encode(self, slot: ImageSlot, stop: threading.Event) -> torch.Tensor:
        """Encode an image; return its visual tokens (views * tokens per tile, width)."""
        image = slot.attachment.photo.image
        _check(stop)
        views = crop_tiles(image, plan_tiles(image.size, slot.attachment.max_tiles))
        parts = []
        for first in range(0, len(views), _VIEWS_AT_ONCE):
            _check(stop)
            pixels = pixel_values(views[first : first + _VIEWS_AT_ONCE]).to(self.device, self.model.dtype)
            parts.append(self.model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output)
        return torch.cat(parts).flatten(0, 1)

    def _prefill(
        self, kept: _Kept, prompt: list[PromptToken], embedded: torch.Tensor, stop: threading.Event
    ) -> torch.Tensor:
        """Read the embeddings into the cache; return the logits (vocabulary,) of the next token."""
        hidden = embedded
        for first in range(0, embedded.shape[1], _PREFILL_AT_ONCE):
            _check(stop)
            part = embedded[:, first : first + _PREFILL_AT_ONCE]
            hidden = self._read(kept, inputs_embeds=part)
            kept.tokens += prompt[len(kept.tokens) : len(kept.tokens) + part.shape[1]]
        return self._logits(hidden)

    def _step(self, kept: _Kept, token: int) -> torch.Tensor:
        """Read one token into the cache; return the logits (vocabulary,) of the next."""
        kept.tokens.append(token)
        self._rope.choose(len(kept.tokens))
        if self._steps:
            return self._steps.read(token, kept.cache)
        return self._logits(self._read(kept, input_ids=torch.tensor([[token]], device=self.device)))

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model.lm_head(hidden[:, -1])[0]
        return logits

    def _read(self, kept: _Kept, **tokens: torch.Tensor) -> torch.Tensor:
        decoder = self.model.model.language_model
        hidden: torch.Tensor = decoder(past_key_values=kept.cache, use_cache=True, **tokens).last_hidden_state
        return hidden

    def _forget_old(self) -> None:
        while len(self._kept) > 1 and (
            len(self._kept) > _KEPT_CONVERSATIONS
            or sum(len(kept.tokens) for kept in self._kept.values()) > _KEPT_TOKENS
        ):
            self._kept.popitem(last=False)


class _IncrementalText:
    """Decode token ids to text as soon as it is certain.

    A character whose bytes lie in several tokens waits for all of them; earlier tokens are decoded along,
    because some tokenizers join words by context.
    """

    def __init__(self, tokenizer: Any):
        self.tokenizer, self.ids = tokenizer, list[int]()
        self.before, self.sure = 0, 0

    def add(self, token: int) -> str:
        """Add a token; return the text that became certain with it, which may be empty."""
        self.ids.append(token)
        shown, now = self._decode(self.ids[self.before : self.sure]), self._decode(self.ids[self.before :])
        if len(now) <= len(shown) or now.endswith("\ufffd"):
            return ""
        self.before, self.sure = self.sure, len(self.ids)
        return now[len(shown) :]

    def rest(self) -> str:
        """Return the text that was still waiting at the end."""
        shown, now = self._decode(self.ids[self.before : self.sure]), self._decode(self.ids[self.before :])
        return now[len(shown) :]

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


def _pieces(divided: tuple[str, str]) -> Iterator[Piece]:
    """Yield what `Asides` has told apart."""
    answer, thinking = divided
    if thinking:
        yield Thinking(thinking)
    if answer:
        yield answer


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped


def _stop_ids(tokenizer: Any, ends: tuple[str, ...]) -> set[int]:
    vocabulary = tokenizer.get_vocab()
    ids = {vocabulary[text] for text in ends if text in vocabulary}
    return ids | ({tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set())
