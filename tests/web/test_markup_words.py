"""Text as people and models write it: languages without spaces, prices, tags, formulas without dollars."""

import html
import re

import pytest

from internvl_demo.grounding.parser import Event
from tests.web.test_markup import Page, boxed, shown


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("**注意：**这张图里有两只猫。", "<strong>注意：</strong>这张图里有两只猫。"),
        ("这是**“重要”**的", "这是<strong>“重要”</strong>的"),
        ("**注意。**下一句", "<strong>注意。</strong>下一句"),
        ("_重点：_后", "<em>重点：</em>后"),
        ("这是_“重要”_的", "这是<em>“重要”</em>的"),
        ("*注：*见下**（图1）**后~~删。~~完", "<em>注：</em>见下<strong>（图1）</strong>后<s>删。</s>完"),
        ("有**3**只，**两只。**还**有**", "有<strong>3</strong>只，<strong>两只。</strong>还<strong>有</strong>"),
        ("使用**Python**编程", "使用<strong>Python</strong>编程"),
        ("我可以强调**这个`code`**吗", "我可以强调<strong>这个<code>code</code></strong>吗"),
        ("（见图）**红球**：左", "（见图）<strong>红球</strong>：左"),
        ("***很重要！***真的", "<em><strong>很重要！</strong></em>真的"),
        ("これは**「重要」**です。", "これは<strong>「重要」</strong>です。"),
        ("**二匹（にひき）。**猫がいます", "<strong>二匹（にひき）。</strong>猫がいます"),
        ("**ｶﾀｶﾅ！**も", "<strong>ｶﾀｶﾅ！</strong>も"),
        ("**이 용어(This term)**를 강조", "<strong>이 용어(This term)</strong>를 강조"),
        ("**'고양이'**가 있다", "<strong>&#x27;고양이&#x27;</strong>가 있다"),
        ('ภาพ**"แมว"**นี้', "ภาพ<strong>&quot;แมว&quot;</strong>นี้"),
        ("و**القطة:**هنا", "و<strong>القطة:</strong>هنا"),
        ("ה**חתול**", "ה<strong>חתול</strong>"),
        ("**Colour:**red, **Size:**big", "<strong>Colour:</strong>red, <strong>Size:</strong>big"),
        ("**cat**s, **5**cm, the **3**rd", "<strong>cat</strong>s, <strong>5</strong>cm, the <strong>3</strong>rd"),
        ("(1)**Cat**: 2)**Dog**", "(1)<strong>Cat</strong>: 2)<strong>Dog</strong>"),
        ('"*x*" (*y*) **f**(x)', "&quot;<em>x</em>&quot; (<em>y</em>) <strong>f</strong>(x)"),
        ("*a*/*b* **c**: *d*.", "<em>a</em>/<em>b</em> <strong>c</strong>: <em>d</em>."),
        ("__Bold__ and __two words__", "<strong>Bold</strong> and <strong>two words</strong>"),
        ("*Note: x*y = 5*", "<em>Note: x*y = 5</em>"),
        ("变量_名_称", "变量_名_称"),
        ("** 注意 **", "** 注意 **"),
    ],
)  # fmt: skip
def test_words_are_marked_in_any_language(said: str, html: str) -> None:
    assert shown(said) == f"<p>{html}</p>"


def test_phrases_are_marked_as_their_words() -> None:
    def plain(*events: Event | str) -> str:
        return re.sub("</?span[^>]*>", "", shown(*events))

    assert plain("这是**", *boxed("“红球”"), "**的") == "<p>这是<strong>“红球”</strong>的</p>"
    assert plain("**", *boxed("红球："), "**左") == "<p><strong>红球：</strong>左</p>"
    assert plain("3*", *boxed("4"), "*5") == "<p>3*4*5</p>"
    assert plain("a", *boxed('*"b"*'), "s") == "<p>a<em>&quot;b&quot;</em>s</p>"


