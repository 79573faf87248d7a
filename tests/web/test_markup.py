"""People's text as they wrote it, and a model's Markdown as HTML that is ours: values only."""

import html
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from internvl_demo.web.markup import markdown, plain
from tests.support.hostile_texts import HOSTILE_ANSWERS

TAGS = re.compile(
    r"</?(p|h[1-6]|ul|li|strong|em|s|code|pre|blockquote|table|thead|tbody|tr|span)>|</?ol( start=\"\d+\")?>"
    r"|<(br|hr) />|<div class=\"wide\">|</div>|</?t[hd]( style=\"text-align:(left|center|right)\")?>"
    r"|</a>|<a href=\"(https?|mailto)&#58;[^\"<>]*\" target=\"_blank\" rel=\"noopener noreferrer\">"
)
"""All that may stand in angle brackets outside code."""


def as_gradio_reads(content: str) -> list[str]:
    """What would be HTML in it, after formulas were taken out: Gradio's steps, with another reader of Markdown."""
    for left, right in ((r"\$\$", r"\$\$"), (r"\\\[", r"\\\]"), (r"\$", r"\$"), (r"\\\(", r"\\\)")):
        content = re.sub(left + r"[\s\S]+?" + right, "FORMULA", content)
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table"]).parse(content)
    every = [part for token in tokens for part in (token, *(token.children or []))]
    assert not [part for part in every if part.type == "image" or part.info == "mermaid"]
    return [part.content for part in every if part.type in ("html_block", "html_inline")]


def only_ours(content: str) -> None:
    for found in as_gradio_reads(content):
        assert "<" not in TAGS.sub("", found) and ">" not in TAGS.sub("", found), found


@pytest.mark.parametrize("said", HOSTILE_ANSWERS)
def test_no_markup_of_a_models_is_left(said: str) -> None:
    only_ours(markdown(said))


WORDS = "`` ``` ~~~ $$ \\( \\) \\[ \\] [x] (http://a) ![ ](javascript:x) <b> <img/src=x> <!-- --> &lt; &#60; mermaid"
NASTY = st.lists(
    st.sampled_from(
        [
            *"`$\\|*_<a \t\n\"'",
            *WORDS.split(),
            "\n\n",
            "    ",
            "- ",
            "> ",
            "# ",
            "1. ",
            "|---|\n",
            "%%%LATEX_BLOCK_0%%%",
        ]
    ),
    max_size=25,
).map("".join)


@given(NASTY)
def test_whatever_a_model_writes_only_our_tags_come_out(said: str) -> None:
    only_ours(markdown(said))


@given(NASTY)
def test_what_follows_an_answer_is_not_drawn_into_it(said: str) -> None:
    mark = '<span class="receipt turn-1">after</span>'
    tokens = MarkdownIt("commonmark", {"html": True}).parse(f"{markdown(said)}\n\n{mark}")
    assert tokens[-2].type == "inline" and tokens[-2].content == mark


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a < b and **bold**", "<p>a &#60; b and <strong>bold</strong></p>"),
        ("`a < b` and <b>", "<p><code>a &#60; b</code> and &#60;b&#62;</p>"),
        ("one\ntwo", "<p>one<br />two</p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("```python\nif a < b:\n\tpass\n```", "```python\nif a < b:\n\tpass\n```"),
        ("```python\nif a <", "```python\nif a <\n```"),
        ("````\n```\n````\nend", "````\n```\n````\n\n<p>end</p>"),
        ("```mermaid\nA-->B\n```", "```\nA-->B\n```"),
        ("```sh\necho $HOME\n\n```", "<pre><code>echo &#36;HOME&#10;&#10;</code></pre>"),
        ("it is $5 and $6", "<p>it is <span>&#36;</span>5 and <span>&#36;</span>6</p>"),
        (r"$x_1$ and \(y < z\)", r"<p>\(x_1\) and \(y &#60; z\)</p>"),
        ("$$x$$", r"<p>\[x\]</p>"),
        ("so\n\\[\nx\n- y\n\\]\nend", "<p>so</p>\n\n<p>\\[&#10;x&#10;&#45; y&#10;\\]</p>\n\n<p>end</p>"),
        ("- \\[\n  x\n  \\]\n\nend", "<ul><li><p>\\[&#10;x&#10;\\]</p></li></ul>\n\n<p>end</p>"),
        ("\\[ not yet", "<p>&#91; not yet</p>"),
        ("`$` and `$`", "<p><code>&#36;</code> and <code>&#36;</code></p>"),
        (r"\\(a\\)", r"<p><span>&#92;</span>&#40;a<span>&#92;</span>&#41;</p>"),
    ],
)
def test_markdown_code_and_formulas_stay_what_they_are(said: str, shown: str) -> None:
    assert markdown(said) == shown


def test_links_lead_to_the_web_in_a_tab_of_their_own_and_images_are_links() -> None:
    assert html.unescape(markdown("[a](https://a.example/?b=c&d) ![e](http://f.example)")) == (
        '<p><a href="https://a.example/?b=c&d" target="_blank" rel="noopener noreferrer">a</a>'
        ' !<a href="http://f.example" target="_blank" rel="noopener noreferrer">e</a></p>'
    )


def test_a_table_stands_in_a_place_that_can_be_wider_than_the_window() -> None:
    assert markdown("| a |\n|:-:|\n| b |") == (
        '<div class="wide"><table><thead><tr><th style="text-align:center">a</th></tr></thead>'
        '<tbody><tr><td style="text-align:center">b</td></tr></tbody></table></div>'
    )


@given(st.text(string.ascii_letters + string.punctuation + " \n"))
def test_people_write_no_markup_and_no_formulas_only_text(text: str) -> None:
    shown = plain(text)
    letters = re.sub(r"<span>(&#\d+;)</span>", r"\1", shown)
    assert html.unescape(letters) == text, "what they wrote, whole"
    assert not re.search(r"[`*_{}\[\]()+\-.!|<>~$:=\"'\\]", letters), "no mark of Markdown's is left"
    assert not re.search(r"[$\\]|&#(36|92);", re.sub(r"<span>.*?</span>", "", shown)), (
        "formulas have no beginning"
    )
