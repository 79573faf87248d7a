"""Read a model's Markdown and write it as HTML whose tags and attributes are ours alone.

In: `a **b** <img>`; out: `<p>a <strong>b</strong> &lt;img&gt;</p>`. CommonMark by markdown-it, with tables and
struck words, without raw HTML; what else is ours, and why:

    no reference definitions   a later line could change a block that is shown already; a definition would vanish
    images are links           an image's address could carry off what was said, without anybody's click
    links                      to the web and by mail only
    numbers of lists           each as the model wrote it: `3.` after `1.` stays 3, and `007.` stays 007
    code                       what stands behind the language of a fence is its caption
    tables                     a row keeps all its cells; a short row is not filled up
    emphasis                   in languages without spaces too, and not in arithmetic: `emphasis`
    formulas                   with and without dollars; prices are none: `formulas`, `environments`
    tags                       `<br>`, `<sup>` and `<sub>` become ours: `tags`
    an open end                is drawn as what it is going to be: `unfinished`
    deep nesting               is text from level 20 on: the parser would leave out the rest of the answer

`split` finds top-level blocks, `render` writes them. Both are linear in the length of the text.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, paragraph
from markdown_it.rules_inline import StateInline, link
from markdown_it.token import Token

from internvl_demo.web.markup import marks
from internvl_demo.web.markup.code import colour
from internvl_demo.web.markup.emphasis import emphasis_rule
from internvl_demo.web.markup.environments import environment_block_rule, environment_rule
from internvl_demo.web.markup.formulas import formula_block_rule, formula_rule, render_formula, render_source
from internvl_demo.web.markup.marks import Spans, escape, escape_code
from internvl_demo.web.markup.tables import table_rule
from internvl_demo.web.markup.tags import pair_tags, tag_rule
from internvl_demo.web.markup.unfinished import close_unfinished, last_link, unfinished_rule

MAX_DEPTH = 20
FORMULAS_PER_BLOCK = 200
"""More of them are shown as their sources: a conversion takes a tenth of a millisecond."""

_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z][\w+#-]{0,29}", re.ASCII)


class TopBlock(NamedTuple):
    """A top-level block: its place in the text, up to the next block's, and its tokens."""

    start: int
    end: int
    tokens: list[Token]


def split(text: str, *, is_open: bool = False) -> tuple[list[TopBlock], int]:
    """Return the top-level blocks of a marked text, and the place from which more text could change their kind.

    More text changes the last block only, and blocks that reach to that place without an empty line before it: a
    formula may begin there. is_open: the text is still written, and the last block is what it is going to be.
    """
    tokens: list[Token] = []
    env: dict[str, Any] = {"open": True} if is_open else {}
    _PARSER.block.parse(text, _PARSER, env, tokens)
    lines = [0, *(found.end() for found in re.finditer("\n", text)), len(text)]
    groups, depth = [], 0
    for token in tokens:
        if depth == 0:
            groups.append((lines[token.map[0]] if token.map else 0, [token]))
        else:
            groups[-1][1].append(token)
        depth += token.nesting
    ends = [start for start, _ in groups[1:]] + [len(text)]
    blocks = [TopBlock(start, end, group) for (start, group), end in zip(groups, ends, strict=False)]
    if "undecided" not in env:
        return blocks, len(text)
    undecided = lines[env["undecided"]]
    before = text[:undecided].rstrip(" \t\n")
    stands_alone = not before or text.count("\n", len(before), undecided) > 1
    return blocks, undecided if stands_alone else undecided - 1


def render(tokens: Sequence[Token], spans: Spans) -> str:
    """Return the HTML of a block's tokens."""
    page = _Html(spans)
    for token in tokens:
        page.add(token)
    return "".join(page.parts)


def render_open(tokens: Sequence[Token], spans: Spans) -> tuple[str, bool]:
    """Return the HTML of a block that is still written, and whether it ends before its text does."""
    page = _Html(spans)
    last = max((n for n, token in enumerate(tokens) if token.type == "inline"), default=-1)
    for index, token in enumerate(tokens):
        page.add(token, is_open=index == last)
    return "".join(page.parts), page.is_cut


