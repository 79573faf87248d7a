"""Blocks of an answer that comes in pieces: the same in the end however it came, each once, in linear time."""

import re
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from internvl_demo.grounding.parser import Box, Event, GroundingParser, Phrase, Text, parse
from internvl_demo.web.markup import AnswerRenderer, Block, answer, render_answer
from tests.web.test_markup import ANSWERS, NASTY, Page, boxed, shown

SPAN = '<span class="ground-phrase" data-phrase="{}" data-boxes="{}">{}</span>'


class Reader:
    """A page that follows an answer: what stands there, and what was told."""

    def __init__(self) -> None:
        self.answer = AnswerRenderer()
        self.visible = ""
        self.standing: dict[int, Block] = {}
        self.told: list[Block] = []

    def take(self, *events: Event, final: bool = False) -> list[Block]:
        self.answer.feed(events)
        self.visible += "".join(event.text for event in events if not isinstance(event, Box))
        blocks = self.answer.blocks(final)
        for block in blocks:
            assert block.index <= len(self.standing), "no block is left out"
            assert block != self.standing.get(block.index), "nothing is told twice"
            assert 0 <= block.length <= len(self.visible.encode("utf-16-le", "surrogatepass")) // 2
            self.standing[block.index] = block
        self.told += blocks
        return blocks

    @property
    def page(self) -> list[str]:
        return [block.html for block in self.standing.values()]


def letters(events: Iterable[Event]) -> list[Event]:
    """The same with each text a letter at a time."""
    return [
        part
        for event in events
        for part in ([Text(letter) for letter in event.text] if isinstance(event, Text) else [event])
    ]


@given(ANSWERS, st.integers(1, 5))
def test_blocks_are_the_same_however_text_came(events: list[Event], every: int) -> None:
    reader, pieces = Reader(), letters(events)
    for start in range(0, len(pieces), every):
        reader.take(*pieces[start : start + every])
    reader.take(final=True)
    assert reader.page == render_answer(events)
    lengths = [block.length for block in reader.standing.values()]
    assert lengths == sorted(lengths)


@given(ANSWERS, st.integers(20, 90))
def test_long_blocks_are_cut_at_the_same_places(events: list[Event], chars: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "BLOCK_CHARS", chars)
        reader = Reader()
        for piece in letters(events):
            reader.take(piece)
        reader.take(final=True)
        assert reader.page == render_answer(events)


BETWEEN = [
    "A *b*\n# c\n#d\n##\n",
    "A *b*\n-\nc\n- d\n-e\n",
    "A *b*\n***\n***c***\n",
    "A *b*\n\\[\nx\n\\] c\n\\[\ny\n\\]\n$$\nz\n$$d\n",
    "A *b*\n\\[\nx y\\] c\n\n",
    "A *b*\n$$\nx y$$ c\n\n",
    "A *b*\n\\begin{align}\nx\n\\end{align} c\n\\begin{align}\n- y\n\\end{align}\nd\n",
    "*a*\n\n\\end{align}\n\\boxed{b}\n\n| *c* | d\n|--|--|\n| e\n\n| f |\ng\n",
    "*a*\n1. b\n2\n3) c\n3.5\n",
    "*a*\n```b`\n```\nc\n````\n```\nd",
    "| a | b |\n|--|--|c\n\n| a |\n|--|\nd\n",
    "> *a*\n>\n> b\nc\n>d\n",
    "- *a*\n\n  b\n c\n\nd\n",
]


@pytest.mark.parametrize("said", BETWEEN)
def test_a_line_is_not_judged_before_its_time(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "LEAST_GROWTH", 1)
    for end in range(1, len(said)):
        reader = Reader()
        for letter in said[:end]:
            reader.take(Text(letter))
        reader.take(final=True)
        assert reader.page == render_answer([Text(said[:end])])


def test_boxes_may_come_after_many_spaces() -> None:
    reader = Reader()
    reader.take(Text("a" * 7_990), Phrase("b"), Text(" " * 9_000))
    reader.take(Box("b", (0, 0, 9, 9)), Text("c" * 9_000), final=True)
    assert "".join(reader.page).count("ground-phrase") == 1


def test_a_line_end_may_be_cut_in_two() -> None:
    reader = Reader()
    reader.take(Text("a\r"))
    reader.take(Text("\nb\r"), Phrase("c\r\rd"), *boxed("e"), final=True)
    assert reader.page == [f"<p>a<br>b<br>c\n\nd{SPAN.format(1, 0, 'e')}</p>"]


@given(NASTY)
def test_splitting_agrees_with_reading_the_whole(said: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer.AnswerRenderer, "_close", _whole)
        whole = "".join(render_answer([Text(said)]))
    assert shown(said) == whole


