"""The inspector: the prompt piece by piece, and calls that are pasted into real shells and real Pythons."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from internvl_demo.answering.metrics import Observer
from internvl_demo.answering.stream import answer
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.prompt import prompt_text
from internvl_demo.conversation.tiling import TilesFollow, plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models import open_backend
from internvl_demo.models.base import Dialect, ModelInfo
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.dialects import DIALECTS
from internvl_demo.models.places import places_of
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.photos.decode import photo_of, read_photo
from internvl_demo.photos.photo import Photo, file_of
from internvl_demo.settings import Settings
from internvl_demo.store import open_store
from internvl_demo.web.app import build_service
from internvl_demo.web.language import Words
from internvl_demo.web.widgets.inspector.calls import ByServer, How, InProcess
from internvl_demo.web.widgets.inspector.prompt import Inspection, how_of, inspect
from internvl_demo.web.widgets.inspector.view import inspector
from tests.support.hostile_texts import HOSTILE_PROMPTS
from tests.support.pictures import saved
from tests.support.scripted_server import CARD, MODEL, USAGE, delta, event

ROOT = Path(__file__).parents[2]
OPENING = "<|im_start|>assistant\n"
INFO = ModelInfo(MODEL, tokens_per_tile=256, context_length=32_768)
GREEDY = Options(max_new_tokens=64)

RED, WIDE = photo_of(Image.new("RGB", (448, 448), "red")), photo_of(Image.new("RGB", (1280, 600), "navy"))
NOISE = Image.effect_noise((640, 480), 40).convert("RGB")
JPEG, WEBP = read_photo(saved(NOISE, "JPEG")), read_photo(saved(NOISE, "WEBP"))

ORDINARY = 'What\'s "here"? 书生·浦语 😀 <ref>cat</ref> \\ and\na second line\t$HOME'


def inspected(conversation: Conversation, how: How | None = None, options: Options = GREEDY) -> Inspection:
    return inspect(conversation, options, INFO, how or ByServer(MODEL), len, exact=False)


def two_turns(text: str = ORDINARY) -> Conversation:
    first = (Attachment(RED, 1), Attachment(JPEG, 12))
    return (
        Conversation().ask(text, first).with_answer(text).ask(text, (Attachment(WIDE, 6), Attachment(RED, 1)))
    )


def hostile() -> Conversation:
    asked = Conversation()
    for text in HOSTILE_PROMPTS[:-1]:
        asked = asked.ask(text, (Attachment(RED, 1),)).with_answer(text)
    return asked.ask(HOSTILE_PROMPTS[-1])


def save(folder: Path, inspection: Inspection) -> None:
    """The pictures beside the script, as a person saves them."""
    for segment in inspection.segments:
        if segment.picture:
            webp = segment.picture.file.endswith(".webp")
            (folder / segment.picture.file).write_bytes(file_of(segment.picture.photo, webp=webp)[1])


@dataclass
class Captured:
    """A model server that keeps what it is sent, as bytes."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    owner: str = "lmdeploy"


