"""The inspector's dialog in real Chromium: opened from an answer, read, copied, left."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models import options_of
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import read_photo
from internvl_demo.settings import Settings
from internvl_demo.web.widgets.inspector.calls import ByServer, How, InProcess
from internvl_demo.web.widgets.inspector.prompt import Inspection, inspect
from tests.support.accessibility import faults
from tests.support.hostile_texts import HOSTILE_PROMPTS
from tests.support.kept_conversation import Asked, KeptConversation
from tests.support.page_hands import open_inspector, send
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served
from tests.support.uploads import png

Open = Callable[..., Page]

INFO = ModelInfo("internvl-chat-v1-5", tokens_per_tile=256, context_length=32_768)
MARKUP = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> ${alert(3)} {{value}} <|im_end|>"
WHOLE = "".join(HOSTILE_PROMPTS[:9]).encode("utf-8", "ignore").decode()  # what JSON can carry
SCENE = Image.linear_gradient("L").resize((800, 600))


def scene_png() -> bytes:
    data = io.BytesIO()
    SCENE.save(data, "PNG")
    return data.getvalue()


TURNS = (
    Asked(
        "Where is the cat?",
        [("<img src=x onerror=alert(4)>.png", scene_png())],
        "<ref>the cat</ref><box>[[100, 200, 300, 400]]</box>",
    ),
    Asked(MARKUP + WHOLE, [("b.png", png((448, 448)))], "No."),
)


class Counting(ScriptedModel):
    """The scripted model, as another one; it counts letters as tokens."""

    async def describe(self) -> ModelInfo:
        return INFO

    def count_text(self, text: str) -> int | None:
        return len(text)


class Estimating(Counting):
    """One whose tokenizer is on a server."""

    def count_text(self, _text: str) -> int | None:
        return None


WAYS: dict[str, tuple[Settings, type[Counting], How]] = {
    "server": (Settings(endpoint="http://127.0.0.1:1"), Estimating, ByServer(INFO.name)),
    "process": (Settings(checkpoint="OpenGVLab/InternVL"), Counting, InProcess("OpenGVLab/InternVL")),
}


def seen(turn: int, who: str) -> Inspection:
    """What the dialog should show of an answer."""
    settings, model, how = WAYS[who]
    conversation = Conversation()
    for asked in TURNS[:turn]:
        images = tuple(Attachment(read_photo(data, name), 12) for name, data in asked.files)
        conversation = conversation.ask(asked.text, images).with_answer(asked.raw)
    exact = model is Counting
    return inspect(conversation, options_of(settings), INFO, how, len, exact=exact)


@contextmanager
def answered(who: str) -> Iterator[KeptConversation]:
    settings, model, _ = WAYS[who]
    backend = model()
    for url in served(backend, settings):
        yield KeptConversation(url, backend, *TURNS)


@pytest.fixture(scope="module")
def kept() -> Iterator[dict[str, KeptConversation]]:
    """The same conversation, answered by a server and in process."""
    with ExitStack() as pages:
        yield {who: pages.enter_context(answered(who)) for who in WAYS}


Kept = dict[str, KeptConversation]


def opened(open_page: Open, conversation: KeptConversation, turn: int = 2, **view: Any) -> Page:
    page = conversation.open_in(open_page, **view)
    open_inspector(page, turn)
    expect(page.locator("#inspector dialog")).to_be_visible()
    return page


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    expect(page.get_by_role("tabpanel")).to_have_count(1)


def normal(text: str) -> str:
    """As a text node or the clipboard of this system gives it back."""
    return text.replace("\r\n", "\n")


# What goes wrong.


def test_hostile_words_stay_text(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["server"])
    expected = [segment for segment in seen(2, "server").segments if not segment.picture]
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


def test_without_a_clipboard_copy_still_copies(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["server"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate(
        "document.addEventListener('copy', () => { window.copied = String(document.activeElement.value) })"
    )
    tab(page, "curl")
    page.locator("[role=tabpanel]:visible .copy").click()
    expect(page.locator("#inspector [role=status]")).to_have_text("Copied")
    assert page.evaluate("window.copied") == seen(2, "server").curl
    expect(page.locator("[role=tabpanel]:visible .copy")).to_be_focused()


def test_where_copying_is_forbidden_it_says_so(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["server"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate("document.execCommand = () => false")
    page.locator("[role=tabpanel]:visible .copy").click()
    expect(page.locator("#inspector [role=status]")).to_contain_text("Not copied")


def test_a_call_that_curl_cannot_make_says_so(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["process"])
    tab(page, "curl")
    expect(page.get_by_role("tabpanel")).to_contain_text("the Python tab has it")
    expect(page.locator("[role=tabpanel]:visible .copy")).to_have_count(0)


# What a person reads and does.


@pytest.mark.parametrize("who", ["server", "process"])
def test_each_text_is_copied_whole(who: str, open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept[who], turn=1, permissions=["clipboard-read", "clipboard-write"])
    inspection = seen(1, who)
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


def test_the_segments_tell_what_each_takes(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["process"], turn=2)
    rows = page.locator("#inspector li")
    heads = rows.locator(".what b")
    earlier = ["System", "Question", "Image-1", "Question", "Answer"]
    expect(heads).to_have_text([*earlier, "Question", "Image-2", "Question", "The answer begins here"])
    image = page.locator("#inspector li.image").first
    expect(image).to_contain_text("<IMG_CONTEXT> × 3,328")
    expect(image).to_contain_text("800 × 600 px → 4 × 3 = 12 tiles + thumbnail → 13 views × 256 tokens")
    total = sum(segment.tokens for segment in seen(2, "process").segments)
    expect(page.locator("#inspector .top strong").first).to_have_text(f"{total:,} tokens")


def test_only_estimated_tokens_are_marked(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["server"])
    expect(page.locator("#inspector .top").first).to_contain_text("estimated")
    expect(page.locator("#inspector li.system .tokens")).to_contain_text("≈")
    expect(page.locator("#inspector li.image .tokens").first).to_have_text("3,328 tokens")


def test_pictures_are_saved_under_script_names(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["server"])
    tab(page, "Python")
    with page.expect_download() as saved:
        page.get_by_role("link", name="image-1.png").click()
    assert saved.value.suggested_filename == "image-1.png"
    assert Image.open(saved.value.path()).tobytes() == SCENE.tobytes()


def test_keys_alone_do_everything(open_page: Open, kept: Kept) -> None:
    page = kept["server"].open_in(open_page)
    page.locator(".receipt.turn-1 .about").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".receipt.turn-1 button.inspect")).to_be_focused()
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
    expect(page.locator(".receipt.turn-1 .about")).to_be_focused()


def test_it_opens_again_and_for_another_answer(open_page: Open, kept: Kept) -> None:
    page = kept["server"].open_in(open_page)
    for turn in (1, 1, 2, 1):
        open_inspector(page, turn)
        expect(page.get_by_role("heading", name=f"answer {turn}")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        expect(page.locator("#inspector dialog")).to_be_hidden()


def test_later_answers_get_their_button(open_page: Open, scripted_url: str) -> None:
    page = open_page(scripted_url)
    for turn in (1, 2):
        send(page, "Well?")
        expect(page.locator("#conversation .about:visible")).to_have_count(turn)
    open_inspector(page, 2)
    expect(page.get_by_role("heading", name="answer 2")).to_be_visible()


def test_it_speaks_chinese(open_page: Open, kept: Kept) -> None:
    page = opened(open_page, kept["server"], locale="zh-CN")
    expect(page.get_by_role("tab").first).to_have_text("提示词")
    expect(page.locator(".receipt.turn-2 button.inspect")).to_have_text("提示词与调用")


@pytest.mark.parametrize(
    "view", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"locale": "zh-CN"}]
)
def test_axe_finds_nothing(open_page: Open, kept: Kept, view: dict[str, Any]) -> None:
    page = opened(open_page, kept["server"], **view)
    for place in range(3):
        page.get_by_role("tab").nth(place).click()
        page.wait_for_function("document.getAnimations().length === 0")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert faults(page) == []


@pytest.mark.parametrize("answer", ["nothing", "0", "%00", "a" * 300])
def test_a_missing_answer_is_not_inspected(kept: Kept, answer: str) -> None:
    response = kept["server"].read(f"/answers/{answer}/prompt")
    assert response.status_code == 404 and response.json()["next_step"]
