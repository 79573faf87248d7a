"""The whole road, nothing scripted: real Chromium, the real page, the embedded miniature that sees."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from internvl_demo.evaluate.exam.marks import iou
from internvl_demo.nano.world.pictures import Picture
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.nano.world.vocabulary import kinds
from tests.support.uploads import scene_png

BY_NAME = {kind.en: kind for kind in kinds()}


@pytest.fixture(scope="module")
def scenes() -> tuple[Picture, Picture]:
    """Two fresh scenes; only the second shows a cat."""
    first = draw_scene(2_000_000_057, size_wh=(640, 480), wanted={BY_NAME["apple"]: 2, BY_NAME["bus"]: 1})
    second = draw_scene(2_000_000_058, size_wh=(512, 512), wanted={BY_NAME["cat"]: 1, BY_NAME["tree"]: 2})
    return first, second


def test_the_cat_is_boxed_where_it_is(
    open_page: Callable[..., Page], nano_url: str, scenes: tuple[Picture, Picture]
) -> None:
    page = open_page(nano_url)
    files = [
        {"name": f"{n}.png", "mimeType": "image/png", "buffer": scene_png(scene)}
        for n, scene in enumerate(scenes)
    ]
    page.set_input_files("#composer input[type=file]", files)
    expect(page.locator("#token-count .line")).to_have_count(2)
    page.fill("#composer textarea", "Where is the cat?")
    page.click("#send")
    box = page.locator("svg .ground-box[data-image='2']").first
    expect(box).to_be_attached()
    said = tuple(int(value) for value in (box.get_attribute("data-box") or "").split(","))
    assert iou(said, scenes[1].box_1000(scenes[1].of(BY_NAME["cat"])[0])) > 0.5
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("svg .ground-box[data-image='1']")).to_have_count(0)

    page.fill("#composer textarea", "How many apples are there in Image-1?")
    page.click("#send")
    expect(page.locator("#conversation .bot")).to_have_count(2)
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#conversation .receipt").last).to_contain_text("from cache")
    expect(page.locator("#conversation .receipt").last).to_contain_text("attention: sdpa")


def ask(url: str, text: str, *files: Path, mode: str = "standard") -> dict:
    """Through `gradio_client`, in a thread of its own: Playwright keeps an event loop in this one."""

    def call() -> dict:
        message = {"text": text, "files": [handle_file(str(path)) for path in files]}
        return Client(url, verbose=False).predict(message=message, mode=mode, api_name="/ask")

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


def test_the_api_refuses_with_a_next_step(nano_url: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(AppError, match=r"broken\.png.*JPEG"):
        ask(nano_url, "What is this?", broken)
    with pytest.raises(AppError, match="low, standard, high"):
        ask(nano_url, "What is this?", mode="enormous")


def test_the_api_answers_with_everything(
    nano_url: str, scenes: tuple[Picture, Picture], tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    scenes[1].image.save(path)
    said = ask(nano_url, "Where is the cat?", path, mode="low")
    assert said.keys() == {"text", "thinking", "boxes", "tiles", "usage", "timing"}
    (box,) = said["boxes"]
    assert box.keys() == {"label", "image", "box_1000", "xyxy_px"}
    assert box["image"] == 1
    assert iou(tuple(box["xyxy_px"]), scenes[1].of(BY_NAME["cat"])[0].xyxy_px) > 0.5
    assert said["tiles"] == [1]
    assert said["usage"]["completion_tokens"] > 5
    assert said["timing"]["ttft_s"] > 0


def test_the_miniature_passes_a_short_exam(nano_url: str, tmp_path: Path) -> None:
    """A dozen scenes through the API: most objects are found. The whole exam is a command."""
    found = 0
    for number in range(12):
        scene = draw_scene(2_000_000_100 + number, size_wh=(448, 448))
        thing = next((one for one in scene.things if len(scene.of(one.kind)) == 1), scene.things[0])
        path = tmp_path / f"{number}.png"
        scene.image.save(path)
        said = ask(nano_url, f"Where is the {thing.kind.en}?", path, mode="low")
        found += any(iou(tuple(box["xyxy_px"]), thing.xyxy_px) >= 0.5 for box in said["boxes"])
    assert found >= 8
