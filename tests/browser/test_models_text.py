"""What a model writes, in real Chromium: Markdown, tables, code and formulas are drawn, and nothing of it is markup."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.accessibility import serious
from tests.support.hostile_texts import HOSTILE_ANSWERS
from tests.support.page_hands import send
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
        expect(self.page.locator("#send")).to_be_enabled()
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
        drawn = clean.ask(said).locator(".md")
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
        assert serious(clean.page, "#conversation") == []
    finally:
        clean.page.set_viewport_size(DESKTOP)
        clean.page.emulate_media(color_scheme="light")
