"""What a host may rely on: no line and no metric holds people's words; the numbers follow what happened."""

import asyncio
import json
import logging
import re
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.answering.metrics import LOG, Observer
from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import BackendError, ContextError, PhotoError
from internvl_demo.models.base import ModelInfo, Piece, Usage
from internvl_demo.photos.decode import photo_of
from internvl_demo.settings import Settings
from internvl_demo.web import probes as ui_probes
from tests.support.scripted_model import ScriptedModel

INFO = ModelInfo("scripted", tokens_per_tile=64, context_length=8192)
SMALL, LARGE = (photo_of(Image.new("RGB", size_wh), "holiday.png") for size_wh in ((64, 48), (900, 450)))


class Lines(logging.Handler):
    """Collects the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[Lines]:
    collected, before = Lines(), LOG.level
    LOG.addHandler(collected)
    LOG.setLevel(logging.INFO)
    yield collected
    LOG.removeHandler(collected)
    LOG.setLevel(before)


def ask(observer: Observer, model: Any, conversation: Conversation, pieces: int | None = None) -> None:
    """Asks through the observer; leaves after so many pieces."""

    async def run() -> None:
        with observer.request(conversation, INFO) as request:
            async with aclosing(model.stream(conversation, Options())) as answer:
                seen = 0
                async for piece in answer:
                    request.saw(piece)
                    seen += 1
                    if seen == pieces:
                        return

    asyncio.run(run())


def value(observer: Observer, name: str, **labels: str) -> float:
    return observer.registry.get_sample_value(name, labels) or 0.0


WORDS = st.text(st.characters(codec="utf-8"), min_size=6, max_size=60).map(lambda text: f"¤{text}¤")
"""People's words, marked so that finding them means something."""


@given(question=WORDS, said=WORDS, name=WORDS, sentence=WORDS, id_=WORDS, fails=st.booleans())
@settings(max_examples=60)
def test_a_line_holds_nobodys_words(
    question: str, said: str, name: str, sentence: str, id_: str, fails: bool
) -> None:
    collected, observer, level = Lines(), Observer(), LOG.level
    photo = replace(SMALL, name=name)
    asked = Conversation(id=id_).ask(question, (Attachment(photo, 12),)).with_answer(said).ask(question)
    LOG.addHandler(collected)
    LOG.setLevel(logging.INFO)
    try:
        model = ScriptedModel([said, BackendError(sentence, sentence)] if fails else [said])
        with pytest.raises(BackendError) if fails else _nothing():
            ask(observer, model, asked)
        observer.refused(PhotoError(sentence, name))
    finally:
        LOG.removeHandler(collected)
        LOG.setLevel(level)
    assert len(collected.said) == 2
    everything = "".join(collected.said) + observer.text().decode()
    assert "¤" not in everything
    assert "\\u00a4" not in everything
    for line in collected.said:
        assert "\n" not in line
        numbers_and_fixed_words(json.loads(line))


def numbers_and_fixed_words(line: dict[str, Any]) -> None:
    fixed = {"stop", "length", "left", "error", "refused", "BackendError", "PhotoError", None}
    assert line.pop("time").endswith("Z")
    assert re.fullmatch("[0-9a-f]{12}", line.pop("conversation", "0" * 12))
    assert {line.pop("outcome"), line.pop("error")} <= fixed
    assert all(number is None or isinstance(number, int | float) for number in line.values())


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@dataclass
class Counting(ScriptedModel):
    """A scripted model that ends as a server does, with all of a Usage."""

    usage: Usage = field(default_factory=lambda: Usage(700, 5, cached_tokens=640))

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        async with aclosing(super().stream(conversation, options)) as pieces:
            async for piece in pieces:
                yield self.usage if isinstance(piece, Usage) else piece


def test_errors_are_counted_by_kind_and_the_line_names_the_kind(lines: Lines) -> None:
    observer = Observer()
    errors = (BackendError("a", "b"), ContextError("a", "b"), BackendError("c", "d"))
    for error in errors:
        with pytest.raises(type(error)):
            ask(observer, ScriptedModel(["Half", error]), Conversation().ask("?"))
    assert value(observer, "internvl_errors_total", kind="BackendError") == 2
    assert value(observer, "internvl_errors_total", kind="ContextError") == 1
    assert value(observer, "internvl_requests_total", outcome="error") == 3
    assert [json.loads(line)["error"] for line in lines.said] == [
        "BackendError",
        "ContextError",
        "BackendError",
    ]


def test_leaving_is_no_error_and_stops_the_model(lines: Lines) -> None:
    observer, model = Observer(), ScriptedModel(["One ", lambda: False])
    ask(observer, model, Conversation().ask("?"), pieces=1)
    assert model.stopped == 1
    assert value(observer, "internvl_requests_total", outcome="left") == 1
    assert "internvl_errors_total{" not in observer.text().decode()
    (line,) = map(json.loads, lines.said)
    assert (line["outcome"], line["prompt_tokens"]) == ("left", None)