@pytest.fixture
def server() -> Iterator[Captured]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/v1/models":
                self.send_error(404)
                return
            card = {**CARD, "owned_by": captured.owner}
            self.reply("application/json", json.dumps({"object": "list", "data": [card]}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path != "/v1/chat/completions":
                self.send_error(404)
                return
            captured.bodies.append(body)
            captured.keys.append(self.headers["authorization"])
            assert self.headers["content-type"] == "application/json"
            said = [delta("I see", "stop"), {**delta(""), "choices": [], "usage": USAGE}]
            self.reply("text/event-stream", b"".join(map(event, [*said, b"[DONE]"])))

        def reply(self, content_type: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    captured = Captured(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield captured
    listener.shutdown()
    thread.join()
    listener.server_close()


def really_sent(server: Captured, conversation: Conversation, options: Options = GREEDY) -> bytes:
    """The body of the real backend's request."""

    async def ask() -> None:
        backend = ServerBackend(server.url)
        async for _ in backend.stream(conversation.retry(), options):
            pass
        await backend.close()

    asyncio.run(ask())
    return server.bodies.pop()


def run(program: list[str], text: str, folder: Path, **environment: str) -> str:
    """Pastes a text into a program that reads its standard input; what it says."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    before = sorted(folder.iterdir())
    done = subprocess.run(
        program, input=text.encode(), cwd=folder, env=variables, capture_output=True, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(folder.iterdir()) == before, "a text left its quotes"
    return done.stdout.decode()


# --- what goes wrong --------------------------------------------------------------------------------------


def test_there_is_nothing_to_inspect_before_a_question() -> None:
    with pytest.raises(ValueError):
        inspected(Conversation())


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_hostile_words_stay_words_in_a_shell(shell: str, server: Captured, tmp_path: Path) -> None:
    conversation = hostile()
    inspection = inspected(conversation)
    save(tmp_path, inspection)
    run([shell], inspection.curl, tmp_path, INTERNVL_ENDPOINT=server.url, INTERNVL_API_KEY="k")
    (sent,) = server.bodies
    server.bodies.clear()
    assert json.loads(sent) == json.loads(really_sent(server, conversation))


def test_hostile_words_stay_words_in_python(server: Captured, tmp_path: Path) -> None:
    conversation = hostile()
    inspection = inspected(conversation)
    save(tmp_path, inspection)
    run([sys.executable, "-"], inspection.python, tmp_path, INTERNVL_ENDPOINT=server.url)
    (sent,) = server.bodies
    server.bodies.clear()
    assert sent == really_sent(server, conversation)


@given(st.text(st.characters(exclude_categories=())), st.sampled_from([ByServer(MODEL), InProcess()]))
def test_no_text_steers_a_terminal(text: str, how: How) -> None:
    inspection = inspected(Conversation().ask(text), how)
    for script in (inspection.curl, inspection.python):
        assert script.isascii() or all(char.isprintable() or char == "\n" for char in script)
        script.encode()
    compile(inspection.python, "inspected", "exec")


def test_the_hosts_secrets_are_in_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "InternVL-mine"
    folder.mkdir()
    hosts = [
        Settings(endpoint="http://10.1.2.3:23333", api_key="sk-secret", checkpoint="unused"),
        Settings(serve="OpenGVLab/InternVL-Chat-V1-5", lmdeploy_arg=("--secret",)),
        Settings(checkpoint=str(folder)),
        Settings(),
    ]
    for settings in hosts:
        inspection = inspected(two_turns(), how_of(places_of(settings)[0], ModelInfo("shown", 256, 4096)))
        for text in (inspection.curl, inspection.python):
            for secret in ("10.1.2.3", "sk-secret", "--secret", str(tmp_path), str(ROOT)):
                assert secret not in text


def test_a_page_is_not_asked_what_its_api_cannot_say() -> None:
    mixed = Conversation().ask("Both?", (Attachment(RED, 1), Attachment(WIDE, 12)))
    for conversation in (two_turns(), mixed):
        assert inspected(conversation, InProcess()).curl == ""
        assert inspected(conversation, InProcess()).python


# --- who answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "dialect", "how"),
    [
        (Settings(), None, InProcess()),
        (Settings(checkpoint="OpenGVLab/InternVL3-1B-hf"), None, InProcess("OpenGVLab/InternVL3-1B-hf")),
        (Settings(checkpoint=str(ROOT)), None, InProcess("shown")),
        (Settings(endpoint="http://a"), None, ByServer("shown", "lmdeploy")),
        (Settings(endpoint="http://a"), "sglang", ByServer("shown", "sglang")),
        (Settings(serve="OpenGVLab/InternVL-Chat-V1-5"), None, ByServer("shown", "lmdeploy")),
    ],
)
def test_the_settings_say_who_answers(settings: Settings, dialect: Dialect | None, how: How) -> None:
    assert how_of(places_of(settings)[0], ModelInfo("shown", 256, 4096, dialect=dialect)) == how


# --- the prompt -------------------------------------------------------------------------------------------

TEXTS = st.one_of(st.sampled_from(HOSTILE_PROMPTS[:-1]), st.text(max_size=20))
IMAGES = st.lists(st.builds(Attachment, st.sampled_from([RED, WIDE]), st.integers(1, 40)), max_size=2)


@given(st.lists(st.tuples(TEXTS, IMAGES), min_size=1, max_size=4), st.booleans())
def test_the_segments_are_the_prompt_to_the_letter(
    turns: list[tuple[str, list[Attachment]]], answered: bool
) -> None:
    conversation = Conversation()
    for text, images in turns:
        conversation = conversation.with_answer(text) if conversation.turns else conversation
        conversation = conversation.ask(text, tuple(images))
    seen = inspected(conversation.with_answer("It is.") if answered else conversation)
    assert seen.prompt == prompt_text(conversation, 256)
    assert (seen.segments[0].kind, seen.segments[-1].kind) == ("system", "opening")
    assert seen.segments[-1].text == OPENING
    assert [segment.text.startswith(OPENING) for segment in seen.segments if segment.kind == "answer"] == [
        True
    ] * (len(turns) - 1)
    assert [segment.picture.photo for segment in seen.segments if segment.picture] == [
        image.photo for image in conversation.images
    ]


def test_a_photo_sent_twice_is_one_file_under_two_captions() -> None:
    pictures = [segment.picture for segment in inspected(two_turns()).segments if segment.picture]
    assert [(picture.caption, picture.file) for picture in pictures] == [
        ("Image-1", "image-1.png"),
        ("Image-2", "image-2.jpg"),
        ("Image-3", "image-3.png"),
        ("Image-4", "image-1.png"),
    ]


def test_the_tokens_are_those_that_the_model_reads(nano: LocalBackend) -> None:
    conversation = two_turns()

    async def read() -> int:
        async for said in answer(nano, conversation, Options(max_new_tokens=1)):
            last = said
        assert last.usage
        return last.usage.prompt_tokens

    info = asyncio.run(nano.describe())
    seen = inspect(conversation, GREEDY, info, InProcess(), nano.count_text, exact=True)
    assert seen.tokens == asyncio.run(read())


# --- the call to a model server ---------------------------------------------------------------------------

ASKED = {
    "two turns": two_turns(),
    "words only": Conversation().ask(ORDINARY),
    "answered": two_turns().with_answer("A"),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_pasted_call_is_the_real_one_to_the_byte(
    name: str, dialect: Dialect, server: Captured, tmp_path: Path
) -> None:
    server.owner = dialect
    options = Options(77, 0.7, 0.9, 5) if name == "two turns" else GREEDY
    inspection = inspected(ASKED[name], ByServer(MODEL, dialect), options)
    save(tmp_path, inspection)
    real = really_sent(server, ASKED[name], options)
    said = run(["bash"], inspection.curl, tmp_path, INTERNVL_ENDPOINT=server.url, INTERNVL_API_KEY="key")
    assert "I see" in said and server.keys[-1] == "Bearer key"
    program = [sys.executable, "-"]
    said = run(program, inspection.python, tmp_path, INTERNVL_ENDPOINT=server.url, INTERNVL_API_KEY="key")
    assert said == "I see\n" and server.keys[-1] == "Bearer key"
    assert server.bodies == [real, real]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_page_shows_the_dialect_that_was_only_detected(
    dialect: Dialect, server: Captured, tmp_path: Path
) -> None:
    server.owner = dialect
    asked = Conversation().ask("Both?", (Attachment(WEBP, 1), Attachment(JPEG, 12)))
    inspection = inspected(
        asked, shown_by_the_page(Settings(endpoint=server.url, data_dir=tmp_path / "kept"))
    )
    real = really_sent(server, asked)
    save(tmp_path, inspection)
    run(["bash"], inspection.curl, tmp_path, INTERNVL_ENDPOINT=server.url, INTERNVL_API_KEY="key")
    assert server.bodies == [real]


def shown_by_the_page(settings: Settings) -> How:
    """As what the page's inspector shows a call to the model of these settings."""
    backend = open_backend(settings)
    info = asyncio.run(backend.describe())
    store = open_store(settings)
    service = build_service([backend], [info], settings, Observer(), store)
    store.close()
    return service.models.first.how


@pytest.mark.parametrize("follow", get_args(TilesFollow))
def test_no_number_of_tiles_is_shown_that_is_not_true(follow: TilesFollow) -> None:
    info = ModelInfo(MODEL, 256, 32_768, tiles_follow=follow)
    asked = Conversation().ask("Both?", (Attachment(WIDE, 1), Attachment(WIDE, 12)))
    seen = inspect(asked, GREEDY, info, ByServer(MODEL), len, exact=False)
    text = sum(segment.tokens for segment in seen.segments if not segment.picture)
    grids = [
        segment.picture.plan and segment.picture.plan.grid for segment in seen.segments if segment.picture
    ]
    shown = inspector(seen, 1, Words("en"))
    cuts = [segment["cut"] for segment in shown["segments"] if segment["kind"] == "image"]
    if follow == "engine":
        assert grids == [None, None] and seen.tokens == text
        assert cuts == ["1280 × 600 px → tiles as the model's server decides"] * 2
        assert shown["total"].endswith("and those of the images") and "server decides" in shown["note"]
    else:
        largest = plan_tiles(WIDE.size_wh, 12)
        assert grids == [(1, 1) if follow == "image" else largest.grid, largest.grid]
        views = 1 + largest.views if follow == "image" else 2 * largest.views
        assert seen.tokens == text + views * 256 and shown["total"] == f"≈ {seen.tokens:,} tokens"


# --- the call in process ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene() -> Photo:
    return photo_of(draw_scene(2_000_000_010, size_wh=(640, 480)).image)


def raw_of(backend: LocalBackend, conversation: Conversation) -> str:
    async def last() -> str:
        async for said in answer(backend, conversation, GREEDY):
            raw = said.raw
        return raw

    return asyncio.run(last())


def test_the_pasted_python_answers_as_the_page_did(nano: LocalBackend, scene: Photo, tmp_path: Path) -> None:
    asked = Conversation().ask("What is in the picture?", (Attachment(scene, 1),))
    asked = asked.with_answer(raw_of(nano, asked)).ask("Where is everything?")
    inspection = inspected(asked, InProcess())
    save(tmp_path, inspection)
    said = run([sys.executable, "-"], inspection.python, tmp_path)
    assert said == raw_of(nano, asked) + "\n"


def test_the_pasted_python_rebuilds_hostile_words() -> None:
    rebuilt: dict[str, object] = {}
    for text in HOSTILE_PROMPTS:
        conversation = Conversation().ask(text).with_answer(text).ask(text)
        script = inspected(conversation, InProcess()).python
        exec(compile(script.replace("asyncio.run(main())", ""), "inspected", "exec"), rebuilt)
        again = rebuilt["conversation"]
        assert isinstance(again, Conversation) and again.turns == conversation.turns
        assert rebuilt["options"] == GREEDY


def test_the_pasted_curl_asks_the_pages_api(
    nano: LocalBackend, nano_url: str, scene: Photo, tmp_path: Path
) -> None:
    asked = Conversation().ask("What is in the picture?", (Attachment(scene, 1), Attachment(scene, 1)))
    inspection = inspected(asked, InProcess())
    save(tmp_path, inspection)
    said = run(["bash"], inspection.curl, tmp_path, PAGE=nano_url.rstrip("/"))
    told = json.loads(said.split("event: complete\ndata: ")[1])[0]
    assert told["usage"]["completion_tokens"] and told["tiles"] == [1, 1]

    async def last() -> str:
        async for one in answer(nano, asked):
            text = one.text
        return text

    assert told["text"] == asyncio.run(last())


@pytest.mark.parametrize("text", HOSTILE_PROMPTS[:-2])
def test_hostile_words_reach_the_pages_api_as_words(text: str, scripted_url: str, tmp_path: Path) -> None:
    script = inspected(Conversation().ask(text), InProcess()).curl
    said = run(["bash"], script, tmp_path, PAGE=scripted_url.rstrip("/"))
    assert "event: complete" in said
