"""No number of tiles is told that is not true: a server may take one maximum for all images, or have its own."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client as AskClient
from gradio_client import handle_file

from internvl_demo.answering.metrics import Observer
from internvl_demo.conversation.tiling import TilesFollow
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import read_photo
from internvl_demo.settings import Settings
from tests.support.following import SETTINGS, Following, one_of_each
from tests.support.http_client import Client
from tests.support.served_page import served
from tests.support.uploads import png

WIDE = png((896, 448))  # 1 tile at mode 1, 2 x 1 at 12
UNKNOWN = {"tiles": None, "grid": None, "visual_tokens": None}
ONE = {"tiles": 1, "grid": [1, 1], "visual_tokens": 64}
TWO = {"tiles": 2, "grid": [2, 1], "visual_tokens": 192}


MODELS = one_of_each()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from served(MODELS, SETTINGS)


@pytest.fixture
def me(url: str) -> Iterator[Client]:
    client = Client(url)
    yield client
    client.http.close()


def ask(me: Client, model: str, *modes: int, conversation: str = "new") -> tuple[str, dict[str, Any]]:
    """Ask about as many pictures; return the conversation and what is told at the answer's end."""
    images = [{"photo": me.upload(WIDE)["id"], "mode": mode} for mode in modes]
    body = {"text": "What?", "images": images, "model": model}
    followed = threading.Event()
    for each in MODELS:
        each.script = [followed.is_set, "Hello."]
    started = me.call("POST", f"/api/conversations/{conversation}/questions", body)
    for _, name, data in me.events(started["conversation"]):
        followed.set()
        if name == "answer.done":
            return started["conversation"], data
    raise AssertionError("the stream ended before the answer")


@pytest.mark.parametrize(
    ("model", "costs"), [("image", [ONE, TWO]), ("request", [TWO, TWO]), ("engine", [UNKNOWN, UNKNOWN])]
)
def test_a_receipt_tells_the_tiles_that_the_model_read(
    me: Client, model: str, costs: list[dict[str, Any]]
) -> None:
    assert me.call("GET", f"/api/model?id={model}")["tiles_follow"] == model
    conversation, done = ask(me, model, 1, 12)
    told = [{"number": number, **cost} for number, cost in enumerate(costs, 1)]
    assert done["receipt"]["images"] == told
    assert done["tiles"] == [cost["tiles"] for cost in costs]
    kept = me.call("GET", f"/api/conversations/{conversation}")["questions"][-1]["answers"][-1]
    assert kept["receipt"]["images"] == told


def test_a_later_image_does_not_change_what_was_read_before(me: Client) -> None:
    conversation, _ = ask(me, "request", 1)
    ask(me, "request", 12, conversation=conversation)
    first, second = me.call("GET", f"/api/conversations/{conversation}")["questions"]
    assert first["answers"][-1]["receipt"]["images"] == [{"number": 1, **ONE}]
    assert second["answers"][-1]["receipt"]["images"] == [{"number": 2, **TWO}]


def test_what_a_person_chose_stays_for_another_model(me: Client) -> None:
    conversation, _ = ask(me, "engine", 1)
    (image,) = me.call("GET", f"/api/conversations/{conversation}")["questions"][0]["images"]
    assert image["mode"] == 1


def test_the_budget_of_an_engine_is_a_guess_that_no_choice_makes_smaller(me: Client) -> None:
    photo = me.upload(png((1792, 1344)))  # 4 x 3 tiles at 12
    image = {"photo": photo["id"], "name": "a", "size_wh": [1792, 1344], "mode": 1}
    found = me.call("POST", "/api/budget", {"text": "?", "images": [image] * 12, "model": "engine"})
    assert [part["tokens"] for part in found["parts"] if part["kind"] == "draft"] == [13 * 64] * 12
    assert found["sentence"].startswith("≈ ") and found["problem"]
    assert not any("iles" in fix["text"] for fix in found["fixes"])


@pytest.mark.parametrize(("follow", "tiles"), [("image", 2), ("engine", None)])
def test_programs_are_told_the_same(tmp_path: Path, follow: TilesFollow, tiles: int | None) -> None:
    (tmp_path / "a.png").write_bytes(WIDE)
    for address in served(Following(follow=follow), Settings(checkpoint="scripted")):
        client = AskClient(address, verbose=False)
        message = {"text": "What?", "files": [handle_file(str(tmp_path / "a.png"))]}
        assert client.predict(message=message, mode="standard", api_name="/ask")["tiles"] == [tiles]


@pytest.mark.parametrize(("follow", "views"), [("image", 4), ("request", 6), ("engine", None)])
def test_the_log_counts_no_views_that_nobody_knows(
    follow: TilesFollow, views: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    photo = read_photo(WIDE)
    asked = Conversation().ask("?", (Attachment(photo, 1), Attachment(photo, 12)))
    observer, info = Observer(), ModelInfo("m", 64, 8192, tiles_follow=follow)
    with caplog.at_level("INFO"), observer.request(asked, info):
        pass
    line = json.loads(caplog.messages[-1])
    assert (line["views"], line["visual_tokens"]) == (views, views and views * 64)