def test_leaving_before_the_first_word_tells_no_time_to_it(lines: Lines) -> None:
    async def run() -> None:
        conversation, model = Conversation().ask("?"), ScriptedModel([lambda: False])

        async def ask() -> None:
            with observer.request(conversation, INFO):
                await anext(model.stream(conversation, Options()))

        waiting = asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])

    observer = Observer()
    asyncio.run(run())
    (line,) = map(json.loads, lines.said)
    assert (line["outcome"], line["ttft_s"]) == ("left", None)
    assert value(observer, "internvl_time_to_first_token_seconds_count") == 0


def test_an_answer_is_counted_and_told_whole(lines: Lines) -> None:
    observer = Observer()
    first = Conversation().ask("?", (Attachment(SMALL, 1), Attachment(LARGE, 12)))
    for asked in (first, first.with_answer("Well.").ask("And?")):
        ask(observer, Counting(["Well", "."]), asked)
    views = 1 + 3
    assert value(observer, "internvl_requests_total", outcome="stop") == 2
    kinds = {"visual": 2 * views * 64, "prompt": 1400, "cached": 1280, "completion": 10}
    assert {kind: value(observer, "internvl_tokens_total", kind=kind) for kind in kinds} == kinds
    assert value(observer, "internvl_time_to_first_token_seconds_count") == 2
    assert value(observer, "internvl_answer_seconds_count") == 2
    one, two = map(json.loads, lines.said)
    assert one["conversation"] == two["conversation"]
    assert (one["turn"], two["turn"]) == (1, 2)
    assert (two["images"], two["views"], two["visual_tokens"]) == (2, views, views * 64)
    assert (two["prompt_tokens"], two["cached_tokens"], two["completion_tokens"]) == (700, 640, 5)
    assert two["total_s"] >= two["ttft_s"] >= 0


def test_an_answer_cut_off_at_its_length_is_told_from_a_whole_one(lines: Lines) -> None:
    observer = Observer()
    ask(observer, Counting(["Wel"], usage=Usage(9, 1, finish_reason="length")), Conversation().ask("?"))
    assert value(observer, "internvl_requests_total", outcome="length") == 1
    assert json.loads(lines.said[0])["outcome"] == "length"


def test_the_queue_is_told_as_it_is_when_asked() -> None:
    observer, gate = Observer(), AnswerQueue(running=1, waiting=5)
    observer.watch_queue(lambda: gate.running, lambda: gate.waiting)

    async def run() -> None:
        with gate.ticket("one"), gate.ticket("two"), gate.ticket("three"):
            assert value(observer, "internvl_queue", state="running") == 1
            assert value(observer, "internvl_queue", state="waiting") == 2
        assert value(observer, "internvl_queue", state="waiting") == 0

    asyncio.run(run())


# --- over HTTP, beside the page ---------------------------------------------------------------------------


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=300) as said:
            return said.status, said.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Moody(ScriptedModel):
    """A model that may be away, or never say who it is."""

    mood = "well"

    async def describe(self) -> ModelInfo:
        if self.mood == "away":
            raise BackendError("The server is away.", "Start it.")
        if self.mood == "mute":
            await asyncio.Event().wait()
        return INFO


@pytest.fixture(scope="module")
def moody() -> Moody:
    return Moody()


@pytest.fixture(scope="module")
def url(moody: Moody) -> Iterator[str]:
    """The page's address, without a slash at its end."""
    from internvl_demo.web.app import launch

    with ThreadPoolExecutor(1) as thread:
        page = thread.submit(launch, moody, Settings(checkpoint="scripted"), wait=False).result()
    yield page.local_url.rstrip("/")
    page.close()


def test_the_page_is_not_ready_while_its_model_is_away_but_alive(
    url: str, moody: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moody, "mood", "away", raising=False)
    status, said = get(f"{url}/readyz")
    assert status == 503
    assert json.loads(said) == {"ready": False, "what": "The server is away.", "next_step": "Start it."}
    assert get(f"{url}/healthz")[0] == 200


def test_a_model_that_says_nothing_is_not_ready_either(
    url: str, moody: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_probes, "READY_S", 0.05)
    monkeypatch.setattr(moody, "mood", "mute", raising=False)
    assert get(f"{url}/readyz")[0] == 503


def test_the_page_is_ready_when_its_model_is(url: str) -> None:
    assert get(f"{url}/readyz") == (200, '{"ready":true,"model":"scripted"}')


def test_a_question_and_a_refusal_move_the_metrics(url: str) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    def metric(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", get(f"{url}/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else 0.0

    def call(**arguments: Any) -> Any:
        return Client(url, verbose=False).predict(api_name="/ask", **arguments)

    stop, refused = 'internvl_requests_total{outcome="stop"}', 'internvl_errors_total{kind="ModeError"}'
    before = metric(stop), metric(refused)
    call(message={"text": "Well?", "files": []}, mode="low")
    with pytest.raises(AppError):
        call(message={"text": "Well?", "files": []}, mode="enormous")
    assert (metric(stop), metric(refused)) == (before[0] + 1, before[1] + 1)
    assert metric('internvl_queue{state="running"}') == 0
    assert metric('internvl_build_info{version="0.1.0"}') == 1
