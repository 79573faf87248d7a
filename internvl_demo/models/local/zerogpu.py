"""Answer on ZeroGPU: Hugging Face lends a GPU for the time of one answer, in a process forked for it.

The model is loaded once, when the Space starts. For each answer a generator runs in the other process; its
arguments and its pieces cross by pickle. Errors would lose their words on that way, so they cross as values.
The KV cache of that process is lost with it: nothing is cached between turns here.

Without the package `spaces`, or outside of ZeroGPU, the same generator runs in this process.
"""

import importlib
import importlib.util
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError, ContextError, DemoError
from internvl_demo.models.base import Piece
from internvl_demo.models.local.backend import LocalBackend, Stopped

SECONDS = 120
"""How long an answer may take; the GPU is withdrawn then. A visitor's quota must cover it."""

SIZE = "xlarge"
"""A GPU of more than 70 GB: the 26B's weights are 51 GB."""

Pieces = Generator["Piece | Failure", None, None]


@dataclass(frozen=True)
class Failure:
    """An error as a value, to cross between processes."""

    too_long: bool
    what: str
    next_step: str
    details: str = ""

    def error(self) -> DemoError:
        """Return the error that this value stands for."""
        return (ContextError if self.too_long else BackendError)(self.what, self.next_step, self.details)


class ZeroGpuBackend(LocalBackend):
    """Answer with a checkpoint on a GPU that is lent for each answer."""

    def __init__(self, checkpoint: str, device: str = "auto"):
        """Load the checkpoint as `LocalBackend` does.

        Call this while the Space starts: ZeroGPU looks for its functions then.
        """
        super().__init__(checkpoint, device)
        self._on_gpu = run_on_gpu(self._answer_there)

    def _answer(self, conversation: Conversation, options: Options, stop: threading.Event) -> Iterator[Piece]:
        with closing(self._on_gpu(conversation, options)) as pieces:
            for piece in pieces:
                if stop.is_set():
                    raise Stopped
                if isinstance(piece, Failure):
                    raise piece.error()
                yield piece

    def _answer_there(self, conversation: Conversation, options: Options) -> Pieces:
        """Answer in the process that has the GPU."""
        try:
            yield from super()._answer(conversation, options, threading.Event())
        except DemoError as error:
            yield Failure(isinstance(error, ContextError), *error.parts)


def run_on_gpu(task: Callable[..., Pieces]) -> Callable[..., Pieces]:
    """Return the same generator function, run where there is a GPU."""
    if importlib.util.find_spec("spaces") is None:
        return task
    spaces: Any = importlib.import_module("spaces")
    on_gpu: Callable[..., Pieces] = spaces.GPU(duration=SECONDS, size=SIZE)(task)
    return on_gpu