def render_plain(text: str, spans: Spans) -> str:
    """Return a marked text as paragraphs in which nothing is Markdown."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n[ \t]*\n", text) if part.strip()]
    return "".join(f"<p>{escape_code(part, spans).replace(chr(10), '<br>')}</p>" for part in paragraphs)


_TAGS = {
    **{f"{tag}_open": f"<{tag}>" for tag in ("em", "strong", "s", "sup", "sub")},
    **{f"{tag}_close": f"</{tag}>" for tag in ("em", "strong", "s", "sup", "sub")},
    **{f"{tag}_open": f"<{tag}>" for tag in ("blockquote", "thead", "tbody", "tr")},
    **{f"{tag}_close": f"</{tag}>" for tag in ("blockquote", "thead", "tbody", "tr", "th", "td")},
    "paragraph_open": "<p>",
    "paragraph_close": "</p>",
    "table_open": '<div class="wide"><table>',
    "table_close": "</table></div>",
    "list_item_close": "</li>",
    "softbreak": "<br>",
    "hardbreak": "<br>",
    "hr": "<hr>",
}


class _Html:
    """The HTML of one block so far, with what is open in it."""

    def __init__(self, spans: Spans) -> None:
        self.parts: list[str] = []
        self._spans = spans
        self._next_numbers: list[int] = []  # of each open list
        self._links: list[bool] = []  # of each open link: whether it has a tag
        self._formulas = 0
        self.is_cut = False

    def add(self, token: Token, *, is_open: bool = False) -> None:
        if token.type == "inline":
            children: list[Token] = []
            env: dict[str, Any] = {"open": token.content.rfind("\n") + 1} if is_open else {}
            _PARSER.inline.parse(token.content, _PARSER, env, children)
            self.is_cut = "cut" in env
            for child in children:
                self.add(child)
        elif not token.hidden:
            self.parts.append(_TAGS.get(token.type) or self._written(token))

    def _written(self, token: Token) -> str:
        match token.type:
            case "text" | "text_special":
                return escape(token.content)
            case "code_inline":
                return f"<code>{escape_code(token.content, self._spans)}</code>"
            case "fence" | "code_block":
                return self._code(token)
            case "formula" | "formula_block":
                return self._formula(token)
            case "source":
                return render_source(token.content, self._spans)
            case "source_block":
                return f"<p>{render_source(token.content, self._spans)}</p>"
            case "heading_open":
                return f"<{token.tag}>"
            case "heading_close":
                return f"</{token.tag}>"
            case "th_open" | "td_open":
                return f'<{token.tag} align="{token.info}">' if token.info else f"<{token.tag}>"
            case "bullet_list_open" | "ordered_list_open":
                return self._list(token)
            case "bullet_list_close" | "ordered_list_close":
                self._next_numbers.pop()
                return f"</{token.tag}>"
            case "list_item_open":
                return self._item(token)
            case "link_open":
                return self._link(token)
            case "link_close":
                return "</a>" if self._links.pop() else ""
            case "phrase_open":
                return marks.opening_tag(token.meta["number"], self._spans)
            case "phrase_close":
                return marks.closing_tag(token.meta["number"], self._spans)
        raise ValueError(f"No HTML is known for {token.type}.")

    def _code(self, token: Token) -> str:
        info = token.info.strip()
        found = _LANGUAGE.match(marks.unmark(info).lower())
        caption = "" if found and found[0] == info.lower() else escape_code(info, self._spans)
        code = None if marks.is_marked(token.content) or not found else colour(token.content, found[0])
        opening = f'<p class="info">{caption}</p>' if caption else ""
        opening += f'<pre><code class="language-{found[0]}">' if found else "<pre><code>"
        return f"{opening}{escape_code(token.content, self._spans) if code is None else code}</code></pre>"

    def _formula(self, token: Token) -> str:
        self._formulas += 1
        if self._formulas > FORMULAS_PER_BLOCK:
            return render_source(token.content, self._spans)
        shown = render_formula(token.content, self._spans, display=bool(token.info))
        wide = {"formula_block": "div", "formula": "span" if token.info else ""}[token.type]
        return f'<{wide} class="wide">{shown}</{wide}>' if wide else shown

    def _list(self, token: Token) -> str:
        start = int(token.attrs.get("start", 1))
        self._next_numbers.append(start)
        return f"<{token.tag}>" if start == 1 else f'<{token.tag} start="{start}">'

    def _item(self, token: Token) -> str:
        number = int(token.info) if token.info else self._next_numbers[-1]
        expected, self._next_numbers[-1] = self._next_numbers[-1], number + 1
        opening = "<li>" if number == expected else f'<li value="{number}">'
        if token.info in ("", str(number)):
            return opening
        written = f'<span class="number">{token.info}{token.markup}</span> '
        return opening.replace("<li", '<li class="numbered"') + written

    def _link(self, token: Token) -> str:
        address = str(token.attrGet("href") or "")
        self._links.append(bool(_ADDRESS.match(address)) and not any(self._links))
        if not self._links[-1]:
            return ""
        title = f' title="{escape(str(token.attrGet("title")))}"' if token.attrGet("title") else ""
        return f'<a href="{escape(address)}"{title} target="_blank" rel="noopener noreferrer">'


def _deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take what is nested too deep as a paragraph."""
    return not silent and state.level >= MAX_DEPTH and paragraph(state, start, end, silent)


