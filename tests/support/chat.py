"""The commands of the page on a folder of a test, answered by a scripted model, and a reader who follows."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from internvl_demo.answering.jobs import Times
from internvl_demo.answering.metrics import Observer
from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import Options
from internvl_demo.models.base import Backend, ModelInfo
from internvl_demo.photos.decode import photo_of
from internvl_demo.store import Store
from internvl_demo.store.records import Record, Version
from internvl_demo.web.follow import Follower
from internvl_demo.web.language import Words
from internvl_demo.web.models import PageModel, PageModels
from internvl_demo.web.service import ChatService, Started
from tests.support.scripted_model import Script, ScriptedModel

CAT = photo_of(Image.new("RGB", (400, 200), "teal"), "cat.png")
INFO = ModelInfo("scripted", tokens_per_tile=64, context_length=8192)
QUICK = Times(save_s=0.01)


def events_of(chunk: bytes) -> list[tuple[int, str, Any]]:
    """The events of a piece of a stream: (id, name, data); a comment is none."""
    found = []
    for block in chunk.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


@dataclass
class Seen:
    """What a reader has seen of the last answer, as a page would show it."""

    number: int = 0
    conversation: dict[str, Any] = field(default_factory=dict)
    answer: str = ""
    text: str = ""
    thinking: dict[str, Any] | None = None
    boxes: list[dict[str, Any]] = field(default_factory=list)
    place: int = 0
    state: str = "running"
    end: dict[str, Any] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.state != "running"

    def take(self, number: int, name: str, data: dict[str, Any]) -> None:
        self.number = number
        self.names.append(name)
        if name == "conversation":
            self.conversation = data
            answers = data["questions"][-1]["answers"] if data["questions"] else []
            if answers:
                last = answers[-1]
                self.answer, self.text, self.state = last["id"], last["text"], last["state"]
                self.boxes, self.place = list(last["boxes"]), last["place"]
                self.thinking = last["thinking"]
                self.end = last["failure"] or {}
        elif name == "answer.place":
            self.place = data["place"]
        elif name == "answer.thinking":
            before = self.thinking["text"] if self.thinking else ""
            self.thinking = {"text": before + data["text"], "seconds": data["seconds"]}
        elif name == "answer.delta":
            self.text += data["text"]
        elif name == "answer.box":
            self.boxes.append(data)
        elif name in ("answer.done", "answer.failed"):
            self.state, self.end = data["state"], data
        elif name == "gone":
            self.state = "gone"


@dataclass
class Chat:
    """The service, and what tests look at."""

    folder: Path
    model: ScriptedModel
    store: Store
    service: ChatService

    async def ask(
        self,
        text: str = "Where is the cat?",
        owner: str = "me",
        conversation: str | None = None,
        images: int = 1,
        options: Options | None = None,
    ) -> Started:
        photos = [self.store.add_photo(owner, CAT, f"{number}.png") for number in range(images)]
        wanted = [(photo.id, 12) for photo in photos]
        return await self.service.ask(owner, conversation, text, wanted, options)

    def record(self, conversation: str, owner: str = "me") -> Record:
        return self.store.record(owner, conversation)

    def version(self, conversation: str, owner: str = "me") -> Version:
        return self.record(conversation, owner).questions[-1].versions[-1]

    async def follow(
        self, conversation: str, owner: str = "me", after: int | None = None, blocks: bool = False
    ) -> AsyncGenerator[Seen, None]:
        """What a reader has seen, after each piece of the stream; the same object, growing."""
        follower = Follower(self.service, owner, conversation, Words(), after=after, blocks=blocks)
        await follower.check()
        seen = Seen()
        async with aclosing(follower.stream()) as chunks:
            async for chunk in chunks:
                for event in events_of(chunk):
                    seen.take(*event)
                yield seen

    async def seen(
        self,
        conversation: str,
        condition: Callable[[Seen], bool],
        owner: str = "me",
        after: int | None = None,
    ) -> Seen:
        """The first moment at which that is true; then the reader leaves."""
        async with aclosing(self.follow(conversation, owner, after)) as moments:
            async for seen in moments:
                if condition(seen):
                    return replace(seen)
        raise AssertionError("the stream ended before")

    async def last(self, conversation: str, owner: str = "me") -> Seen:
        return await self.seen(conversation, lambda seen: seen.ended, owner)


def chat_on(
    folder: Path,
    script: Script | None = None,
    *,
    model: Backend | None = None,
    queue: AnswerQueue | None = None,
    times: Times = QUICK,
    options: Options | None = None,
    observer: Observer | None = None,
    others: Sequence[PageModel] = (),
) -> Chat:
    """The service on `folder`, which nobody closes."""
    scripted = model or ScriptedModel(["Hello."] if script is None else script)
    store = Store(folder / "data", 30, patience_s=0.1)
    queue = queue or AnswerQueue(running=8, waiting=32)
    info = replace(INFO, profile=scripted.profile) if isinstance(scripted, ScriptedModel) else INFO
    models = PageModels([PageModel("model", scripted, info, queue), *others])
    service = ChatService(models, options or Options(), store, observer or Observer(), times=times)
    return Chat(folder, scripted, store, service)  # type: ignore[arg-type]


@asynccontextmanager
async def chat(folder: Path, script: Script | None = None, **more: Any) -> AsyncGenerator[Chat, None]:
    """The service on `folder`, closed at the end; `more` as for `chat_on`."""
    demo = chat_on(folder, script, **more)
    try:
        yield demo
    finally:
        await demo.service.close()
        demo.store.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test that may wait for at most two minutes."""
    asyncio.run(asyncio.wait_for(test(), 120))  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until that is true."""
    while not condition():
        await asyncio.sleep(0.01)


def text_is(text: str) -> Callable[[Seen], bool]:
    """The reader has seen exactly that text of the last answer."""
    return lambda seen: seen.text == text


def never() -> bool:
    """A step of a script that never ends."""
    return False
