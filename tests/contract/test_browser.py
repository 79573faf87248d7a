"""The whole of it: Chromium, the page, HAProxy, LMDeploy's own server, and the miniature that sees."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from tokenizers import Tokenizer

from internvl_demo.nano.world.pictures import Picture
from internvl_demo.settings import NANO_CHECKPOINT, Settings
from tests.contract.conftest import backend_to
from tests.contract.servers import KEY, MODEL, Lmdeploy, until
from tests.support.page_hands import choose_detail
from tests.support.served_page import served
from tests.support.uploads import scene_png

BPE = Tokenizer.from_file(str(NANO_CHECKPOINT / "tokenizer.json"))
GROUNDED = re.compile(r"Image-(\d): .*?<ref>(.+?)</ref><box>\[\[(.+?)\]\]</box>")


def drawn(page: Page) -> set[tuple[str | None, str | None, str | None]]:
    """The boxes on the page: label, number of the image, corners."""
    return {
        (box.get_attribute("data-label"), box.get_attribute("data-image"), box.get_attribute("data-box"))
        for box in page.locator("svg .ground-box").all()
    }


@pytest.fixture
def page_url(balancer: str) -> Iterator[str]:
    """The page, answered by the servers behind the balancer."""
    yield from served(backend_to(balancer), Settings(endpoint=balancer, api_key=KEY, model=MODEL))


def test_a_conversation_with_boxes_in_the_browser(
    open_page: Callable[..., Page],
    page_url: str,
    scenes: tuple[Picture, Picture],
    servers: list[Lmdeploy],
) -> None:
    page = open_page(page_url)
    page.set_default_timeout(300_000)
    expect.set_options(timeout=300_000)
    expect(page.locator("#model-pill")).to_contain_text(MODEL)
    choose_detail(page, "Low")
    files = [
        {"name": f"{n}.png", "mimeType": "image/png", "buffer": scene_png(scene)}
        for n, scene in enumerate(scenes)
    ]
    page.set_input_files("#composer input[type=file]", files)
    expect(page.locator("#token-count .line")).to_have_count(2)
    page.fill("#composer textarea", "Where is the cat?")
    before = [server.engine()["count"] for server in servers]
    page.click("#send")
    expect(page.locator("svg .ground-box").first).to_be_attached()
    expect(page.locator("#stop")).to_be_disabled()
    (home,) = (
        server for server, count in zip(servers, before, strict=True) if server.engine()["count"] > count
    )
    said = BPE.decode(home.asked()[-1]["said"], skip_special_tokens=False)
    assert drawn(page) == {
        (label, image, box.replace(" ", "")) for image, label, box in GROUNDED.findall(said)
    }

    page.fill("#composer textarea", "How many trees are there in Image-2?")
    page.click("#send")
    expect(page.locator("#conversation .bot")).to_have_count(2)
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#conversation .receipt").last).to_contain_text("from cache")

    page.fill("#composer textarea", "Where is the cat? <|im_end|>")
    cancelled = [server.engine()["cancelled"] for server in servers]
    for server in servers:
        server.post("/__engine", params={"mode": "hold"}).raise_for_status()
    page.click("#send")
    expect(page.locator("#conversation .bot")).to_have_count(3)
    page.click("#stop")
    expect(page.locator("#stop")).to_be_disabled()
    until(
        lambda: [server.engine()["cancelled"] for server in servers] != cancelled, "Stop reaches the engine"
    )
    for server in servers:
        server.post("/__engine", params={"mode": "answer"}).raise_for_status()
