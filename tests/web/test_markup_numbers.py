"""The numbers of a model's text are on the page: each digit, in order, and no two numbers become one."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from internvl_demo.web.markup import markdown
from tests.web.test_markup import Page, shown

PIECES = [
    *"0123456789 \n\t`$*_~|#<>()[]{}-+=:a%.,;/\\\"'!猫：٣５",
    *(
        "**",
        "__",
        "~~",
        "- ",
        "\n\n",
        "> ",
        "1. ",
        "07) ",
        "19. ",
        "    ",
        "$$",
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "```",
    ),
    *(
        "| 1 | 2 |\n|--|--|\n",
        "\n|--|\n",
        "```py3 4\n",
        "```c11\n",
        "^2",
        "x_1",
        r"\frac{1}{2}",
        r"\text{ 5%}",
    ),
    *(
        "[6](http://a.example/7)",
        '[8](http://a.example "9")',
        "<sup>",
        "</sup>",
        "<sub>",
        "</sub>",
        "<br>",
        "\\\\",
    ),
    *(r"\begin{align}", r"\end{align}", r"\begin{x}", r"\end{x}", "1*2*3", "4**5", "__6__", "7_8"),
]
JOINING = ("em", "strong", "s", "span")
"""Tags that put nothing between what stands on their two sides."""


class Numbers(Page):
    """What a reader finds on a page, in order: text, numbers of items, captions, addresses and titles of links."""

    def __init__(self, content: str) -> None:
        self.found: list[str] = []
        self.at_the_end: list[str] = []
        self.has_caption = False
        super().__init__(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        numbers = len(self.numbers)
        super().handle_starttag(tag, attrs)
        own = {name: value or "" for name, value in attrs}
        if tag not in JOINING:
            self.found.append(" ")
        if len(self.numbers) > numbers and own.get("class") != "numbered":
            self.found.append(f"{self.numbers[-1]} ")
        if tag == "a":
            self.at_the_end.append(f" {own['href']} {own.get('title', '')} ")
        if tag == "code" and not self.has_caption:
            self.found.append(own.get("class", "").removeprefix("language-") + " ")
        if tag != "pre":
            self.has_caption = own.get("class") == "info"

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag == "a":
            self.found.append(self.at_the_end.pop())
        if tag not in JOINING:
            self.found.append(" ")

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        self.found.append(data)


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example("3*4*5 = 60, 5**2**3, **1**_2_, 1~~2~~3, a*2*b, __6__7")
@example("007. a\n8. b\n010. c\n\n``` 3 4\n```py3\n5\n```")
def test_numbers_are_never_lost_or_joined(said: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            markdown, "FORMULAS_PER_BLOCK", 0
        )  # formulas as their sources: in these numbers have an order
        content = shown(said)
    assert numbers("".join(Numbers(content).found)) == numbers(said), content


FORMULAS = st.lists(
    st.sampled_from(
        [
            *"123456789 \n$*_^{}a%&",
            "\\\\",
            "$$",
            "\\(",
            "\\)",
            r"\frac{1}{2}",
            r"\begin{align}",
            r"\end{align}",
        ]
    )
).map("".join)


@given(FORMULAS)
def test_formulas_keep_their_digits(said: str) -> None:
    page = Page(shown(said))
    reached = "".join([*page.text, *page.numbers])
    assert sorted(filter(str.isdigit, reached)) == sorted(filter(str.isdigit, said))


@pytest.mark.parametrize(
    "said",
    [
        *(
            "3*4*5 = 60",
            "2 * 3 * 4",
            "2*3",
            "5**2**3",
            "2**10",
            "1~~2~~3",
            "1_2_3",
            "2_000_000",
            "３*４*５",
            "٣*٤*٥",
        ),
        *("x*2*y", "2*a*3", "a*b*c", "width*height*depth", "α*β*γ", "2a*3b*4c", "x²*y²*z²", "a**b**c"),
        *("f(x)*g(x)*h(x)", "(a+b)*(c+d)*(e+f)", "2*(3+4)*5", "a[i]*b[j]*c[k]", "(3)*-4*-5", "|3|*|4|*|5|"),
        *("5%*6%*7", "5!*4!*3!", "√2*√3*√5", "3.5*2.5*1.5", "1/2*3/4*5/6", "$5*6 and $7*8"),
        *(
            "*args, **kwargs",
            "f(*args, **kwargs)",
            "char *p, *q",
            "int* a, int* b",
            "src/*/a/*/b",
            "*.py *.txt",
        ),
        *(
            "snake_case_name",
            "__init__",
            "__init__.py",
            "a.__len__()",
            "__FILE__",
            "file_name_1.txt",
            "_private",
        ),
        *("my_var_2 = 3_x", "MAX_SIZE_OF_A", "cat* dog*", "5* and 4*", "a * b * c"),
    ],
)
def test_arithmetic_and_names_stay(said: str) -> None:
    said_in_between = f"It is {said}, so {said}."
    for text in (said, f"面积是{said}。"):
        assert html.unescape(shown(text)) == f"<p>{text}</p>"
    assert html.unescape(shown(f"So\n\n- {said}")) == f"<p>So</p><ul><li>{said}</li></ul>"
    assert "<s>" not in shown(said_in_between) and "strong" not in shown(said_in_between)


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("007. a\n8. b", '<ol start="7"><li class="numbered"><span class="number">007.</span> a</li><li>b</li></ol>'),
        ("1. a\n02. b", '<ol><li>a</li><li class="numbered"><span class="number">02.</span> b</li></ol>'),
        ("7. x", '<ol start="7"><li>x</li></ol>'),
        ("1986. A great year", '<ol start="1986"><li>A great year</li></ol>'),
        ("1234567890. x", "<p>1234567890. x</p>"),
        ("1) a [1] 1) \\1 &#49;", "<ol><li>a [1] 1) \\1 1</li></ol>"),
        ("[1]: a", "<p>[1]: a</p>"),
        ("a[^1]\n\n[^1]: b", "<p>a[^1]</p><p>[^1]: b</p>"),
        ("# 1 #2", "<h1>1 #2</h1>"),
        ("```c 3\na\n```", '<p class="info">c 3</p><pre><code class="language-c">a\n</code></pre>'),
        ("``` 3 4", '<p class="info">3 4</p><pre><code></code></pre>'),
        ("```c++\n```", '<pre><code class="language-c++"></code></pre>'),
    ],
)  # fmt: skip
def test_numbers_that_markdown_would_take(said: str, html: str) -> None:
    assert shown(said) == html
