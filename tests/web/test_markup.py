"""A model's Markdown as HTML that is ours: values only, the bad ones first."""

import html
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.grounding.parser import Box, Event, Phrase, Text
from internvl_demo.web.markup import render_answer
from internvl_demo.web.markup.formulas import _ELEMENTS
from tests.support.hostile_texts import HOSTILE_ANSWERS

TAGS: dict[str, set[str]] = {
    **{
        tag: set()
        for tag in (
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "ul",
            "strong",
            "em",
            "s",
            "sup",
            "sub",
            "pre",
            "br",
            "hr",
        )
    },
    **{tag: set() for tag in ("blockquote", "table", "thead", "tbody", "tr")},
    **{tag: {"align"} for tag in ("th", "td")},
    **{tag: {"class"} for tag in ("div", "code", "p")},
    "ol": {"start"},
    "li": {"value", "class"},
    "a": {"href", "title", "target", "rel"},
    "span": {"class", "data-phrase", "data-boxes"},
    **{tag: set(attributes) for tag, attributes in _ELEMENTS.items()},
}
"""All that may come out."""
VALUES = {
    "class": r"wide|formula|ground-phrase|numbered|number|info|tok-[ckfsm]|language-[a-z0-9_+#-]{1,30}",
    "href": r"(?i:https?://|mailto:).+",
    "title": r".+",
    "target": "_blank",
    "rel": "noopener noreferrer",
    "align": "left|center|right",
    "start": r"\d{1,9}",
    "value": r"\d{1,9}",
    "data-phrase": r"\d+",
    "data-boxes": r"\d+(,\d+)*",
}
BLOCKS = {"p", "ul", "ol", "li", "blockquote", "pre", "div", "table", "hr", *(f"h{n}" for n in range(1, 7))}
ONLY_TEXT_IN = {"p", "a", "span", "em", "strong", "s", "sup", "sub", "code", *(f"h{n}" for n in range(1, 7))}


