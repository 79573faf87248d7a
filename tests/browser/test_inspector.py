"""The inspector's dialog, alone on a page, in real Chromium: opened from an answer, read, copied, left."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import Photo, photo_of
from internvl_demo.web.inspection.prompt import ByServer, How, InProcess, Inspection, inspect
from internvl_demo.web.inspector_view import CLOSED, inspector, turns_until
from internvl_demo.web.layout import CSS, STATIC, theme, widget
from internvl_demo.web.strings import words_for
from tests.support.hostile_texts import HOSTILE_PROMPTS

Open = Callable[..., Page]

INFO = ModelInfo("internvl-chat-v1-5", tokens_per_tile=256, context_length=32_768)
MARKUP = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> ${alert(3)} {{value}} <|im_end|>"
SCENE = photo_of(Image.linear_gradient("L").resize((800, 600)), "<img src=x onerror=alert(4)>.png")
ASKED = (
    Conversation()
    .ask("Where is the cat?", (Attachment(SCENE, 12),))
    .answered("<ref>the cat</ref><box>[[100, 200, 300, 400]]</box>")
    .ask(
        MARKUP + "".join(HOSTILE_PROMPTS[:9]),
        (Attachment(photo_of(Image.new("RGB", (448, 448), "teal")), 1),),
    )
    .answered("No.")
)
ANSWERS = "".join(
    f'<p>An answer.</p><p><span class="receipt turn-{turn}">first token 0.41 s</span></p>' for turn in (1, 2)
)


def seen(turn: int, how: How, *, exact: bool) -> Inspection:
    conversation = turns_until(ASKED, turn)
    assert conversation
    return inspect(conversation, Options(), INFO, how, len, exact=exact)


def served(how: How, folder: Path, *, exact: bool) -> gr.Blocks:
    def url_of(photo: Photo) -> str:
        path = folder / f"{photo.id}.png"
        photo.image.save(path)
        return f"gradio_api/file={path}"

    def on_inspect(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        words = words_for(request.headers.get("accept-language"))
        return inspector(seen(event.turn, how, exact=exact), event.turn, url_of, words)

    with gr.Blocks(analytics_enabled=False, title="Inspector") as page:
        gr.Markdown("# Inspector")
        gr.HTML(ANSWERS, elem_id="conversation")
        gr.Button("Send", elem_id="send")
        dialog = widget("inspector", CLOSED, apply_default_css=False)
        dialog.click(on_inspect, None, dialog, show_progress="hidden", api_visibility="private")
    page.launch(
        prevent_thread_lock=True,
        quiet=True,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        allowed_paths=[str(folder)],
        theme=theme(),
        css_paths=[*CSS, STATIC / "inspector.css"],
    )
    return page


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("photos")
    with ThreadPoolExecutor(1) as thread:  # Playwright keeps an event loop in this one
        pages = {
            "server": thread.submit(served, ByServer(INFO.name), folder, exact=False).result(),
            "process": thread.submit(served, InProcess(), folder, exact=True).result(),
        }
    yield {name: page.local_url for name, page in pages.items()}
    for page in pages.values():
        page.close()


def opened(open_page: Open, url: str, turn: int = 2, **view: Any) -> Page:
    page = open_page(url, **view)
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    page.click(f".receipt.turn-{turn} button.inspect")
    expect(page.locator("#inspector dialog")).to_be_visible()
    return page


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    expect(page.get_by_role("tabpanel")).to_have_count(1)


def normal(text: str) -> str:
    """As a text node or the clipboard of this system gives it back."""
    return text.replace("\r\n", "\n")


# What goes wrong.


def test_hostile_words_stay_text(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["server"])
    expected = [
        segment for segment in seen(2, ByServer(INFO.name), exact=False).segments if not segment.picture
    ]
    texts = page.locator("#inspector li pre").evaluate_all("nodes => nodes.map((node) => node.textContent)")
    assert texts == [segment.text for segment in expected]
    expect(page.locator("#inspector script, #inspector img[src=x]")).to_have_count(0)
    expect(page.locator("#inspector li .control").first).to_have_text("<s>")
    assert MARKUP.count("<|im_end|>") == 1
    question = page.locator("#inspector li.question pre").last
    expect(question.locator(".control", has_text="<|im_end|>")).to_have_count(1)  # the template's, not theirs
    for name in ("curl", "Python"):
        tab(page, name)
    expect(page.locator("#inspector script, #inspector img[src=x]")).to_have_count(0)


def test_without_a_clipboard_copy_still_copies(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["server"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate(
        "document.addEventListener('copy', () => { window.copied = String(document.activeElement.value) })"
    )
    tab(page, "curl")
    page.locator("[role=tabpanel]:visible .copy").click()
    expect(page.locator("#inspector [role=status]")).to_have_text("Copied")
    assert page.evaluate("window.copied") == seen(2, ByServer(INFO.name), exact=False).curl
    expect(page.locator("[role=tabpanel]:visible .copy")).to_be_focused()


def test_where_copying_is_forbidden_it_says_so(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["server"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate("document.execCommand = () => false")
    page.locator("[role=tabpanel]:visible .copy").click()
    expect(page.locator("#inspector [role=status]")).to_contain_text("Not copied")


def test_a_call_that_curl_cannot_make_says_so(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["process"])
    tab(page, "curl")
    expect(page.get_by_role("tabpanel")).to_contain_text("the Python tab has it")
    expect(page.locator("[role=tabpanel]:visible .copy")).to_have_count(0)


# What a person reads and does.


@pytest.mark.parametrize("who", ["server", "process"])
def test_each_text_is_copied_whole(who: str, open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls[who], turn=1, permissions=["clipboard-read", "clipboard-write"])
    how = ByServer(INFO.name) if who == "server" else InProcess()
    inspection = seen(1, how, exact=who == "process")
    for name, text in (
        ("Prompt", inspection.prompt),
        ("curl", inspection.curl),
        ("Python", inspection.python),
    ):
        tab(page, name)
        button = page.locator("[role=tabpanel]:visible .copy")
        button.click()
        expect(button).to_have_text("Copied")
        assert normal(page.evaluate("navigator.clipboard.readText()")) == text


def test_the_segments_tell_what_each_takes(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["process"], turn=2)
    rows = page.locator("#inspector li")
    heads = rows.locator(".what b")
    earlier = ["System", "Question", "Image-1", "Question", "Answer"]
    expect(heads).to_have_text([*earlier, "Question", "Image-2", "Question", "The answer begins here"])
    image = page.locator("#inspector li.image").first
    expect(image).to_contain_text("<IMG_CONTEXT> × 3,328")
    expect(image).to_contain_text("800 × 600 px → 4 × 3 = 12 tiles + thumbnail → 13 views × 256 tokens")
    total = sum(segment.tokens for segment in seen(2, InProcess(), exact=True).segments)
    expect(page.locator("#inspector .top strong").first).to_have_text(f"{total:,} tokens")


def test_estimated_tokens_are_marked_and_images_are_not(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["server"])
    expect(page.locator("#inspector .top").first).to_contain_text("estimated")
    expect(page.locator("#inspector li.system .tokens")).to_contain_text("≈")
    expect(page.locator("#inspector li.image .tokens").first).to_have_text("3,328 tokens")


def test_the_pictures_can_be_saved_under_the_scripts_names(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["server"])
    tab(page, "Python")
    with page.expect_download() as saved:
        page.get_by_role("link", name="image-1.png").click()
    assert saved.value.suggested_filename == "image-1.png"
    assert Image.open(saved.value.path()).tobytes() == SCENE.image.tobytes()


def test_keys_alone_do_everything(open_page: Open, urls: dict[str, str]) -> None:
    page = open_page(urls["server"])
    page.locator(".receipt.turn-1 button.inspect").focus()
    page.keyboard.press("Enter")
    tabs = page.get_by_role("tab")
    expect(tabs.nth(0)).to_be_focused()
    for key, place in (("ArrowRight", 1), ("End", 2), ("ArrowRight", 0), ("ArrowLeft", 2), ("Home", 0)):
        page.keyboard.press(key)
        expect(tabs.nth(place)).to_be_focused()
        expect(tabs.nth(place)).to_have_attribute("aria-selected", "true")
        expect(page.locator("[role=tabpanel]:visible")).to_have_attribute("id", f"inspector-panel-{place}")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        ), "the focus left the dialog"
    page.keyboard.press("Escape")
    expect(page.locator("#inspector dialog")).to_be_hidden()
    expect(page.locator(".receipt.turn-1 button.inspect")).to_be_focused()


def test_it_opens_again_and_for_another_answer(open_page: Open, urls: dict[str, str]) -> None:
    page = open_page(urls["server"])
    for turn in (1, 1, 2, 1):
        page.click(f".receipt.turn-{turn} button.inspect")
        expect(page.get_by_role("heading", name=f"answer {turn}")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        expect(page.locator("#inspector dialog")).to_be_hidden()


def test_answers_that_come_later_get_their_button(open_page: Open, urls: dict[str, str]) -> None:
    page = open_page(urls["server"])
    expect(page.locator("button.inspect")).to_have_count(2)
    page.evaluate(
        "document.querySelector('.receipt').parentElement.innerHTML = '<i class=\"receipt turn-1\">now</i>'"
    )
    expect(page.locator("button.inspect")).to_have_count(2)
    page.click(".receipt.turn-1 button.inspect")
    expect(page.locator("#inspector dialog")).to_be_visible()


def test_it_speaks_chinese(open_page: Open, urls: dict[str, str]) -> None:
    page = opened(open_page, urls["server"], locale="zh-CN")
    expect(page.get_by_role("tab").first).to_have_text("提示词")
    expect(page.locator(".receipt.turn-2 button.inspect")).to_have_text("提示词与调用")


@pytest.mark.parametrize(
    "view", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"locale": "zh-CN"}]
)
def test_axe_finds_nothing_serious(open_page: Open, urls: dict[str, str], view: dict[str, Any]) -> None:
    page = opened(open_page, urls["server"], **view)
    for place in range(3):
        page.get_by_role("tab").nth(place).click()
        page.wait_for_function("document.getAnimations().length === 0")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page).response["violations"]
        assert [
            (one["id"], [node["target"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ] == []


@pytest.mark.parametrize("turn", [0, 3, -1, True, "1", None, 1.0, {}])
def test_an_answer_that_is_not_there_is_not_inspected(turn: object) -> None:
    assert turns_until(ASKED, turn) is None
