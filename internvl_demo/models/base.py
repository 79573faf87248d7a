"""What every backend does: describe its model, and stream an answer. One seam, one verb.

A backend is a new file here, never a branch elsewhere. `stream` yields new text only, then exactly
one `Usage`; it raises BackendError (or ContextError) and never yields an error as text. Closing the
iterator stops the model. Everything is async: a model that computes in process runs in a thread
behind the same iterator, because a synchronous generator cannot be stopped while it waits.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation

FinishReason = Literal["stop", "length", "abort"]


@dataclass(frozen=True)
class ModelInfo:
    """What the rest of the demo needs to know about a model."""

    name: str
    tokens_per_tile: int
    context_length: int
    max_tiles: int = 40


@dataclass(frozen=True)
class Usage:
    """What an answer cost. `cached_tokens` of `prompt_tokens` came from a cache;
    `encoded_views` 448-pixel pictures went through the vision encoder (None: the server does not say)."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    encoded_views: int | None = None
    finish_reason: FinishReason = "stop"


Piece = str | Usage


class Backend(Protocol):
    """A model that answers conversations."""

    async def describe(self) -> ModelInfo:
        """Name, tokens per tile, context length. Raises BackendError when the model cannot be reached."""
        ...

    def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Answers the conversation's last, unanswered question: pieces of text, then one Usage."""
        ...

    async def close(self) -> None:
        """Gives back what the backend holds: connections, threads, memory."""
        ...
