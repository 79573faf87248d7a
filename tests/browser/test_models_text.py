"""What a model writes, in real Chromium: Markdown, tables, code and formulas are drawn, and nothing of it is markup."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.accessibility import faults
from tests.support.hostile_texts import HOSTILE_ANSWERS
from tests.support.page_hands import attach, picture, send
from tests.support.scripted_model import ScriptedModel

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
EVERYTHING = r"""
# A heading

Some **bold**, *slanted* and ~~struck~~ words, `if a < b:` and a [link](https://example.org/?a=1&b=2).

1. first
2. second with \(z_1 < 2\)

| part | share |
|:-----|------:|
| `x < y` | $\frac{1}{2}$ |
| It costs $5 or $6 | \\(no formula\\) |

So it is that
\[
a
- b = \begin{matrix} 1 & 2 \end{matrix}
\]

```python
def less(a, b):
    return a < b and "<b>"
```

```sh
echo $HOME

echo $PATH
```

$$e = mc^2$$
"""
WIDE = "\n".join(
    [
        "| " + " | ".join(f"a-long-head-{n}" for n in range(12)) + " |",
        "|" + "---|" * 12,
        "| " + " | ".join(f"value{n}" for n in range(12)) + " |",
        "",
        r"\[" + " + ".join(f"a_{{{n}}} x^{{{n}}}" for n in range(40)) + r"\]",
        "",
        "inline $" + "+".join(f"b_{{{n}}}" for n in range(60)) + "$ here",
        "",
        "`" + "long_name_" * 20 + "`",
        "",
        "```python\nprint(" + "'x', " * 60 + ")\n```",
        "",
        "https://example.org/" + "a" * 200,
    ]
)
CODE = """

```python
# a comment
class A(B):
    @decorated
    def less(self, b: int = 1, *, c=None) -> str:
        return f"{b} is less" if b < 2.5 and True else print('no')
```

```bash
for name in a b; do echo "$name"; ls -l | grep x; done
```

```html
<a href="x">&amp;</a><!-- a comment -->
```
"""


@dataclass
class Tab:
    """A page, and what its browser did."""

    page: Page
    scripted: ScriptedModel
    urls: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def ask(self, *script: str) -> Locator:
        """The drawn answer that is made of these pieces."""
        self.scripted.script = list(script)
        place = self.page.locator("#conversation .asked").count() + 1
        send(self.page, "Say it.")
        expect(self.page.locator(f"#conversation .receipt.turn-{place}")).to_be_visible()
        expect(self.page.locator("#stop")).to_be_disabled()
        return self.page.locator("#conversation .bot").nth(place - 1)


@pytest.fixture(scope="module")
def tab(browser: Browser, scripted_url: str, scripted: ScriptedModel) -> Iterator[Tab]:
    context = browser.new_context(viewport=DESKTOP, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    tab = Tab(page, scripted)
    page.on("request", lambda request: tab.urls.append(request.url))
    page.on("dialog", lambda dialog: (tab.dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(scripted_url)
    page.wait_for_selector("#send")
    yield tab
    context.close()


@pytest.fixture
def clean(tab: Tab) -> Tab:
    """The page without a conversation, nothing having happened."""
    if tab.page.locator("#conversation .asked").count():
        tab.page.click("#clear")
        expect(tab.page.locator("#conversation .asked")).to_have_count(0)
    tab.urls.clear()
    tab.dialogs.clear()
    return tab


def test_answers_load_and_run_nothing(clean: Tab, scripted_url: str) -> None:
    for said in HOSTILE_ANSWERS:
        drawn = clean.ask(said).locator(":scope > .md")
        expect(drawn.locator("img, script, iframe, object, form, b, .mermaid"), said).to_have_count(0)
        expect(drawn.locator("svg:not(.copy_code_button svg)"), said).to_have_count(0)
        attributes = drawn.locator("*").evaluate_all(
            "(nodes) => nodes.flatMap((node) => [...node.attributes].map(({ name, value }) => [name, value]))"
        )
        assert [name for name, _ in attributes if name.startswith("on") or name == "src"] == [], said
        assert [to for name, to in attributes if name == "href" and not re.match("https?://", to)] == [], said
    clean.ask("And that is all.")  # what the last would have loaded is asked for by now
    own = urlsplit(scripted_url).netloc
    assert [url for url in clean.urls if urlsplit(url).netloc not in (own, "")] == []
    assert clean.dialogs == []


def test_markdown_is_drawn(clean: Tab) -> None:
    answer = clean.ask(*re.split("(?<= )", EVERYTHING))
    expect(answer.locator("h1")).to_have_text("A heading")
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.locator("em")).to_have_text("slanted")
    expect(answer.locator("p > code")).to_have_text("if a < b:")
    expect(answer.locator("ol > li")).to_have_count(2)
    expect(answer.get_by_role("link", name="link")).to_have_attribute("href", "https://example.org/?a=1&b=2")
    expect(answer.locator("table tr")).to_have_count(3)
    expect(answer.locator("table td code")).to_have_text("x < y")
    expect(answer.locator("table tr").last.locator("td")).to_have_text(
        ["It costs $5 or $6", r"\(no formula\)"]
    )
    expect(answer.locator("pre code")).to_have_text(
        [re.compile(r'def less\(a, b\):\s+return a < b and "<b>"'), re.compile(r"echo \$HOME\n\necho \$PATH")]
    )
    expect(answer.locator("pre code.language-python .tok-k").first).to_be_visible()
    expect(answer.locator("s")).to_have_text("struck")
    expect(answer.locator("math")).to_have_count(4)
    expect(answer.locator("li math msub mi")).to_have_text("z")
    expect(answer.locator("td math mfrac > *")).to_have_text(["1", "2"])
    expect(answer.locator("math[display=block]")).to_have_count(2)
    expect(answer.locator("math[display=block] mtable mtd")).to_have_count(2)
    expect(answer.locator("code.formula")).to_have_count(0)


def test_every_way_to_write_formulas(clean: Tab) -> None:
    for formula in ("$x_1$", r"\(x_1\)", r"\[x_1\]", "$$x_1$$", "\\[\nx_1\n\\]", "$$\nx_1\n$$"):
        answer = clean.ask(f"Here: {formula}" if "\n" not in formula else f"Here:\n{formula}\nand on.")
        expect(answer.locator("math msub > *"), formula).to_have_text(["x", "1"])


def test_unfinished_code_is_code(clean: Tab) -> None:
    go_on: list[bool] = []
    clean.scripted.script = ["See:\n```html\n<img src=x", lambda: bool(go_on), ">\n```\nand **that** is all."]
    send(clean.page, "Show it.")
    answer = clean.page.locator("#conversation .bot").last
    expect(answer.locator("pre code")).to_contain_text("<img src=x")
    expect(answer.locator(".receipt")).to_be_visible()
    go_on.append(True)
    expect(answer.locator("strong")).to_have_text("that")
    expect(answer.locator("pre code")).to_have_text("<img src=x>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_wide_answers_move_on_a_phone(clean: Tab, scheme: str) -> None:
    clean.page.set_viewport_size(PHONE)
    clean.page.emulate_media(color_scheme=scheme)
    try:
        answer = clean.ask(WIDE, CODE)
        expect(answer.locator("math[display=block]")).to_be_visible()
        expect(answer.locator("pre .tok-c").first).to_be_visible()
        assert clean.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        edge = clean.page.locator("#conversation").bounding_box()
        assert edge
        for part in answer.locator(".md :is(.wide, pre, p):visible").all():
            area = part.bounding_box()
            assert area and area["x"] + area["width"] <= edge["x"] + edge["width"], part.inner_text()[:80]
        for part in (".wide:has(table)", ".wide:has(math)", "pre"):
            moved = answer.locator(part).first
            assert moved.evaluate("(node) => node.scrollWidth > node.clientWidth")
            expect(moved).to_have_accessible_name("Wide part of the answer: arrow keys move it")
            moved.focus()
            clean.page.keyboard.press("ArrowRight")
            clean.page.wait_for_function("(node) => node.scrollLeft > 0", arg=moved.element_handle())
        assert faults(clean.page, "#conversation") == []
    finally:
        clean.page.set_viewport_size(DESKTOP)
        clean.page.emulate_media(color_scheme="light")


ARABIC = """**ملاحظة:** في الصورة <ref>قطة حمراء</ref><box>[[100, 100, 500, 500]]</box> بجانب a red ball.

- القطة *hungry* تنام.
- The ball is blue.

1. أولا

| الاسم | Price |
|---|---|
| شاي | 3.50$ |

> اقتباس

```python
print("مرحبا")
```

And this is English.
"""
HEBREW = """## כותרת

בתמונה יש <ref>חתול</ref><box>[[10, 20, 300, 400]]</box> ליד a *small* dog.

1. `x` אחת
2. שתיים
"""


def direction(place: Locator) -> str:
    return str(place.evaluate("(node) => getComputedStyle(node).direction"))


def test_text_reads_from_its_own_side(clean: Tab) -> None:
    attach(clean.page, picture())
    answer = clean.ask(ARABIC)
    for part in ("p", "li", "ul", "ol", "table", "th", "td", "blockquote"):
        assert direction(answer.locator(part).first) == "rtl", part
    assert direction(answer.get_by_text("The ball is blue.")) == "ltr"
    assert direction(answer.get_by_text("And this is English.")) == "ltr"
    assert direction(answer.locator("pre code")) == "ltr"
    assert direction(answer.get_by_text("3.50$")) == "ltr"
    log, first = clean.page.locator("#conversation .log").bounding_box(), answer.locator("ul").bounding_box()
    table = answer.locator("table").bounding_box()
    assert log and first and table
    assert table["x"] > log["x"] + log["width"] / 2, "a table stands on the right"
    head, price = answer.locator("th").first.bounding_box(), answer.locator("th").last.bounding_box()
    assert head and price and head["x"] > price["x"], "and begins there"
    item = answer.locator("li").first.bounding_box()
    assert item and item["x"] + item["width"] < first["x"] + first["width"] - 10, (
        "room for the mark of the list"
    )
    expect(answer.locator(".ground-phrase")).to_have_text("قطة حمراء")
    answer = clean.ask(HEBREW)
    assert (
        direction(answer.locator("h2"))
        == direction(answer.locator(".md p"))
        == direction(answer.locator("ol"))
        == "rtl"
    )


def test_questions_read_from_their_own_side(clean: Tab) -> None:
    clean.scripted.script = ["Yes."]
    clean.page.locator("#composer textarea").fill("ما هذا؟")
    assert direction(clean.page.locator("#composer textarea")) == "rtl"
    send(clean.page, "ما هذا؟")
    asked = clean.page.locator("#conversation .asked").last
    expect(asked).to_have_text("ما هذا؟")
    assert direction(asked) == "rtl"
    expect(clean.page.locator("#conversation .bot .receipt").last).to_be_visible()
    clean.page.locator("#conversation [data-act=edit]").last.click()
    assert direction(clean.page.locator("#conversation .turn-edit textarea:visible")) == "rtl"
    clean.page.keyboard.press("Escape")


def test_numbers_and_small_letters_are_seen(clean: Tab) -> None:
    answer = clean.ask(
        '007. x<sup>2</sup>\n8. H<sub>2</sub>O\n\n``` 3 4\n5\n```\n\n[a](http://a.example "b 6")'
    )
    expect(answer.locator("li").first).to_have_text("007. x2")
    assert answer.locator("li").first.evaluate("(node) => getComputedStyle(node).listStyleType") == "none"
    expect(answer.locator("sup")).to_have_text("2")
    expect(answer.locator("sub")).to_have_text("2")
    expect(answer.locator(".info")).to_have_text("3 4")
    expect(answer.get_by_role("link", name="a")).to_have_attribute("title", "b 6")


def test_tables_are_aligned(clean: Tab) -> None:
    answer = clean.ask("| a | b | c |\n|:-:|--:|---|\n| 1 | 2 | 3 |")
    sides = answer.locator("td").evaluate_all(
        "(cells) => cells.map((cell) => getComputedStyle(cell).textAlign)"
    )
    assert sides == ["center", "right", "start"]


GROWING = [
    ("There are **two", "There are two", "** cats"),
    ("It is `code", "It is code", "` here"),
    ("See [this", "See [this", "](http://a.example)."),
    ("See [this](http://a.ex", "See this", "ample)."),
    ("**A**\n\n- ", "A", "**b** c"),
    ("**A**\n\n1", "A1", ". b"),
    ("**A**\n\n1. ", "A", "b"),
    ("**A**\n\n| b | c |\n|--", "Abc", "|--|\n| d | e |"),
    ("**A**\n\n```pyt", "A", "hon\nb\n```"),
    ("**A**\n\n\\begin{al", "A", "ign}b\\end{align}"),
    ("x<su", "x", "p>2</sup>"),
]


@pytest.mark.parametrize(("begun", "seen", "rest"), GROWING)
def test_no_mark_is_seen_while_an_answer_grows(clean: Tab, begun: str, seen: str, rest: str) -> None:
    go_on: list[bool] = []
    clean.scripted.script = [*begun, lambda: bool(go_on), rest]
    send(clean.page, "Say it.")
    answer = clean.page.locator("#conversation .bot").last.locator(":scope > .md")
    expect(answer).to_have_text(re.compile(rf"^\s*{re.escape(seen)}\s*$"))
    go_on.append(True)
    expect(clean.page.locator("#stop")).to_be_disabled()
    expect(answer).not_to_have_text(re.compile(r"\*\*|`|\]\(|<sup|^\s*[|]"))


@pytest.mark.parametrize("said", ["", " \n\n ", "\u200b"])
def test_an_answer_of_nothing_says_so(clean: Tab, said: str) -> None:
    clean.scripted.script = [said] if said else []
    send(clean.page, "Say nothing.")
    note = clean.page.locator("#conversation .bot .failure:visible")
    expect(note).to_have_text("The model answered with nothing. Ask again, or in other words.")
    clean.page.reload()
    expect(note).to_have_text("The model answered with nothing. Ask again, or in other words.")
    answer = clean.ask("Something.")
    expect(answer.locator(".failure:visible")).to_have_count(0)