class Page(HTMLParser):
    """Reads HTML and refuses what is not ours, not closed, or not where a browser would leave it."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []
        self.numbers: list[str] = []  # of the items of lists
        self.next: list[int] = []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS and {name for name, _ in attrs} <= TAGS[tag], (tag, attrs)
        for name, value in attrs:
            assert re.fullmatch(VALUES.get(name, r"[\w. -]*"), value or "", re.DOTALL), (tag, name, value)
        assert tag not in BLOCKS or not ONLY_TEXT_IN & set(self.open), (tag, self.open)
        assert tag != "a" or "a" not in self.open
        self.seen.append(tag)
        if tag == "ol":
            self.next.append(int(dict(attrs).get("start") or 1))
        elif tag == "li" and "ol" in self.open[-1:]:
            self.numbers.append(dict(attrs).get("value") or str(self.next[-1]))
            self.next[-1] = int(self.numbers[-1]) + 1
        self.addresses += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "ol":
            self.next.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def shown(*events: Event | str) -> str:
    """The HTML of an answer; box `n` has index `n`."""
    return "".join(render_answer(Text(event) if isinstance(event, str) else event for event in events))


def boxed(text: str) -> Sequence[Event]:
    return Phrase(text), Box(" ".join(text.split()), (0, 0, 9, 9))


@pytest.mark.parametrize("said", HOSTILE_ANSWERS)
def test_no_markup_of_a_model_is_live(said: str) -> None:
    page = Page(shown(said))
    assert not {"img", "script", "b"} & set(page.seen)
    shown(said).encode()


WORDS = (
    "`` ``` ~~~ $$ \\( \\) \\[ \\] [x] (http://a) ![ ](javascript:x) <b> <img/src=x> <!-- --> &lt; &#60; html "
    "<sup> </sup> <sub> </sub> <br> <SUP> <sup/> <br/onload=x> <sup/onclick=x> \\begin{align} \\end{align} \\\\"
)
PIECES = st.sampled_from(
    [
        *"`$\\|*_<a1 \t\n\"'~#\r\0\ufdd0\ufdd1\ud800&;😀",
        *WORDS.split(),
        *(
            "\n\n",
            "    ",
            "- ",
            "> ",
            "# ",
            "1. ",
            "7) ",
            "|---|\n",
            "| a | b |\n|---|---|\n",
            "[x](http://a) ",
        ),
        *(r"$\frac{1}{2}$", r"\text{", "<http://a.example>", "```python\n", "](", "---\n"),
    ]
)
NASTY = st.lists(PIECES, max_size=25).map("".join)
ANSWERS = st.lists(
    st.one_of(NASTY.map(lambda text: (Text(text),)), NASTY.filter(str.strip).map(boxed)), max_size=6
).map(lambda parts: [event for part in parts for event in part])


@given(ANSWERS)
def test_only_our_tags_come_out(events: list[Event]) -> None:
    content = shown(*events)
    Page(content)
    content.encode()
    assert not re.search("[\0\ufdd0-\ufdef]", content)


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("0. a\n1. b", '<ol start="0"><li>a</li><li>b</li></ol>'),
        ("1. a\n3. b\n4. c", '<ol><li>a</li><li value="3">b</li><li>c</li></ol>'),
        ("1. a\n   - b\n1. c", '<ol><li>a<ul><li>b</li></ul></li><li value="1">c</li></ol>'),
        ("1986. A year.", '<ol start="1986"><li>A year.</li></ol>'),
    ],
)
def test_lists_keep_their_numbers(said: str, html: str) -> None:
    assert shown(said) == html


def test_deep_nesting_loses_no_text() -> None:
    for marker in ("- ", "> ", "1. ", "> - "):
        page = Page(shown(marker * 60 + "deep 5\n\nThe **rest** 6."))
        assert "deep 5" in "".join(page.text) and "strong" in page.seen


def test_brackets_without_end_are_text() -> None:
    for said in ("[" * 60 + "]()", "[" * 60 + "a" + "](http://a.example)" * 60, "*a" * 500, "`a" * 501):
        assert Page(shown(said)).text


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("a < b and **bold**", "<p>a &lt; b and <strong>bold</strong></p>"),
        ("`a < b` and <b>", "<p><code>a &lt; b</code> and &lt;b&gt;</p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("a *b* ~~c~~ \\* &amp;", "<p>a <em>b</em> <s>c</s> * &amp;</p>"),
        ("# A\n\nB\n===", "<h1>A</h1><h1>B</h1>"),
        ("> a\n\n---", "<blockquote><p>a</p></blockquote><hr>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
        ("```\nif a < b:\n\tpass\n```", "<pre><code>if a &lt; b:\n\tpass\n</code></pre>"),
        ("```mermaid\nA-->B\n```", '<pre><code class="language-mermaid">A--&gt;B\n</code></pre>'),
        ("````\n```\n````\nend", "<pre><code>```\n</code></pre><p>end</p>"),
        ("```\nif a <", "<pre><code>if a &lt;</code></pre>"),
        ("it is $5 and $6", "<p>it is $5 and $6</p>"),
        ("from $5-$6 to $ 7 $", "<p>from $5-$6 to $ 7 $</p>"),
        ("`$` and `$`", "<p><code>$</code> and <code>$</code></p>"),
        (r"\\(a\\)", r"<p>\(a\)</p>"),
        ("\\[ not yet", "<p>[ not yet</p>"),
        ("[y]: http://a.example", "<p>[y]: http://a.example</p>"),
        ("[x]() [x](/a) [x](//a.example)", "<p>x [x](/a) [x](//a.example)</p>"),
        ("a\u2028b", "<p>a\u2028b</p>"),
    ],
)
def test_markdown_becomes_html(said: str, html: str) -> None:
    assert shown(said) == html


def test_links_open_tabs_and_images_are_links() -> None:
    link = ' target="_blank" rel="noopener noreferrer">'
    assert html.unescape(
        shown("[a](https://a.example/?b=c&d) ![e](http://f.example) <mailto:g@h.example>")
    ) == (
        f'<p><a href="https://a.example/?b=c&d"{link}a</a> !<a href="http://f.example"{link}e</a>'
        f' <a href="mailto:g@h.example"{link}mailto:g@h.example</a></p>'
    )


def test_tables_keep_every_cell_in_a_wide_place() -> None:
    assert shown("| a | b |\n|:-:|--:|\n| 1 | 2 | 3 |\n| 4 \\| 5 |\n\nend") == (
        '<div class="wide"><table><thead><tr><th align="center">a</th><th align="right">b</th></tr></thead><tbody>'
        '<tr><td align="center">1</td><td align="right">2</td><td>3</td></tr>'
        '<tr><td align="center">4 | 5</td></tr></tbody></table></div><p>end</p>'
    )
    assert shown("a | b\n- | -") == "<p>a | b</p><ul><li>| -</li></ul>", "no table: a list"


MATH = "<math"


@pytest.mark.parametrize(
    "said",
    ["$x_1$", r"\(x_1\)", r"\[x_1\]", "$$x_1$$", "\\[\nx_1\n\\]", "$$\nx_1\n$$", "> \\[\n> x_1\n> \\]"],
)
def test_formulas_are_read_however_written(said: str) -> None:
    content = shown(f"So\n{said}\nand on.")
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in content
    assert ('display="block"' in content) == ("$$" in said or "\\[" in said)
    assert ('class="wide"' in content) == ('display="block"' in content)


def test_display_formulas_hold_no_blocks() -> None:
    content = shown("so\n\\[\nx\n- y\n# z\n\\]\nend")
    assert content.startswith('<p>so</p><div class="wide"><math display="block">') and content.endswith(
        "<p>end</p>"
    )
    assert shown("- \\[\n  x\n- \\]") == "<ul><li>[<br>x</li><li>]</li></ul>", "it ends with its item"
    assert shown("- \\[\n  x\n  \\]\n\nend").endswith("</math></div></li></ul><p>end</p>")


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        (r"\frac{1}{2}", ["1", "2"]),
        (r"a < b", ["a", "<", "b"]),
        (r"50\% \text{ of } 10", ["50", "%", "\xa0of\xa0", "10"]),
        ("50% of 10", ["50", "%", "o", "f", "10"]),
        (r"\begin{align} x &= 1 \\ y &= 2 \end{align}", ["x", "=", "1", "y", "=", "2"]),
        (r"\begin{aligned} x &= 1 \end{aligned}", ["x", "=", "1"]),
        (r"\begin{equation} \begin{split} x &= 1 \end{split} \end{equation}", ["x", "=", "1"]),
        (r"x \not= y \\[4pt] z", ["x", "≠", "y", "z"]),
        (r"\text{面积} = 5", ["面积", "=", "5"]),
    ],
)
def test_formulas_show_what_was_written(source: str, texts: list[str]) -> None:
    content = shown(rf"\[{source}\]")
    assert MATH in content and Page(content).text == texts


@pytest.mark.parametrize(
    "source",
    [
        r"\ce{H2O}",
        r"\frac{1}{2",
        r"x &= 1",
        r"\begin{matrix} 1",
        r"\newcommand{\a}{5}\a",
        r"\text{&#49;}",
        "{" * 900 + "}" * 900,
        "x^2^3",
        r"\sqrt[\foo]{3}",
    ],
)
def test_unreadable_formulas_show_their_source(source: str) -> None:
    assert html.unescape(shown(rf"\({source}\)")) == f'<p><code class="formula">{source}</code></p>'


def test_long_formulas_are_no_formulas() -> None:
    assert MATH in shown(f"${'x' * 1000}$") and MATH not in shown(f"${'x' * 1001}$")
    assert MATH in shown(f"$${'x' * 4000}$$") and MATH not in shown(f"$${'x' * 4001}$$")
    content = shown("$x$ " * 201)
    assert content.count(MATH) == 200 and content.count('<code class="formula">x</code>') == 1