def _whole(self: AnswerRenderer, blocks: list[tuple[int, str]]) -> Iterable[Block]:
    """In place of `_close`: everything in one block."""
    yield Block(0, "".join(html for _, html in blocks), 0)
    self._open = ""


SAMPLES = [
    "- a\n\nb\n- c",
    "- a\n\n  b\n\n\n- c\n\nd",
    "1. a\n2. b\n\n\n3. c",
    "a\n===\nb\n---\nc\n- - -\nd",
    "> a\nb\n\n> c\n> - d\n>\n>   e\nf",
    "```\na\n\n# b\n```\nc\n~~~\nd",
    "    a\n\n\n    b\nc",
    "- a\n\n      b\n\n  - c\n# d",
    "* a\n+ b\n1) c\n1. d",
    "# a #\n## b\nc\n# d",
    "-\n\n  a",
    "- \n  a\n-   b\n\n    c",
    "a\\\nb  \nc *d* **e *f* g** `h`` i` ``j` k``",
    '***a** b* _c_d_ ~~e~~ [f](http://g.example "h") <http://i.example> &lt; \\* \\a',
    "| a | b |\n|---|:-:|\n| c | d |\n| e | f |\ng | h\n\ni",
    "a\n| b |\n|---|\n| c |\n> d",
    "\ta\n\n- b\n\n\tc",
]


@pytest.mark.parametrize("said", SAMPLES)
def test_common_markdown_is_read_as_others_read_it(said: str) -> None:
    other = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])

    def plain(html: str) -> str:
        html = re.sub(r' style="text-align:(\w+)"', r' align="\1"', re.sub(r' title="\w*"', "", html))
        html = html.replace('<div class="wide">', "").replace("</div>", "").replace(" />", ">")
        return re.sub(r"\n", "", html.replace(' target="_blank" rel="noopener noreferrer"', ""))

    assert plain(shown(said)) == plain(other.render(said))


def test_a_complete_block_is_told_once() -> None:
    reader = Reader()
    for piece in ("One **a**", ".\n\n", "Two", ".\n\n# T", "hree\n- 4\n- 5\n\n", "6"):
        reader.take(Text(piece))
    reader.take(final=True)
    assert reader.page == [
        "<p>One <strong>a</strong>.</p>",
        "<p>Two.</p>",
        "<h1>Three</h1>",
        "<ul><li>4</li><li>5</li></ul>",
        "<p>6</p>",
    ]
    told = [(block.index, block.length) for block in reader.told]
    assert told == [(0, 9), (0, 12), (1, 18), (2, 21), (2, 26), (3, 35), (4, 36)], (
        "the first and the heading were open, then complete"
    )
    assert reader.take(final=True) == []


def test_plain_text_is_left_to_the_page() -> None:
    reader = Reader()
    for _ in range(40):
        assert reader.take(Text("No mark, of any kind; only 7 (words)!\n")) == []
    assert [block.index for block in reader.take(Text("\nThe next"))] == [0]


def test_an_open_block_is_drawn_as_it_grows() -> None:
    reader = Reader()
    assert reader.take(Text("Some **bold** words")) == [
        Block(0, "<p>Some <strong>bold</strong> words</p>", 19)
    ]
    assert reader.take(Text(".")) == [], "it waits for more"
    assert reader.take(Text(" And there *are* more.")) == [
        Block(0, "<p>Some <strong>bold</strong> words. And there <em>are</em> more.</p>", 42)
    ]


def test_what_a_line_becomes_is_awaited() -> None:
    reader = Reader()
    reader.take(Text("These **colours** are here:\n"))
    for piece in ("-", " "):
        reader.take(Text(piece))
        assert not any("<h2>" in html or "<ul>" in html for html in reader.page), (
            "neither a heading nor an item yet"
        )
    reader.take(Text("red and some more text"))
    assert reader.page[1] == "<ul><li>red and some more text</li></ul>"


def test_an_unfinished_formula_may_be_a_list() -> None:
    reader = Reader()
    reader.take(Text("So we **have**\n\\[\nx\n- y\n"))
    assert len(reader.page) == 1, "a list, if no formula comes of it"
    reader.take(Text("\\] end\n"), final=True)
    assert reader.page == ["<p>So we <strong>have</strong><br>[<br>x</p>", "<ul><li>y<br>] end</li></ul>"]


def test_code_that_is_still_written_is_code() -> None:
    reader = Reader()
    reader.take(Text("See:\n```html\n<img src=x"))
    assert reader.page[-1].startswith('<pre><code class="language-html">') and "<img" not in reader.page[-1]
    reader.take(Text(">\n```\nand **that** is all."), final=True)
    assert reader.page[-1] == "<p>and <strong>that</strong> is all.</p>"


