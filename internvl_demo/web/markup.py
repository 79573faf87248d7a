"""What people and a model write, as text for gr.Chatbot in which nothing of theirs is markup.

People's text is shown as they wrote it. A model's Markdown is read here, by a CommonMark parser, and becomes HTML
made of our tags alone: two readers never agree on what is code, so Gradio's gets nothing to read. In: `a **b**
<img>`; out: `<p>a <strong>b</strong> &#60;img&#62;</p>`. Only a block of code may stay Markdown, because Gradio colours
it; it is then written anew, so that it certainly ends.

Gradio looks for formulas everywhere before it reads Markdown, also in code and across messages' tags. So the only
`\\(`, `\\[` and `$` in what comes out are at the ends of formulas, or in an element of their own. No image is ever
loaded (its address could carry off what was said): it becomes a link, which only a person follows.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_PUNCTUATION = re.compile(r"[`*_{}\[\]()#+\-.!|<>~&:=\"']")
_FORMULA_MARK = re.compile(r"[\\$]")
_NOT_IN_HTML = re.compile(r"[^\w ,;?@^/]|%")
"""What is written as a number in the HTML made of a model's text; line ends too, for an empty line ends HTML."""

_FORMULA = re.compile(
    r"\$\$(?P<dollars>[^`]{1,4000}?)\$\$|\\\[(?P<square>.{1,4000}?)\\\]|\\\((?P<round>.{1,4000}?)\\\)"
    r"|\$(?P<dollar>(?!\s)[^$`]{1,1000}?(?<![\s\\]))\$(?!\d)",
    re.DOTALL,
)
"""Between single dollars as Pandoc has it: `$5 and $6` is money. The lengths bound the search."""
_WHOLE_LINES = re.compile(r" {0,3}(?:\$\$|\\\[)")
_MARKS_OF_GRADIO = re.compile(r"\$|\\[(\[]|%%%")
_LANGUAGE = re.compile(r"(?!mermaid\b)[\w+#-]+")
"""Not mermaid: Gradio would draw it."""
_ADDRESS = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def plain(text: str) -> str:
    """People's text as Markdown that shows exactly that text.

    What opens a formula stands in an element of its own: formulas are looked for in the text of one element.
    """
    marked = _PUNCTUATION.sub(lambda mark: f"&#{ord(mark[0])};", text)
    return _FORMULA_MARK.sub(lambda mark: f"<span>&#{ord(mark[0])};</span>", marked)


@lru_cache(maxsize=256)
def markdown(text: str) -> str:
    """A model's Markdown as HTML in which no tag and no attribute is the model's; blocks of code may stay Markdown.

    Kept for the last texts: all of a conversation is shown anew at each step of an answer.
    """
    tokens = _PARSER.parse(text)
    blocks, start, depth = [], 0, 0
    for end, token in enumerate(tokens, 1):
        depth += token.nesting
        if depth == 0:
            blocks.append(_block(tokens[start:end]))
            start = end
    return "\n\n".join(blocks)


def _block(tokens: list[Token]) -> str:
    first = tokens[0]
    if first.type in ("fence", "code_block") and not _MARKS_OF_GRADIO.search(first.content):
        return _fence(first.content, first.info)
    return str(_PARSER.renderer.render(tokens, _PARSER.options, {})).replace("\n", "")


def _fence(code: str, info: str) -> str:
    """A block of code with a fence that nothing in it can be."""
    longest = max((len(ticks) for ticks in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{_language(info)}\n{code.removesuffix(chr(10))}\n{fence}"


def _language(info: str) -> str:
    found = _LANGUAGE.match(info.strip().lower())
    return found[0] if found else ""


def _numbers(text: str) -> str:
    """Text for HTML, also for between quotes, that no reader of Markdown finds anything in."""
    return _NOT_IN_HTML.sub(lambda mark: f"&#{ord(mark[0])};", text)


def _text(text: str) -> str:
    """The same for outside quotes and code, where formulas are looked for."""
    return "".join(
        f"<span>{_numbers(part)}</span>" if part in ("\\", "$") else _numbers(part)
        for part in re.split(r"([\\$])", text)
    )


class _Renderer(RendererHTML):
    """HTML of tokens, where whatever comes from the model goes through `_numbers`."""

    def text(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:  # noqa: ARG002
        return _text(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:  # noqa: ARG002
        return f"<code>{_numbers(tokens[idx].content)}</code>"

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:  # noqa: ARG002
        return f"<pre><code>{_numbers(tokens[idx].content)}</code></pre>"

    fence = code_block

    def formula(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:  # noqa: ARG002
        opening, closing = ("\\[", "\\]") if tokens[idx].markup == "display" else ("\\(", "\\)")
        return f"{opening}{_numbers(tokens[idx].content)}{closing}"

    def formula_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f"<p>{self.formula(tokens, idx, options, env)}</p>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:  # noqa: ARG002
        address = _numbers(str(tokens[idx].attrGet("href")))
        return f'<a href="{address}" target="_blank" rel="noopener noreferrer">'

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:  # noqa: ARG002
        return '<div class="wide"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:  # noqa: ARG002
        return "</table></div>"


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Only addresses of the web and of mail; what else is written as a link stays text."""
        return bool(_ADDRESS.match(url))


def _formula(state: StateInline, silent: bool) -> bool:
    """`$x$`, `\\(x\\)`, `$$x$$` and `\\[x\\]` within a paragraph."""
    found = _FORMULA.match(state.src, state.pos, state.posMax) if state.src[state.pos] in "$\\" else None
    if not found:
        return False
    if not silent:
        _push(state, "formula", found)
    state.pos = found.end()
    return True


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`$$` or `\\[` at the beginning of a line, to the end of a later one: nothing in it is a list or a heading."""
    if not _WHOLE_LINES.match(state.src, state.bMarks[start] + state.tShift[start]):
        return False
    last = start
    while last < end and not state.isEmpty(last) and state.sCount[last] >= state.blkIndent:
        last += 1
    text = state.getLines(start, last, state.blkIndent, False)
    found = _FORMULA.match(text.lstrip(" "))
    rest = text.lstrip(" ")[found.end() :] if found else ""
    if not found or rest.split("\n", 1)[0].strip():
        return False
    if not silent:
        _push(state, "formula_block", found)
        state.line = last - rest.count("\n")
    return True


def _push(state: StateInline | StateBlock, name: str, found: re.Match[str]) -> None:
    token = state.push(name, "", 0)
    token.content = found[found.lastgroup or 0]
    token.markup = "display" if found.lastgroup in ("dollars", "square") else ""


def _parser() -> _Parser:
    parser = _Parser("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"]).disable("image")
    interrupts = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("fence", "formula", _formula_block, interrupts)  # type: ignore[arg-type]
    parser.inline.ruler.before("escape", "formula", _formula)
    return parser


_PARSER = _parser()
