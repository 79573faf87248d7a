"""The parts of the demo that a job needs, on a folder of a test."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from internvl_demo.answering.jobs import Jobs, Progress
from internvl_demo.conversation.turns import Attachment
from internvl_demo.photos.decode import photo_of
from internvl_demo.store import Store
from internvl_demo.store.records import Version
from tests.support.scripted_model import Script, ScriptedModel

PHOTO = photo_of(Image.new("RGB", (400, 200)), "cat.png")


@dataclass
class App:
    """The parts of the demo that a job needs, and what tests look at."""

    folder: Path
    model: ScriptedModel
    store: Store
    jobs: Jobs

    def ask(self, text: str = "Where is the cat?", owner: str = "me", conversation: str | None = None) -> str:
        return self.store.ask(owner, conversation, text, (Attachment(PHOTO, 12),))

    def version(self, conversation: str, owner: str = "me") -> Version:
        return self.store.record(owner, conversation).questions[-1].versions[-1]

    async def last(self, job: str, owner: str = "me") -> Progress:
        return [progress async for progress in self.jobs.watch(owner, job)][-1]

    async def seen(self, job: str, condition: Callable[[Progress], bool]) -> Progress:
        """The first progress of which that is true; then the viewer leaves."""
        async with aclosing(self.jobs.watch("me", job)) as viewer:
            async for progress in viewer:
                if condition(progress):
                    return progress
        raise AssertionError("the job ended before")


@asynccontextmanager
async def app(
    folder: Path, script: Script | None = None, model: ScriptedModel | None = None, **more: object
) -> AsyncGenerator[App, None]:
    model = model or ScriptedModel(["Hello."] if script is None else script)
    store = Store(folder / "data", 30, patience_s=0.1)
    jobs = Jobs(model, store, "scripted", **{"save_s": 0.0, **more})  # type: ignore[arg-type]
    try:
        yield App(folder, model, store, jobs)
    finally:
        await jobs.close()
        store.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))  # type: ignore[arg-type]
