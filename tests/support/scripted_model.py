"""A model that says what a test wants: a backend of strings, errors and conditions."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import Backend, ModelInfo, Piece, Thinking, Usage
from internvl_demo.models.profiles import V1_5_PROFILE, Profile

Script = list[str | Thinking | Usage | Exception | Callable[[], bool]]
"""What a scripted model does, in order: says text, thinks, raises, or waits until a condition holds. It counts what it
said at the end, unless the script ends with what that took."""


@dataclass
class ScriptedModel(Backend):
    """A backend that says what a test wants, and remembers what it was asked and whether it was stopped."""

    script: Script = field(default_factory=lambda: ["Hello."])
    asked: list[Conversation] = field(default_factory=list)
    asked_with: list[Options] = field(default_factory=list)
    stopped: int = 0
    profile: Profile = V1_5_PROFILE
    _rounds: int = 0

    def begin_anew(self) -> None:
        """Forget what was asked, end every answer that still waits for something, and say "Hello." from now on."""
        self.script, self.stopped = ["Hello."], 0
        self.asked.clear()
        self.asked_with.clear()
        self._rounds += 1

    async def describe(self) -> ModelInfo:
        return ModelInfo("scripted", tokens_per_tile=64, context_length=8192, profile=self.profile)

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        self.asked.append(conversation)
        self.asked_with.append(options)
        finished, mine = False, self._rounds
        try:
            for step in list(self.script):
                if isinstance(step, Exception):
                    finished = True
                    raise step
                if isinstance(step, (str, Thinking, Usage)):
                    yield step
                    continue
                while not step() and self._rounds == mine:
                    await asyncio.sleep(0.01)
            finished = True
            if not (self.script and isinstance(self.script[-1], Usage)):
                yield Usage(prompt_tokens=100, completion_tokens=len(self.script))
        finally:
            self.stopped += not finished and self._rounds == mine