def _link(state: StateInline, silent: bool) -> bool:
    """Take a link, if there can be one: looking for the end of each of 8,000 brackets takes 0.2 s."""
    return state.src[state.pos] == "[" and state.pos < last_link(state) and link(state, silent)


def _phrase(state: StateInline, silent: bool) -> bool:
    """Take a whole phrase as one token, so that what begins in it ends in it; leave out a mark that stands alone."""
    if state.src[state.pos] == marks.CLOSE:
        state.pos += 1
        return True
    opening = marks.START.match(state.src, state.pos, state.posMax)
    if not opening:
        return False
    end, outer = state.src.find(marks.CLOSE, opening.end(), state.posMax), state.posMax
    if silent or end < 0:
        state.pos = opening.end() if end < 0 else end + 1
        return True
    state.push("phrase_open", "", 1).meta["number"] = marks.number(opening[1])
    state.pos, state.posMax = opening.end(), end
    state.md.inline.tokenize(state)
    state.push("phrase_close", "", -1).meta["number"] = marks.number(opening[1])
    state.pos, state.posMax = end + 1, outer
    return True


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return bool(_ADDRESS.match(url))

    def normalizeLink(self, url: str) -> str:
        return super().normalizeLink(marks.unmark(url))

    def normalizeLinkText(self, link: str) -> str:
        """Show an address as it was written."""
        return link


def _parser() -> _Parser:
    parser = _Parser("commonmark", {"html": False, "maxNesting": 3 * MAX_DEPTH})
    parser.enable("strikethrough").disable(["image", "reference"])
    parser.block.ruler.before("code", "table_of_all_cells", table_rule, {"alt": ["paragraph"]})
    parser.block.ruler.before("table_of_all_cells", "deep", _deep)
    parser.block.ruler.before(
        "fence", "formula", formula_block_rule, {"alt": ["paragraph", "blockquote", "list"]}
    )
    parser.block.ruler.before(
        "formula", "environment", environment_block_rule, {"alt": ["paragraph", "blockquote", "list"]}
    )
    parser.inline.ruler.before("escape", "formula", formula_rule)
    parser.inline.ruler.before("formula", "environment", environment_rule)
    parser.inline.ruler.before("environment", "unfinished", unfinished_rule)
    parser.inline.ruler.before("autolink", "tag", tag_rule)
    parser.inline.ruler.at("emphasis", emphasis_rule)
    parser.inline.ruler.disable("strikethrough")
    parser.inline.ruler2.after("balance_pairs", "unfinished", close_unfinished)
    parser.inline.ruler2.before("fragments_join", "tag", pair_tags)
    parser.inline.ruler.before("formula", "phrase", _phrase)
    parser.inline.ruler.at("link", _link)
    parser.inline.add_terminator_char(marks.OPEN)
    parser.inline.add_terminator_char(marks.CLOSE)
    return parser


_PARSER = _parser()
