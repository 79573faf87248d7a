"""The settings sheet: what a person chooses reaches the model, outlives a reload, and nothing bad in it does harm."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.template import V1_5_SYSTEM
from internvl_demo.settings import Settings
from tests.support.accessibility import PHONE, VIEWS, faults
from tests.support.page_hands import send, wait_answer
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served

Open = Callable[..., Page]

KEPT = "internvl-options"
VARIED = re.compile(r"asked again with temperature 0\.7, seed \d+")


def opened(page: Page) -> Locator:
    page.click("#open-settings")
    sheet = page.locator("dialog#settings")
    expect(sheet).to_be_visible()
    return sheet


def number(sheet: Locator, name: str) -> Locator:
    return sheet.get_by_role("spinbutton", name=name, exact=True)


def kept(page: Page) -> Any:
    return json.loads(page.evaluate(f"localStorage.getItem('{KEPT}') ?? '{{}}'"))


def asked(page: Page, scripted: ScriptedModel, text: str = "Which?") -> Options:
    """How the model is asked when a question is sent now."""
    count = len(scripted.asked_with)
    send(page, text)
    expect(page.locator("#conversation .bot")).to_have_count(count + 1)
    wait_answer(page, "Hello.")
    assert len(scripted.asked_with) == count + 1
    return scripted.asked_with[-1]


def model_says(page: Page, options: Mapping[str, Mapping[str, Any]] | None = None, **changes: Any) -> None:
    """Opens the page anew, and lets it be told something else of its model."""

    def answer(route: Route) -> None:
        told = route.fetch().json()
        for name, limits in (options or {}).items():
            told["options"][name] |= limits
        route.fulfill(json=told | changes)

    page.route("**/api/model", answer)
    page.reload()
    page.wait_for_selector("#send")


# What goes wrong.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Options()),
        ("{", Options()),
        ("null", Options()),
        ("[9]", Options()),
        ("5", Options()),
        ('"temperature"', Options()),
        ('{"temperature": "1", "seed": null, "system": 5, "top_p": [0.5]}', Options()),
        ('{"temperature": 1e999, "top_k": 5, "__proto__": {"seed": 1}}', Options()),
        (
            '{"temperature": 9, "top_p": -1, "repetition_penalty": 0, "seed": 1.4}',
            Options(1024, 2.0, 0.01, 1),
        ),
        ('{"max_new_tokens": 1000000, "system": " \\n "}', Options()),
        ('{"max_new_tokens": 0.2}', Options(max_new_tokens=1)),
    ],
)
def test_whatever_the_browser_kept_a_question_can_be_asked(
    open_page: Open, scripted: ScriptedModel, scripted_url: str, text: str, expected: Options
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, local={KEPT: text})
    assert asked(page, scripted) == expected
    sheet = opened(page)
    expect(number(sheet, "Temperature")).to_have_value(f"{expected.temperature:g}")
    expect(number(sheet, "Longest answer")).to_have_value(str(expected.max_new_tokens))
    expect(sheet.get_by_role("textbox", name="System prompt")).to_have_value("")


def test_a_kept_system_prompt_that_is_too_long_is_cut(
    open_page: Open, scripted: ScriptedModel, scripted_url: str
) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, local={KEPT: json.dumps({"system": "😀" * 10 + "x" * 5000})})
    assert asked(page, scripted).system == "😀" * 10 + "x" * 3990


def test_a_value_that_the_server_refuses_is_told_and_the_question_stays(
    page: Page, scripted: ScriptedModel
) -> None:
    """The host has changed the limits since the page was opened."""
    model_says(page, options={"temperature": {"most": 9}})
    sheet = opened(page)
    number(sheet, "Temperature").fill("5")
    page.keyboard.press("Escape")
    send(page, "Which?")
    expect(page.locator("#notice")).to_contain_text(
        "5 is not usable as temperature. Give a number from 0 to 2."
    )
    expect(page.locator("#composer textarea")).to_have_value("Which?")
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("name", "typed", "shown"),
    [
        ("Temperature", "9", "2"),
        ("Temperature", "-1", "0"),
        ("Temperature", "", "0"),
        ("Top-p", "0", "0.01"),
        ("Repetition penalty", "0", "1"),
        ("Longest answer", "99999", "1024"),
        ("Longest answer", "12.6", "13"),
    ],
)
def test_a_number_out_of_its_limits_becomes_the_nearest(
    page: Page, name: str, typed: str, shown: str
) -> None:
    field = number(opened(page), name)
    field.fill(typed)
    field.press("Tab")
    expect(field).to_have_value(shown)


# What is chosen.


def test_what_is_chosen_reaches_the_model_and_outlives_a_reload(page: Page, scripted: ScriptedModel) -> None:
    assert asked(page, scripted) == Options()
    sheet = opened(page)
    number(sheet, "Temperature").fill("0.7")
    sheet.get_by_role("slider", name="Top-p").fill("0.9")
    number(sheet, "Repetition penalty").fill("1.2")
    number(sheet, "Longest answer").fill("99")
    sheet.get_by_role("switch", name="Fixed seed").click()
    number(sheet, "Seed").fill("5")
    number(sheet, "Seed").press("Tab")
    sheet.get_by_role("textbox", name="System prompt").fill("Be brief.\nIn Chinese: 简短。")
    page.keyboard.press("Escape")
    expected = Options(99, 0.7, 0.9, 5, 1.2, "Be brief.\nIn Chinese: 简短。")
    assert asked(page, scripted, "And now?") == expected
    page.reload()
    page.wait_for_selector("#send")
    assert asked(page, scripted, "Still?") == expected
    sheet = opened(page)
    expect(number(sheet, "Temperature")).to_have_value("0.7")
    expect(sheet.get_by_role("slider", name="Top-p")).to_have_value("0.9")
    expect(number(sheet, "Seed")).to_have_value("5")
    expect(sheet.get_by_role("switch")).to_have_attribute("aria-checked", "true")
    expect(sheet.get_by_role("textbox", name="System prompt")).to_have_value(expected.system or "")
    sheet.get_by_role("button", name="Back to the host's values").click()
    expect(number(sheet, "Temperature")).to_have_value("0")
    expect(sheet.get_by_role("textbox", name="System prompt")).to_have_value("")
    expect(sheet.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    assert kept(page) == {}
    page.keyboard.press("Escape")
    assert asked(page, scripted, "At last?") == Options()


def test_an_edit_and_the_context_bar_know_what_was_chosen(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted)
    with page.expect_request("**/api/budget") as budget:
        sheet = opened(page)
        number(sheet, "Repetition penalty").fill("1.5")
        sheet.get_by_role("textbox", name="System prompt").fill("word " * 700)
        page.keyboard.press("Escape")
        page.fill("#composer textarea", "long " * 2000)
    assert json.loads(budget.value.post_data or "{}").get("system") == "word " * 700
    page.fill("#composer textarea", "")
    page.locator("#conversation .user").last.hover()
    page.click("#conversation .user [data-act=edit]")
    page.fill(".turn-edit textarea", "Or?")
    page.click(".turn-edit .main")
    wait_answer(page, "Hello.")
    assert scripted.asked_with[-1] == Options(repetition_penalty=1.5, system="word " * 700)


def test_a_changed_setting_is_marked_on_its_button(page: Page) -> None:
    opener = page.locator("#open-settings")
    expect(opener).to_have_accessible_name("Settings")
    number(opened(page), "Temperature").fill("1")
    page.keyboard.press("Escape")
    expect(opener).to_have_accessible_name("Settings, changed")
    number(opened(page), "Temperature").fill("0")
    page.keyboard.press("Escape")
    expect(opener).to_have_accessible_name("Settings")


# Retry.


def test_retry_varies_and_says_how(page: Page, scripted: ScriptedModel) -> None:
    asked(page, scripted)
    for _ in range(2):
        page.click("#retry")
        expect(page.locator("#conversation .bot .receipt")).to_contain_text("asked again with")
        wait_answer(page, "Hello.")
    first, second = scripted.asked_with[1:]
    assert first.temperature == second.temperature == 0.7
    assert first.seed is not None and second.seed is not None and first.seed != second.seed
    expect(page.locator("#conversation .bot .receipt")).to_contain_text(VARIED)
    expect(page.locator("#conversation .bot .receipt")).to_contain_text(f"seed {second.seed}")
    page.reload()
    expect(page.locator("#conversation .bot .receipt")).to_contain_text(f"seed {second.seed}")


def test_retry_keeps_a_temperature_and_varies_a_fixed_seed(page: Page, scripted: ScriptedModel) -> None:
    sheet = opened(page)
    number(sheet, "Temperature").fill("1.5")
    sheet.get_by_role("switch").click()
    number(sheet, "Seed").fill("100001")  # none that is chosen by chance
    number(sheet, "Seed").press("Tab")
    sheet.get_by_role("textbox", name="System prompt").fill("Be brief.")
    page.keyboard.press("Escape")
    assert asked(page, scripted) == Options(temperature=1.5, seed=100001, system="Be brief.")
    page.click("#retry")
    expect(page.locator("#conversation .bot .receipt")).to_contain_text("asked again")
    again = scripted.asked_with[-1]
    assert (again.temperature, again.system) == (1.5, "Be brief.") and again.seed not in (None, 100001)


def test_a_stopped_answer_is_asked_for_again_as_it_was(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["Half ", lambda: False]
    send(page, "Which?")
    expect(page.locator("#conversation .bot")).to_contain_text("Half")
    page.click("#stop")
    expect(page.locator("#stop")).to_be_disabled()
    scripted.script = ["Hello."]
    page.click("#retry")
    wait_answer(page, "Hello.")
    assert scripted.asked_with == [Options(), Options()]
    expect(page.locator("#conversation .bot .receipt")).not_to_contain_text("asked again")


# What a host allows.


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ScriptedModel]]:
    """A page whose host has fixed some options, and its model."""
    model = ScriptedModel()
    fixed = frozenset({"temperature", "system", "max_new_tokens"})
    folder = tmp_path_factory.mktemp("strict")
    settings = Settings(checkpoint="scripted", data_dir=folder, temperature=0.3, fixed_options=fixed)
    for url in served(model, settings):
        yield url, model


def test_what_the_host_has_fixed_is_neither_shown_nor_sent(
    open_page: Open, strict: tuple[str, ScriptedModel]
) -> None:
    url, model = strict
    own = {"temperature": 1, "system": "Be brief.", "max_new_tokens": 7, "top_p": 0.5}
    page = open_page(url, local={KEPT: json.dumps(own)})
    assert asked(page, model) == Options(temperature=0.3, top_p=0.5)
    page.click("#retry")
    expect(page.locator("#conversation .bot .receipt")).to_contain_text("asked again with top-p 0.5, seed")
    assert model.asked_with[-1].temperature == 0.3
    sheet = opened(page)
    for name in ("Top-p", "Repetition penalty"):
        expect(number(sheet, name)).to_be_visible()
    for name in ("Temperature", "Longest answer"):
        expect(number(sheet, name)).to_be_hidden()
    expect(sheet.get_by_role("textbox", name="System prompt")).to_be_hidden()


def test_of_the_miniature_one_quiet_line_is_said(page: Page) -> None:
    line = "The miniature was taught with temperature 0"
    expect(opened(page)).not_to_contain_text(line)
    model_says(page, miniature=True)
    expect(opened(page)).to_contain_text(line)


# The sheet itself.


def test_it_goes_by_keyboard_and_gives_the_focus_back(page: Page) -> None:
    opener = page.locator("#open-settings")
    opener.focus()
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="Settings")
    expect(sheet).to_be_visible()
    names = []
    for _ in range(14):
        names.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('#settings')"
        )
        page.keyboard.press("Tab")
    assert {"close", "settings-temperature", "switch", "settings-system", "reset"} <= set(names)
    number(sheet, "Temperature").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(opener).to_be_focused()
    assert kept(page)["temperature"] > 0


def test_escape_in_the_sheet_stops_no_answer(page: Page, scripted: ScriptedModel) -> None:
    scripted.script = ["Half ", lambda: False]
    send(page, "Which?")
    expect(page.locator("#conversation .bot")).to_contain_text("Half")
    opened(page)
    page.keyboard.press("Escape")
    expect(page.locator("dialog#settings")).to_be_hidden()
    expect(page.locator("#stop")).to_be_enabled()
    assert scripted.stopped == 0


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_it_can_be_read_by_everybody(open_page: Open, scripted_url: str, view: Mapping[str, Any]) -> None:
    page = open_page(scripted_url, **view)
    sheet = opened(page)
    sheet.get_by_role("switch").click()
    assert faults(page, "#settings") == []


def test_on_a_phone_it_comes_from_below_and_fits(open_page: Open, scripted_url: str) -> None:
    page = open_page(scripted_url, has_touch=True, **PHONE)
    sheet = opened(page)
    box = sheet.bounding_box()
    assert box and box["x"] == 0 and box["width"] == 390 and round(box["y"] + box["height"]) == 844
    assert sheet.evaluate("(node) => node.scrollWidth <= node.clientWidth")
    targets = sheet.locator("button:visible, input[type=number]:visible, fieldset label")
    assert min(targets.evaluate_all("(nodes) => nodes.map((node) => node.offsetHeight)")) >= 44


def test_it_speaks_chinese(open_page: Open, scripted: ScriptedModel, scripted_url: str) -> None:
    scripted.begin_anew()
    page = open_page(scripted_url, locale="zh-CN")
    sheet = opened(page)
    expect(sheet.get_by_role("heading")).to_have_text("设置")
    number(sheet, "温度").fill("1")
    page.keyboard.press("Escape")
    assert asked(page, scripted).temperature == 1
    page.click("#retry")
    expect(page.locator("#conversation .bot .receipt")).to_contain_text("温度 1、种子")
    opened(page).get_by_role("radio", name="English").check()
    expect(sheet.get_by_role("heading")).to_have_text("Settings")
    expect(page.locator("#switch-language")).to_have_text("中文")
    expect(sheet.get_by_role("textbox", name="System prompt")).to_have_attribute("placeholder", V1_5_SYSTEM)


DARK = "document.body.classList.contains('dark')"


def test_colours_are_kept_and_win_over_the_system(page: Page) -> None:
    sheet = opened(page)
    expect(sheet.get_by_role("radio", name="As the system")).to_be_checked()
    sheet.get_by_role("radio", name="Dark").check()
    assert page.evaluate(DARK)
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    assert page.evaluate(DARK)
    page.reload()
    page.wait_for_function("document.querySelector('#send')")
    assert page.evaluate(DARK)
    sheet = opened(page)
    expect(sheet.get_by_role("radio", name="Dark")).to_be_checked()
    sheet.get_by_role("radio", name="As the system").check()
    assert not page.evaluate(DARK)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(DARK)
    sheet.get_by_role("radio", name="Light").check()
    assert not page.evaluate(DARK)
    page.reload()
    page.wait_for_selector("#send")
    assert not page.evaluate(DARK)


SEEN = """() => {
    window.wrong = []
    new MutationObserver(() => {
        if (document.querySelector('#head') && !document.body.classList.contains('dark')) window.wrong.push(Date.now())
    }).observe(document, { subtree: true, childList: true })
}"""


def test_nothing_is_drawn_in_the_other_colours_first(open_page: Open, scripted_url: str) -> None:
    page = open_page(scripted_url, local={"internvl-theme": "dark"})
    page.add_init_script(f"({SEEN})()")
    page.reload()
    page.wait_for_selector("#send")
    assert page.evaluate("window.wrong") == [] and page.evaluate(DARK)


@pytest.mark.parametrize("theme", ["", "blue", "<b>", "null", "system"])
def test_colours_that_are_none_are_the_systems(open_page: Open, scripted_url: str, theme: str) -> None:
    page = open_page(scripted_url, local={"internvl-theme": theme})
    assert not page.evaluate(DARK)
    expect(opened(page).get_by_role("radio", name="As the system")).to_be_checked()
