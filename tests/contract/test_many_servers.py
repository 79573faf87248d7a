"""Several servers behind HAProxy, both real: what a person in the middle of a conversation notices of it."""

import asyncio
import base64
import functools
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml
from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.base import Usage
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.nano.world.pictures import Picture
from internvl_demo.photos.decode import photo_of
from internvl_demo.photos.photo import encode_photo
from tests.contract.conftest import backend_to, in_a_loop
from tests.contract.servers import COMPOSE, HAPROXY, KEY, MODEL, ROOT, Lmdeploy, haproxy, until

SHORT = Options(max_new_tokens=24)


async def turn(backend: ServerBackend, conversation: Conversation) -> tuple[Conversation, Usage]:
    pieces = [piece async for piece in backend.stream(conversation, SHORT)]
    assert isinstance(pieces[-1], Usage)
    return conversation.with_answer("".join(piece for piece in pieces if isinstance(piece, str))), pieces[-1]


def counts(servers: list[Lmdeploy]) -> list[int]:
    """How many requests each server's engine was ever given."""
    return [server.engine()["count"] for server in servers]


def cancelled(servers: list[Lmdeploy]) -> list[int]:
    """How often each server's engine was told to stop."""
    return [server.engine()["cancelled"] for server in servers]


def ask_plainly(url: str, conversation_id: str, side_px: int = 64) -> int:
    """A question that nobody asks again but the balancer; its status."""
    photo = photo_of(Image.effect_noise((side_px, side_px), 90))
    mime, data = encode_photo(photo)
    picture = {"url": f"data:{mime};base64,{base64.b64encode(data).decode()}", "max_dynamic_patch": 1}
    content = [{"type": "image_url", "image_url": picture}, {"type": "text", "text": "Well?"}]
    asked = {"model": MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": content}]}
    headers = {"Authorization": f"Bearer {KEY}", "X-Conversation-Id": conversation_id}
    return httpx.post(f"{url}/v1/chat/completions", json=asked, headers=headers, timeout=300).status_code


class _Drops(BaseHTTPRequestHandler):
    """Says that it is healthy, and drops every question before the first byte of an answer."""

    protocol_version = "HTTP/1.1"
    dropped = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        type(self).dropped += 1
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def a_server_that_drops_questions() -> Iterator[str]:
    _Drops.dropped = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), _Drops) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("side_px", [64, 380])
def test_a_question_dropped_before_the_first_byte_is_asked_at_another_server(
    lmdeploy: Lmdeploy, folder: Path, side_px: int
) -> None:
    """By the balancer itself, also with a photo, as long as the whole request is below a mebibyte."""
    with (
        a_server_that_drops_questions() as bad,
        haproxy([bad, lmdeploy.address], folder / "drops.log") as url,
        lmdeploy.mode("nothing"),
    ):
        statuses = [ask_plainly(url, f"conversation {n}", side_px) for n in range(12)]
    assert statuses == [200] * 12
    assert _Drops.dropped > 0, "some of them belonged to the bad server"


@in_a_loop
async def test_new_conversations_spread_and_each_stays_on_its_server(
    servers: list[Lmdeploy], balancer: str
) -> None:
    backend = backend_to(balancer)
    homes: list[set[int]] = []
    with ExitStack() as modes:
        for server in servers:
            modes.enter_context(server.mode("nothing"))
        for n in range(16):
            conversation, home = Conversation().ask(f"I am number {n}."), set[int]()
            for _ in range(3):
                before = counts(servers)
                conversation, _ = await turn(backend, conversation)
                home |= {place for place, count in enumerate(counts(servers)) if count > before[place]}
                conversation = conversation.ask("And?")
            homes.append(home)
    await backend.close()
    assert all(len(home) == 1 for home in homes)
    assert {place for home in homes for place in home} == {0, 1}