@pytest.mark.parametrize(
    "said",
    [
        *(
            "Coffee: 3.50$; Tea: 2.00$",
            "$5 and $10",
            "US$ 3 and 4$",
            "costs $5–$10",
            "3,50 $, 4,00 $",
            "5$-10$",
        ),
        *("US$5 or HK$ 40", "R$5,00 e R$6,00", "US$/HK$", "A$5/C$6", "$5 or 6$.", "$5; pays 6$", "$5和6$"),
        *("100$/month or 200$/year", "咖啡3.50$，茶2.00$", "cheap ($), dear ($$$)", "$$ - $$$", "$$$a$$$"),
        *("$HOME/$USER", "$a-$b", "$1,000-$2,000", "from $5 to $ 7 $", "**$5**", "3$x$", "$5 apples$"),
    ],
)
def test_prices_are_no_formulas(said: str) -> None:
    text = html.unescape("".join(Page(shown(said)).text))
    assert text == said.replace("**", "") and "<math" not in shown(said)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        *(
            ("$x^2$", 1),
            ("$3$", 1),
            (r"$\frac{1}{2}$ and $5", 1),
            ("$5 and $x$", 1),
            ("3.50$ for $x$ and $y$", 2),
        ),
        *(
            ("the $n$th and $k$-means", 2),
            ("面积$S$是$5x$。", 2),
            ("$x$$y$", 2),
            ("($a$, $b$)", 2),
            ("$2 + 3 = 5$", 1),
        ),
        *((r"$2 \sin x$", 1), (r"$5 \text{ apples}$", 1), ("$x = 5$ costs $5", 1), ("$-5$", 1), ("$$5$$", 1)),
    ],
)
def test_formulas_are_found_among_prices(said: str, count: int) -> None:
    assert shown(said).count("<math") == count


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("tea<br>coffee<BR/>milk<br />", "tea<br>coffee<br>milk<br>"),
        ("x<sup>2</sup>, H<sub>2</sub>O, 10<SUP>-3</SUP>", "x<sup>2</sup>, H<sub>2</sub>O, 10<sup>-3</sup>"),
        ("a<sup>b<sub>c</sub></sup>", "a<sup>b<sub>c</sub></sup>"),
        ("**a<sup>1</sup>** <sup>*b* `c` $d$</sup>",
         "<strong>a<sup>1</sup></strong> <sup><em>b</em> <code>c</code> "
         '<math display="inline"><mrow><mi>d</mi></mrow></math></sup>'),
        ("<sup>a", "&lt;sup&gt;a"),
        ("a</sup>", "a&lt;/sup&gt;"),
        ("<sup>a<sup>b</sup>", "&lt;sup&gt;a<sup>b</sup>"),
        ("<sup>a<sub>b</sup>c</sub>", "<sup>a&lt;sub&gt;b</sup>c&lt;/sub&gt;"),
        ("**a<sup>b**c</sup>", "<strong>a&lt;sup&gt;b</strong>c&lt;/sup&gt;"),
        ("[a<sup>](http://b.example)</sup>",
         '<a href="http://b.example" target="_blank" rel="noopener noreferrer">a&lt;sup&gt;</a>&lt;/sup&gt;'),
        ("`a<br>b` &lt;br&gt; \\<br>", "<code>a&lt;br&gt;b</code> &lt;br&gt; &lt;br&gt;"),
        ("<br onload=x> <sup class=x>a</sup>", "&lt;br onload=x&gt; &lt;sup class=x&gt;a&lt;/sup&gt;"),
        ("</br> <sup/> <br//> <b>c</b>", "&lt;/br&gt; &lt;sup/&gt; &lt;br//&gt; &lt;b&gt;c&lt;/b&gt;"),
    ],
)  # fmt: skip
def test_breaks_and_small_letters_are_drawn(said: str, html: str) -> None:
    assert shown(said) == f"<p>{html}</p>"


def test_tags_end_with_their_cell_and_block() -> None:
    assert shown("| a<br>b | <sup>c |\n|--|--|\n| d</sup> | 5<sub>6</sub> |").endswith(
        "<th>a<br>b</th><th>&lt;sup&gt;c</th></tr></thead><tbody><tr><td>d&lt;/sup&gt;</td><td>5<sub>6</sub></td></tr>"
        "</tbody></table></div>"
    )
    cells = "| drink |\n|--|\n| tea<br>coffee |"
    assert "<td>tea<br>coffee</td>" in shown(cells)
    assert shown("- <sup>a\n- b</sup>\n\n# c<br>d") == (
        "<ul><li>&lt;sup&gt;a</li><li>b&lt;/sup&gt;</li></ul><h1>c<br>d</h1>"
    )
    span = '<span class="ground-phrase" data-phrase="0" data-boxes="0">{}</span>'
    assert shown("<sup>", *boxed("a</sup>b")) == f"<p>&lt;sup&gt;{span.format('a&lt;/sup&gt;b')}</p>"
    assert shown("<sup>", *boxed("a"), "</sup>") == f"<p><sup>{span.format('a')}</sup></p>"


def test_a_bare_align_keeps_its_rows() -> None:
    drawn = Page(shown(r"\begin{align}a&=b\\c&=d\end{align}"))
    assert "".join("".join(drawn.text).split()) == "a=bc=d"
    assert shown(r"\begin{align}a&=b\\c&=d\end{align}").count("<mtr>") == 2


NAMES = "align align* aligned equation equation* cases matrix pmatrix bmatrix vmatrix gather gather* split eqnarray"


@pytest.mark.parametrize("name", NAMES.split())
def test_environments_need_no_dollars(name: str) -> None:
    rows = "a_1&=b*c*d\\\\e&=f" if "equation" not in name else "a_1=b*c*d"
    rows = rows.replace("&", "") if "gather" in name else rows
    source = f"\\begin{{{name}}}{rows}\\end{{{name}}}"
    for said in (
        source,
        f"So {source} it is.",
        source.replace("\\\\", "\\\\\n- "),
        f"> {source}",
        f"- {source}",
    ):
        content = shown(said)
        assert (
            "<math" in content
            and "<em>" not in content
            and "<ul><li>" not in content.removeprefix("<ul><li>")
        )
        assert "\\" not in "".join(Page(content).text)


@pytest.mark.parametrize(
    "source",
    [
        r"\begin{tabular}{|c|} a*b*c & 5_6_7 \\ \hline \end{tabular}",
        "\\begin{itemize}\n\\item **a** \\\\\n\\item b\n\\end{itemize}",
        r"\begin{array}{x}1\\2\end{array}\begin{unknown}*a*\end{unknown}",
        r"\begin{align}a&=b\\c*d*e_f_",
        r"\begin{cases}\begin{cases}1\\2\end{cases}",
    ],
)
def test_other_environments_stay_as_written(source: str) -> None:
    content = shown(source)
    assert not {"em", "strong", "ul", "li", "br"} & set(Page(content).seen)
    if "\\begin{array}" not in source:
        assert html.unescape("".join(Page(content).text)) == source


def test_commands_alone_stay_readable() -> None:
    for said in (
        r"\boxed{42}",
        r"\frac{1}{2}",
        r"The answer is \boxed{x_1*x_2*x_3}.",
        r"\begin{align} starts it",
        r"a \times b",
    ):
        assert shown(said) == f"<p>{said}</p>"
    assert (
        shown(r"Write \begin{align} for **this**.")
        == r"<p>Write \begin{align} for <strong>this</strong>.</p>"
    )
    assert (
        shown(r"`\begin{a}` *b* `\end{a}`")
        == r"<p><code>\begin{a}</code> <em>b</em> <code>\end{a}</code></p>"
    )
    assert 'data-boxes="0"' in shown(r"\begin{itemize}\item ", *boxed("cat"), r"\end{itemize}")