def test_lengths_count_as_browsers_do() -> None:
    reader = Reader()
    reader.take(
        Text("😀 **a**\r"),
        Text("\n\r"),
        Text("\n"),
        Phrase("b|\n"),
        Box("b|", (0, 0, 9, 9)),
        Text("c"),
        final=True,
    )
    assert [block.length for block in reader.standing.values()] == [12, 16]
    assert reader.page[1] == '<p><span class="ground-phrase" data-phrase="0" data-boxes="0">b|\n</span>c</p>'


def test_a_phrase_is_drawn_when_its_box_comes() -> None:
    reader = Reader()
    reader.take(Text("A "), Phrase("cat"))
    assert reader.take(Box("cat", (0, 0, 9, 9))) == [Block(0, f"<p>A {SPAN.format(0, 0, 'cat')}</p>", 5)]
    assert reader.take(Box("cat", (1, 1, 9, 9)))[0].html == f"<p>A {SPAN.format(0, '0,1', 'cat')}</p>"
    reader.take(Text(" and "), Phrase("no box"), Text(" "), *boxed("dog"), Box("", (0, 0, 9, 9)), final=True)
    assert reader.page == [f"<p>A {SPAN.format(0, '0,1', 'cat')} and no box {SPAN.format(2, 2, 'dog')}</p>"]


def test_the_page_numbers_boxes() -> None:
    numbers: list[Sequence[int]] = [(0, 1), (), (2,)]
    events = [*boxed("a"), *boxed("b"), *boxed("c")]
    assert render_answer(events, numbers.__getitem__) == [
        f"<p>{SPAN.format(0, '0,1', 'a')}b{SPAN.format(2, 2, 'c')}</p>"
    ]


@pytest.mark.parametrize(
    ("events", "html"),
    [
        (["**", boxed("cat"), "**"], f"<p><strong>{SPAN.format(0, 0, 'cat')}</strong></p>"),
        ([boxed("**a** `b`")], f"<p>{SPAN.format(0, 0, '<strong>a</strong> <code>b</code>')}</p>"),
        (["*a ", boxed("b* c"), "*"], f"<p><em>a {SPAN.format(0, 0, 'b* c')}</em></p>"),
        (["`a ", boxed("b"), "`"], f"<p><code>a {SPAN.format(0, 0, 'b')}</code></p>"),
        (["`a ", boxed("b` c"), "` d"], "<p><code>a b</code> c` d</p>"),
        (["- ", boxed("a\n- b"), "\n- c"], "<ul><li>" + SPAN.format(0, 0, "a\n- b") + "</li><li>c</li></ul>"),
        (["```c\n", boxed("if"), " x\n```"],
         f'<pre><code class="language-c">{SPAN.format(0, 0, "if")} x\n</code></pre>'),
        (["$a ", boxed("b"), "$"], "<p><math display=\"inline\"><mrow><mi>a</mi><mi>b</mi></mrow></math></p>"),
        (["[a ", boxed("[b](http://c.example)"), "](http://d.example/", boxed("e"), ")"],
         '<p><a href="http://d.example/e" target="_blank" rel="noopener noreferrer">'
         f"a {SPAN.format(0, 0, 'b')}</a></p>"),
        (["| a |\n|---|\n| ", boxed("b | c"), " |"],
         '<div class="wide"><table><thead><tr><th>a</th></tr></thead><tbody><tr>'
         f"<td>{SPAN.format(0, 0, 'b | c')}</td></tr></tbody></table></div>"),
        (["# ", boxed("a")], f"<h1>{SPAN.format(0, 0, 'a')}</h1>"),
        ([boxed("<b>")], f"<p>{SPAN.format(0, 0, '&lt;b&gt;')}</p>"),
    ],
)  # fmt: skip
def test_phrases_nest_in_everything(events: list[str | Sequence[Event]], html: str) -> None:
    content = shown(*(part for event in events for part in ([event] if isinstance(event, str) else event)))
    assert content == html
    Page(content)


def test_parsed_answers_are_drawn() -> None:
    raw = (
        "A <ref>cat</ref><box>[[10, 20, 300, 400]]</box> and\n\n"
        "- <ref>two\ndogs</ref>\n<box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>."
    )
    whole = render_answer(parse(raw).events)
    assert "".join(whole).count("ground-phrase") == 2 and 'data-boxes="1,2"' in whole[1]
    reader, parser = Reader(), GroundingParser()
    for letter in raw:
        reader.take(*parser.feed(letter))
    reader.take(*parser.finish(), final=True)
    assert reader.page == whole


def test_too_long_blocks_become_plain_paragraphs() -> None:
    content = shown("- a **b**\n" * 2_000 + "\nThe **end**.")
    assert content.count("<p>- a **b**<br>") == 2 and content.endswith("<p>The <strong>end</strong>.</p>")
    assert Page(shown("a" * 20_001)).text == ["a" * 8_000, "a" * 8_000, "a" * 4_001]