@in_a_loop
async def test_leaving_stops_the_model_behind_the_balancer_also_while_it_says_nothing(
    servers: list[Lmdeploy], balancer: str
) -> None:
    """Each time: whether the balancer notices must not hang on the moment."""
    backend = backend_to(balancer)
    picture = Attachment(photo_of(Image.new("RGB", (64, 48), "teal")), 1)
    with ExitStack() as modes:
        for server in servers:
            modes.enter_context(server.mode("hold"))
        for _ in range(8):
            before = cancelled(servers)
            async with aclosing(backend.stream(Conversation().ask("Where?", (picture,)), SHORT)) as pieces:
                await anext(pieces)
            told = functools.partial(lambda before: cancelled(servers) != before, before)
            await asyncio.to_thread(until, told, "an engine is told to stop", 60)
    await backend.close()


@in_a_loop
async def test_when_its_server_dies_a_conversation_goes_on_at_another(
    servers: list[Lmdeploy], balancer: str, scenes: tuple[Picture, Picture]
) -> None:
    backend = backend_to(balancer)
    doomed = servers[1]
    images = tuple(Attachment(photo_of(scene.image), 1) for scene in scenes)
    while True:  # until one has its home at the server that will die
        before = doomed.engine()["count"]
        conversation, _ = await turn(backend, Conversation().ask("Where is the cat?", images))
        if doomed.engine()["count"] > before:
            break
    conversation, usage = await turn(backend, conversation.ask("How many trees are there in Image-2?"))
    assert usage.cached_tokens > 128, "the server still knows the images"

    doomed.process.kill()
    await asyncio.to_thread(doomed.process.wait)
    statuses = [await asyncio.to_thread(ask_plainly, balancer, f"conversation {n}") for n in range(8)]
    assert statuses == [200] * 8, "nobody notices, not even before the balancer has looked"
    conversation, usage = await turn(backend, conversation.ask("Where is the cat?"))
    answer = conversation.turns[-1].answer or ""
    assert re.search(r"<ref>the cat</ref><box>\[\[", answer), "the very next turn is answered"
    conversation, again = await turn(backend, conversation.ask("How many trees are there in Image-2?"))
    assert again.cached_tokens > usage.cached_tokens, "and its new server knows it from now on"
    await asyncio.gather(*(turn(backend, Conversation().ask(f"I am number {n}.")) for n in range(8)))
    await backend.close()


def test_the_balancer_of_compose_is_the_one_that_is_tested() -> None:
    services = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    (mounted,) = services["balancer"]["volumes"]
    source, _, _ = mounted.partition(":")
    assert (ROOT / source).samefile(ROOT / "assets" / "haproxy.cfg")
    named = {
        name: address for name, address in services["balancer"]["environment"].items() if "LMDEPLOY" in name
    }
    assert sorted(address.partition(":")[0] for address in named.values()) == sorted(
        name for name in services if name.startswith("lmdeploy")
    )
    assert list(named) == [f"LMDEPLOY_{number}" for number in range(1, len(named) + 1)]


def test_compose_gives_each_server_a_gpu_of_its_own_and_the_same_flags() -> None:
    services = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    servers = [service for name, service in services.items() if name.startswith("lmdeploy")]
    (gpus,) = zip(
        *(server["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for server in servers),
        strict=True,
    )
    assert len(set(gpus)) == len(servers) >= 2
    assert all(server["command"] == servers[0]["command"] for server in servers)
    assert all("ports" not in service for name, service in services.items() if name != "page")
    assert all(port.startswith("127.0.0.1:") for port in services["page"]["ports"])


@pytest.mark.parametrize("count", range(1, 9))
def test_the_balancer_takes_one_to_eight_servers(count: int) -> None:
    servers = {f"LMDEPLOY_{number}": f"127.0.0.1:{number}" for number in range(1, count + 1)}
    checked = subprocess.run(
        [HAPROXY, "-c", "-f", str(ROOT / "assets" / "haproxy.cfg")],
        env={"BALANCER_BIND": "127.0.0.1:8080", **servers},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr
