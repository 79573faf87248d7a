"""The page in two languages: it follows the browser, a switch turns all of it, and nothing is lost on the way."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from internvl_demo.conversation.tiling import MODES
from internvl_demo.models.openai.errors import refusal
from internvl_demo.web.strings import TABLE
from tests.support.cuttable import wire_to
from tests.support.full_page import DIALOGS, DRAFT, TEXTS, fill, point, texts
from tests.support.page_hands import BROKEN, DROP, attach, picture, send, wait_answer, write
from tests.support.scripted_model import ScriptedModel

Open = Callable[..., Page]

CHINESE = re.compile(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]")
WORD = re.compile(r"[A-Za-z]{2,}")
NEUTRAL = re.compile(
    r"InternVL \d\.\d|Image-\d+|[a-z]\.png|https?://\S+|\btokens?\b|\bpx\b|\bcurl\b|\bPython\b|\bscripted\b|\bAPI\b"
    r"|\bINTERNVL_\w+|\bPAGE\b|\bexport\b|\bhttp\b|\bHOST\b|\bPORT\b|\bopenai\b|\bEsc\b|\bShift\b"
    r"|<[^>]*>|IMG_CONTEXT|image-\d\.png"
)
"""What is called the same in both languages."""
CHANGE = "{image}\u00a0{before}\u00a0→\u00a0{after}"
SAID = re.compile(
    r"What is there\?|And now\?|First\?|Second\?|In Image-1 is|\bthe cat\b|\ba dog\b|, and|Another answer\.|Hello\."
    r"|Yet another answer\.|Half|Well\?|" + re.escape(DRAFT)
)
"""What the person and the model say."""


def speaks(page: Page, language: str) -> None:
    expect(page.locator("html")).to_have_attribute("data-language", language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("#send")).to_have_text({"en": "Send", "zh": "发送"}[language])


def switch(page: Page, language: str) -> None:
    page.click("#switch-language")
    speaks(page, language)


FOREIGN = {
    "en": (CHINESE, SAID, "中文"),
    "zh": (WORD, re.compile(f"{SAID.pattern}|{NEUTRAL.pattern}"), "English"),
}
"""For a page in this language: what shows the other, what is said or called so in both, and the switch to the other."""


def foreign(found: list[str], language: str) -> list[str]:
    """What is in the other language."""
    other, same, switched = FOREIGN[language]
    return [text for text in found if text != switched and other.search(same.sub("", text))]


def all_in(page: Page, language: str, root: str = "body") -> None:
    """Waits until nothing of the other language is left. Read again after that, the page may show for a moment what
    Gradio says while it waits, so what remains is read only where the wait was in vain."""
    other, same, switched = FOREIGN[language]
    try:
        page.wait_for_function(
            f"""([root, other, same, switched]) => ({TEXTS})(root).every((text) => text === switched
                || !new RegExp(other).test(text.replace(new RegExp(same, 'g'), '')))""",
            arg=[root, other.pattern, same.pattern, switched],
            polling=100,
            timeout=30_000,
        )
    except PlaywrightTimeout:
        pytest.fail(f"in the other language: {foreign(texts(page, root), language)}")


@pytest.fixture
def page(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> Page:
    scripted.script, scripted.stopped = ["Hello."], 0
    scripted.asked.clear()
    return open_page(scripted_url)


def test_the_check_itself_knows_both_languages() -> None:
    english, chinese = ({texts[column] for texts in TABLE.values()} for column in (0, 1))
    value = re.compile(r"\{\w+\}")
    unseen = {text for text in english if not foreign([value.sub("", text)], "zh")}
    assert unseen <= {
        "中文",
        CHANGE,
        "{count} tokens",
        "≈ {count} tokens",
        "{part}: {count} tokens",
        "{speed} tokens/s",
        "{image}: {tiles}, {tokens}",
    }
    assert {text for text in chinese if not foreign([text], "en")} <= {"中文", "English", CHANGE}


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en-US", "en"), ("zh-CN", "zh"), ("zh-TW", "zh"), ("zh", "zh"), ("de-DE", "en"), ("fr", "en")],
)
def test_the_language_follows_the_browser(
    open_page: Open, scripted_url: str, locale: str, language: str
) -> None:
    page = open_page(scripted_url, locale=locale)
    speaks(page, language)
    all_in(page, language)


@pytest.mark.parametrize(("first", "second", "locale"), [("en", "zh", "en-US"), ("zh", "en", "zh-CN")])
def test_the_switch_turns_everything_on_the_page(
    open_page: Open, scripted_url: str, scripted: ScriptedModel, first: str, second: str, locale: str
) -> None:
    page = open_page(scripted_url, locale=locale)
    fill(page, scripted)
    page.click(f"#mode label >> nth={len(MODES)}")  # a number of one's own
    expect(page.locator("#max-tiles input").first).to_be_visible()
    point(page)
    all_in(page, first)
    switch(page, second)
    all_in(page, second)
    page.locator("#viewer figcaption button").first.click()
    page.click("#viewer .select")
    for opener, dialog, close in DIALOGS:
        page.locator(opener).first.click()
        expect(page.locator(dialog)).to_be_visible()
        all_in(page, second)
        page.locator(dialog).locator(close).click()
        expect(page.locator(dialog)).to_be_hidden()
    switch(page, first)
    all_in(page, first)


def test_the_switch_loses_nothing_that_is_there_or_is_coming(page: Page, scripted: ScriptedModel) -> None:
    go_on: list[bool] = []
    fill(page, scripted)
    asked, stopped = len(scripted.asked), scripted.stopped
    page.locator("#conversation [data-act=edit]").first.click()
    page.fill(".turn-edit textarea", "In other words")
    switch(page, "zh")
    expect(page.locator(".turn-edit textarea")).to_have_value("In other words")
    page.locator(".turn-edit button").last.click()
    expect(page.locator("#composer textarea")).to_have_value(DRAFT)
    scripted.script = ["Half ", lambda: bool(go_on), "and half."]
    page.click("#send")
    expect(page.locator("#conversation .bot").last).to_contain_text("Half")
    attach(page, picture("g.png"), picture("h.png", colour="red"))
    page.locator("#tray select").nth(1).select_option("40")
    expect(page.locator("#tray select").nth(1)).to_have_class(re.compile("own"))
    write(page, "The next one.")
    for language in ("en", "zh"):
        switch(page, language)
        expect(page.locator("#conversation .bot")).to_have_count(3)
        expect(page.locator("#conversation .bot").last).to_contain_text("Half")
        expect(page.locator("#composer textarea")).to_have_value("The next one.")
        expect(page.locator("#tray .line .name")).to_have_text(["g.png", "h.png"])
        expect(page.locator("#tray select").nth(1)).to_have_value("40")
        expect(page.locator("#stop")).to_be_enabled()
    go_on.append(True)
    wait_answer(page, "Half and half.")
    done = len(scripted.asked) - asked, scripted.stopped - stopped
    assert done == (1, 0), "the model was asked once, and never stopped"
    expect(page.locator("#conversation .user .asked")).to_have_count(3)
    page.click("#send")
    expect(page.locator("#conversation .bot")).to_have_count(4)
    assert [image.max_tiles for image in scripted.asked[-1].turns[-1].images] == [12, 40]


def test_the_choice_outlives_a_reload(page: Page) -> None:
    switch(page, "zh")
    page.reload()
    speaks(page, "zh")
    all_in(page, "zh")
    switch(page, "en")
    page.reload()
    speaks(page, "en")
    all_in(page, "en")


# Errors.


def test_a_corrupt_file_is_told_in_chinese_and_after_the_switch_in_english(page: Page) -> None:
    switch(page, "zh")
    attach(page, BROKEN)
    expect(page.locator("#tray .problem")).to_have_text(
        "broken.png：文件不是支持的图片格式，或已损坏。 请选择 JPEG、PNG、WebP、GIF、BMP 或 TIFF 格式的图片。"
    )
    switch(page, "en")
    expect(page.locator("#tray .problem")).to_contain_text("broken.png: The file is not a picture")
    switch(page, "zh")
    write(page, "What is this?")
    page.click("#send")
    expect(page.locator("#notice [role=alert]")).to_contain_text("broken.png：文件不是支持的图片格式")


def test_a_refused_address_is_told_in_chinese_and_after_the_switch_in_english(page: Page) -> None:
    switch(page, "zh")
    page.click(".open-address")
    page.fill("dialog[open] input", "http://127.0.0.1/{host}.png")
    page.keyboard.press("Enter")
    expect(page.locator("#tray .problem")).to_have_text("该网址不在公共互联网上。 请保存图片后作为文件添加。")
    switch(page, "en")
    expect(page.locator("#tray .problem")).to_contain_text("The address is not one of the public internet.")


def test_an_empty_question_is_told_in_chinese(page: Page) -> None:
    switch(page, "zh")
    page.click("#send")
    expect(page.locator("#notice [role=alert]")).to_have_text("还没有问题。 请写下问题，然后发送。")


def test_a_broken_answer_is_told_in_chinese_with_the_servers_words_as_they_are(
    page: Page, scripted: ScriptedModel
) -> None:
    switch(page, "zh")
    scripted.script = ["Half an ans", refusal(500, {"message": "{said} <b>no</b>"})]
    send(page, "Well?")
    expect(page.locator("#notice [role=alert]")).to_have_text(
        "回答中断。模型服务器拒绝了请求（HTTP 500：{said} <b>no</b>）。"
        " 请重新发送问题；若仍失败，请查看模型服务器的日志。"
    )


# What Gradio says itself.

TOO_LARGE = """() => {
    const data = new DataTransfer()
    data.items.add(new File([new Uint8Array(33 * 1024 * 1024)], 'large.png', { type: 'image/png' }))
    const event = new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
    document.querySelector('#composer textarea').dispatchEvent(event)
}"""
TOLD = ".toast-message-text"


def test_what_gradio_says_is_said_in_the_pages_language(
    open_page: Open, scripted_url: str, scripted: ScriptedModel
) -> None:
    with wire_to(scripted_url) as wire:
        page = open_page(wire.url, locale="zh-CN")
        page.evaluate(DROP, [[1, 2, 3], "notes.txt", "text/plain"])
        expect(page.locator(TOLD)).to_have_text("1 个文件未被接受：仅支持图片。")
        expect(page.locator(".toast-title")).to_have_text("错误")
        all_in(page, "zh")
        page.click(".toast-close")
        file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"abc"}
        page.set_input_files("#composer input[type=file]", [file])  # type: ignore[list-item]
        expect(page.locator(TOLD)).to_have_text("文件类型不受支持：notes.txt。仅支持图片。")
        page.click(".toast-close")
        page.evaluate(TOO_LARGE)
        expect(page.locator(TOLD)).to_have_text('文件超过 32.0 MB 的大小上限："large.png"')
        page.click(".toast-close")
        go_on: list[bool] = []
        scripted.script = ["Half ", lambda: bool(go_on)]
        send(page, "Well?")
        expect(page.locator("#conversation .bot")).to_contain_text("Half")
        wire.cut()
        expect(page.locator(TOLD)).to_have_text("与服务器的连接已断开，正在尝试重新连接……")
        expect(page.locator(".toast-close")).to_have_attribute("aria-label", "关闭")
        go_on.append(True)
        wire.mend()
        wait_answer(page, "Half")


def test_what_gradio_says_turns_with_the_page(page: Page) -> None:
    page.evaluate(DROP, [[1, 2, 3], "notes.txt", "text/plain"])
    expect(page.locator(TOLD)).to_have_text("1 file(s) were rejected. Accepted formats: image")
    page.locator("#switch-language").press("Enter")
    expect(page.locator(TOLD)).to_have_text("1 个文件未被接受：仅支持图片。")
    page.locator("#switch-language").press("Enter")
    expect(page.locator(TOLD)).to_have_text("1 file(s) were rejected. Accepted formats: image")
