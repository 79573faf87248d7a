"""Say what the demo asks of a model, whoever runs it: one class, whose defaults suit a model that is simply there.

A backend subclasses `Backend` in a file of its own. `stream` yields new text only, in pieces of any length, then
exactly one `Usage`; it raises BackendError (or ContextError) and never yields an error as text. Closing the
iterator stops the model. Everything that waits is async: a model that computes in process runs in a thread
behind the same iterator, because a synchronous generator cannot be stopped while it waits.

Nothing here is optional by absence: what a backend cannot do, it says (`count_text` returns None), so nobody asks
whether a method exists.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Literal

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.tiling import MAX_TILES, TilesFollow
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import DemoError
from internvl_demo.models.profiles import V1_5_PROFILE, Profile

FinishReason = Literal["stop", "length", "abort"]

Dialect = Literal["lmdeploy", "vllm", "sglang", "llamacpp", "ollama"]
"""What a server speaks besides OpenAI's protocol (`openai.dialects`)."""


@dataclass(frozen=True)
class ModelInfo:
    """What the rest of the demo needs to know about a model.

    profile: its template, its stops, its labels. tiles_follow: whose choice of the most tiles it follows. dialect: of
    the server that answers; None: none does.
    """

    name: str
    tokens_per_tile: int
    context_length: int
    profile: Profile = V1_5_PROFILE
    tiles_follow: TilesFollow = "image"
    dialect: Dialect | None = None

    @property
    def most_tiles(self) -> int:
        """How many tiles of an image may be chosen; where its server cuts by itself, no choice is too many."""
        return MAX_TILES if self.tiles_follow == "engine" else self.profile.tiles


@dataclass(frozen=True)
class Usage:
    """What an answer cost. `cached_tokens` of `prompt_tokens` came from a cache; the vision encoder read
    `encoded_views` views of 448 x 448 pixels (None: the server does not say). `attention`: which computed it, of a
    model in process: "sdpa", or "flash-attn 2"."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    encoded_views: int | None = None
    finish_reason: FinishReason = "stop"
    attention: str = ""


@dataclass(frozen=True)
class Thinking:
    """What a model writes for itself before its answer; no part of it."""

    text: str


Piece = str | Thinking | Usage


@dataclass(frozen=True)
class Needs:
    """What a model takes that is not loaded: bytes to download, and of memory."""

    download_bytes: float
    memory_bytes: float


@dataclass(frozen=True)
class Health:
    """Whether a model can answer now. `problem`: why not; `per_cent`: how much of it is loaded, where that is known.

    idle: nobody has asked for it to be loaded yet.
    """

    kind: Literal["ready", "loading", "down", "idle"]
    problem: DemoError | None = None
    per_cent: int | None = None


READY = Health("ready")


@dataclass(frozen=True)
class Timing:
    """Seconds since the question was sent to the model: to its first token, and to now. `thought_s`: how long, from
    that token on, it thought; None where it did not."""

    ttft_s: float | None
    total_s: float
    thought_s: float | None = None

    def tokens_per_s(self, completion_tokens: int) -> float | None:
        """Return the speed after the first token; None when there is no second."""
        if self.ttft_s is None or completion_tokens < 2 or self.total_s <= self.ttft_s:
            return None
        return (completion_tokens - 1) / (self.total_s - self.ttft_s)


def no_pause() -> float:
    """Return how long nobody waits: 0.0 seconds."""
    return 0.0


class Backend(ABC):
    """A model that answers conversations."""

    pace_s: Callable[[], float] = staticmethod(no_pause)
    """Returns the seconds for which a stream may collect text before it yields the next piece: the page sets it, so
    that many answers at once cost less. The first piece is never late. Ignored by models that cannot collect."""

    @abstractmethod
    async def describe(self) -> ModelInfo:
        """Return name, tokens per tile, context length. Raises BackendError when the model cannot be reached."""

    @abstractmethod
    def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Answer the conversation's last, unanswered question: yield pieces of text, then one Usage.

        A model that thinks first yields Thinking before its text.
        """

    def count_text(self, text: str) -> int | None:  # noqa: ARG002 - the parameter is the interface
        """Return how many tokens a piece of a prompt takes; None when the tokenizer is not at hand."""
        return None

    def problem(self) -> DemoError | None:
        """Return why the model cannot answer at this moment (it loads, it restarts); None when it can."""
        return None

    async def health(self) -> Health:
        """Return how the model is, asked of it where only it knows; takes seconds at most. Raises nothing."""
        problem = self.problem()
        return Health("down", problem) if problem else READY

    def needs(self) -> Needs | None:
        """Return what an idle model takes before it can answer; None for any other."""
        return None

    def wake(self) -> None:  # noqa: B027 - most models are never idle
        """Begin to load a model that is idle; anything else goes on."""

    async def ready(self) -> None:  # noqa: B027 - most models are ready once they exist
        """Wait until the model can answer. Raises BackendError when it was given up."""

    async def close(self) -> None:  # noqa: B027 - most fakes hold nothing
        """Give back what the backend holds: connections, threads, memory."""
