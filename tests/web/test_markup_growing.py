"""An answer that is still written: what is drawn at each moment is what it is going to be, without marks of its own."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.grounding.parser import Event, Text
from internvl_demo.web.markup import AnswerRenderer, answer, render_answer
from tests.web.test_markup import ANSWERS, Page, shown
from tests.web.test_markup_blocks import Reader, letters

MARKS = re.compile(r"\*|`|~|\]\(|</?s|<b|\\\(|\||\$|#|^[-+>]|__|http")


def drawn(said: str) -> str:
    """The last drawing of an answer that has come so far, all of it due."""
    renderer = AnswerRenderer()
    renderer.feed([Text(said)])
    return "".join(block.html for block in renderer.blocks())


@pytest.fixture(autouse=True, scope="module")
def at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "LEAST_GROWTH", 1)
        yield


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("A **bo", "A <strong>bo</strong>"),
        ("A **bold*", "A <strong>bold</strong>"),
        ("A *b **c", "A <em>b <strong>c</strong></em>"),
        ("A ***b*", "A <em><strong>b</strong></em>"),
        ("A **", "A "),
        ("A *", "A "),
        ("**注意：**这*", "<strong>注意：</strong>这"),
        ("A ~~b", "A <s>b</s>"),
        ("A ~~b~", "A <s>b</s>"),
        ("A `b * **c", "A <code>b * **c</code>"),
        ("A ``b`", "A <code>b</code>"),
        ("A `", "A "),
        ("**A `b", "<strong>A <code>b</code></strong>"),
        ("A [b **c**](http://exa", "A b <strong>c</strong>"),
        ("A [b](", "A b"),
        ("A [b](htt", "A b"),
        ("A [1](see", "A [1](see"),
        ("A x<su", "A x"),
        ("A x<sup>2", "A x<sup>2</sup>"),
        ("A *x<sup>2*", "A <em>x&lt;sup&gt;2</em>"),
        ("A x<sup>2</s", "A x<sup>2</sup>"),
        ("A b<br", "A b"),
        ("A $x_1 * y", 'A <code class="formula">x_1 * y</code>'),
        ("A \\(x_1", 'A <code class="formula">x_1</code>'),
        ("A \\(", "A "),
        ("A $5 and *b", "A $5 and <em>b</em>"),
        ("A 5 * 3", "A 5 * 3"),
        ("A 5*3", "A 5*3"),
        ("A __init", "A __init"),
        ("*a, b\n**c", "*a, b<br><strong>c</strong>"),
        ("A \\begin{align}a&=b\\\\*c", 'A <code class="formula">\\begin{align}a&amp;=b\\\\*c</code>'),
    ],
)  # fmt: skip
def test_an_open_end_is_drawn_as_it_will_be(said: str, html: str) -> None:
    assert drawn(said) == f"<p>{html}</p>"


def test_blocks_are_recognised_from_their_beginning() -> None:
    head = '<div class="wide"><table><thead><tr><th>{}</th></tr></thead></table></div>'
    assert drawn("| Na") == head.format("Na")
    assert drawn("So:\n\n| **Name** | Pri") == "<p>So:</p>" + head.format("<strong>Name</strong></th><th>Pri")
    assert "<td>1</td><td><strong>2</strong></td>" in drawn("| a | b |\n|--|--|\n| 1 | **2")
    assert drawn("```python\na = *") == '<pre><code class="language-python">a = *</code></pre>'
    assert drawn("*a*\n\\[\nb\n- c") == '<p><em>a</em></p><p><code class="formula">\\[\nb\n- c</code></p>'
    assert drawn("- **a") == "<ul><li><strong>a</strong></li></ul>"
    assert drawn("> *a") == "<blockquote><p><em>a</em></p></blockquote>"
    assert drawn("## a **b") == "<h2>a <strong>b</strong></h2>"


ANSWER = """**Note:** there are `two` cats, *one* [red](http://a.example/b "c") and x<sup>2</sup> ~~dogs~~.

| **Name** | Price |
|---|--:|
| tea<br>green | **3.50** |
| coffee | 2 |

## Steps **one**

1. **First**: `do` it
2. Then ~~not~~
   - **(a)** nested
   - "b"

> **quote:** and \\(a\\)

```sh
ls
```

**注意：**这张图里有**两只**猫。
"""


@pytest.mark.parametrize("every", [1, 2, 3, 5, 11])
def test_no_mark_is_seen_in_what_is_drawn(every: int) -> None:
    reader, kinds = Reader(), re.findall(r"<(\w+)", shown(ANSWER))
    for end in range(0, len(ANSWER), every):
        reader.take(Text(ANSWER[end : end + every]))
        page = Page("".join(reader.page))
        assert not MARKS.search("".join(page.text)), page.text
        assert set(page.seen) <= {*kinds, "math"}, "nothing that goes away again"
    reader.take(final=True)
    assert "".join(reader.page) == shown(ANSWER)


@pytest.mark.parametrize("every", [2, 4, 8])
def test_marks_do_not_wait_behind_what_is_drawn(every: int) -> None:
    reader = Reader()
    for end in range(0, len(ANSWER), every):
        reader.take(Text(ANSWER[end : end + every]))
        length = reader.told[-1].length if reader.told else 0
        line = reader.visible[length:].rsplit("\n", 1)[-1]
        assert not re.search(r"\w[^\w\s]*(\*\*|`)", line), "but at the beginning of a line they may"


@given(ANSWERS, st.integers(1, 9))
def test_what_is_drawn_early_is_safe_and_forgotten(events: list[Event], every: int) -> None:
    reader, pieces = Reader(), letters(events)
    for start in range(0, len(pieces), every):
        reader.take(*pieces[start : start + every])
        Page("".join(reader.page))
    reader.take(final=True)
    assert reader.page == render_answer(events)
