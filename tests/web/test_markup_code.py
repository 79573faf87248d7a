"""Blocks of code in colours: the same code, in linear time, readable."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo import web
from internvl_demo.web.markup.code import _LANGUAGES, colour
from tests.support.linear_time import Family, assert_linear
from tests.web.test_markup import Page, shown


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
    def colour_all(text: str) -> None:
        for parts in _LANGUAGES.values():
            sum(1 for _ in parts.finditer(text))

    assert_linear(colour_all, Family("", piece))


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
