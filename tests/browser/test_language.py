"""The page in two languages: it follows the browser, a switch turns all of it, and nothing is lost on the way."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from internvl_demo.conversation.tiling import MODES
from internvl_demo.models.openai.errors import refusal
from internvl_demo.web.language import table
from tests.support.cuttable import wire_to
from tests.support.full_page import (
    DIALOGS,
    DRAFT,
    TEXTS,
    close_dialog,
    fill,
    open_dialog,
    point,
    texts,
    unpoint,
)
from tests.support.page_hands import (
    BROKEN,
    DROP,
    add_by,
    attach,
    chip_detail,
    picture,
    send,
    wait_answer,
    write,
)
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
    expect(page.locator("#send")).to_have_attribute("aria-label", {"en": "Send", "zh": "发送"}[language])


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


WESTERN = re.compile(r"[\u3400-\u9fff](?:[,:;!?]|\.(?: |$))|[，。：；！？] ")
"""Chinese with the marks and spaces of English."""


def all_in(page: Page, language: str, root: str = "body") -> None:
    """Waits until nothing of the other language is left; what remains is read only where the wait was in vain."""
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
    if language == "zh":
        assert [text for text in texts(page, root) if WESTERN.search(text)] == []


@pytest.mark.parametrize(
    "text", ["重命名: 猫", "缩略图, 448 个视觉 token", "选区. 方向键移动", "结束。 重试"]
)
def test_the_check_knows_bad_punctuation(text: str) -> None:
    assert WESTERN.search(text)


def test_the_check_knows_both_languages() -> None:
    english, chinese = set(table("en").values()), set(table("zh").values())
    value = re.compile(r"\{\w+\}")
    unseen = {text for text in english if not foreign([value.sub("", text)], "zh")}
    assert unseen <= {
        "中文",
        CHANGE,
        "{percent} %",
        "{count} tokens",
        "≈ {count} tokens",
        "{part}: {count} tokens",
        "{speed} tokens/s",
        "{image}: {tiles}, {tokens}",
        "{image}: {name}",
        "{deed}: {title}",
        "{cut}, {tokens}",
        "{seconds} s",
        "{width} × {height} px → {tiles}, {tokens}",
    }
    assert {text for text in chinese if not foreign([text], "en")} <= {
        "中文",
        "English",
        "{percent}%",
        CHANGE,
    }


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


def test_the_switch_turns_everything(page: Page, scripted: ScriptedModel) -> None:
    fill(page, scripted)
    page.click("#composer-card .detail")
    page.click(f"#mode label >> nth={len(MODES)}")  # a number of one's own
    expect(page.locator("#max-tiles input").first).to_be_visible()
    page.keyboard.press("Escape")
    point(page)
    all_in(page, "en")
    switch(page, "zh")
    all_in(page, "zh")
    unpoint(page)
    for opener, dialog, close in DIALOGS:
        open_dialog(page, opener)
        expect(page.locator(dialog).first).to_be_visible()
        all_in(page, "zh")
        close_dialog(page, dialog, close)
    switch(page, "en")
    all_in(page, "en")


def test_the_switch_loses_nothing(page: Page, scripted: ScriptedModel) -> None:
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
    chip_detail(page, 1, "40")
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
    wait_answer(page, "Half and half.")
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


def test_a_corrupt_file_is_told_in_both(page: Page) -> None:
    switch(page, "zh")
    attach(page, BROKEN)
    expect(page.locator("#notice [role=alert]")).to_have_text(
        "broken.png：文件不是支持的图片格式，或已损坏。"
        "请选择 JPEG、PNG、WebP、GIF、BMP、TIFF、HEIC 或 AVIF 格式的图片。"
    )
    switch(page, "en")
    expect(page.locator("#notice [role=alert]")).to_contain_text("broken.png: The file is not a picture")
    switch(page, "zh")
    write(page, "What is this?")
    page.click("#send")
    expect(page.locator("#notice [role=alert]")).to_contain_text("broken.png：文件不是支持的图片格式")


def test_a_refused_address_is_told_in_both(page: Page) -> None:
    switch(page, "zh")
    add_by(page, "open-address")
    page.fill("dialog[open] input", "http://127.0.0.1/{host}.png")
    page.keyboard.press("Enter")
    expect(page.locator("#notice [role=alert]")).to_have_text(
        "该网址不在公共互联网上。请保存图片后作为文件添加。"
    )
    switch(page, "en")
    expect(page.locator("#notice [role=alert]")).to_contain_text(
        "The address is not one of the public internet."
    )


def test_an_empty_question_is_told_in_chinese(page: Page) -> None:
    switch(page, "zh")
    page.press("#composer textarea", "Enter")
    expect(page.locator("#notice [role=alert]")).to_have_text(
        "还没有输入问题。请先写下您想了解的内容，再发送。"
    )


def test_the_servers_own_words_stay(page: Page, scripted: ScriptedModel) -> None:
    switch(page, "zh")
    scripted.script = ["Half an ans", refusal(500, {"message": "{said} <b>no</b>"})]
    send(page, "Well?")
    notice, details = page.locator("#notice [role=alert]"), page.locator("#notice details p")
    expect(notice).to_have_text(
        "回答中断。模型处理此问题时出错。请重新发送问题；若仍失败，请告知本页的管理员。"
    )
    expect(details).to_have_text(
        "模型服务器拒绝了请求（HTTP 500：{said} <b>no</b>）。请查看模型服务器的日志。"
    )
    switch(page, "en")
    expect(notice).to_contain_text("The answer broke off. The model failed at this question.")
    expect(details).to_contain_text("The model server refused (HTTP 500: {said} <b>no</b>).")
    page.reload()
    expect(notice).to_contain_text("The answer broke off. The model failed at this question.")
    expect(details).to_contain_text("The model server refused (HTTP 500: {said} <b>no</b>).")


# What the page says itself.


def test_its_own_words_turn_with_the_page(page: Page, tmp_path: Path) -> None:
    switch(page, "zh")
    page.evaluate(DROP, [[1, 2, 3], "notes.txt", "text/plain"])
    told = page.locator("#notice [role=alert]")
    expect(told).to_have_text(
        "notes.txt 不是图片。请选择 JPEG、PNG、WebP、GIF、BMP、TIFF、HEIC 或 AVIF 文件。"
    )
    switch(page, "en")
    expect(told).to_have_text(
        "notes.txt is not a picture. Choose JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF files."
    )
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(33 * 1024 * 1024)
    page.set_input_files("#composer input[type=file]", large)
    expect(told).to_contain_text("large.png is larger than 32 MB.")
    switch(page, "zh")
    expect(told).to_contain_text("large.png 超过 32 MB。")


def test_a_lost_connection_is_told(open_page: Open, scripted_url: str, scripted: ScriptedModel) -> None:
    with wire_to(scripted_url) as wire:
        page = open_page(wire.url, locale="zh-CN")
        go_on: list[bool] = []
        scripted.script = ["Half ", lambda: bool(go_on)]
        send(page, "Well?")
        expect(page.locator("#conversation .bot")).to_contain_text("Half")
        wire.cut()
        notice = page.locator("#notice [role=alert]")
        expect(notice).to_have_text("与服务器的连接已断开。页面会自动重新连接，内容不会丢失。")
        switch(page, "en")
        expect(notice).to_contain_text("The connection to the server was lost.")
        go_on.append(True)
        wire.mend()
        wait_answer(page, "Half")
        expect(notice).to_be_hidden()


def test_sentences_are_spaced_as_their_marks_ask(page: Page) -> None:
    joined = page.evaluate(
        """async (pairs) => {
            const { sentences } = await import(new URL('page/widgets/lib/words.js', document.baseURI).href)
            return pairs.map((pair) => sentences(...pair))
        }""",
        [
            ["It broke.", "Try again."],
            ["出错了。", "请重试。"],
            ["It broke.", "请重试。"],
            ["", "Try again."],
        ],
    )
    assert joined == ["It broke. Try again.", "出错了。请重试。", "It broke. 请重试。", "Try again."]
