"""Colour blocks of code: comments, strings, numbers, keywords, names. Linear in the length of any code.

In: `x = "a"  # b`, `python`; out: `x = <span class="tok-s">"a"</span>  <span class="tok-c"># b</span>`, escaped.
This is no lexer of any language: each has one regular expression that never goes back. Lexers made for honest
code do: Pygments takes more than 8 s for 8,000 line ends as C, C++ or Java. Every character comes out once.
"""

import html
import re

CODE_CHARS = 8_000
"""Longer code stays plain."""

_HASH = r"\#[^\n]*+"
_BLOCKS = r"/\*(?>(?:[^*]|\*(?!/))*)(?:\*/)?"
_SLASHES = rf"//[^\n]*+|{_BLOCKS}"
_DASHES = r"--[^\n]*+"
_ANGLES = r"<!--(?>(?:[^-]|-(?!->))*)(?:-->)?"
_DOUBLE = r'"(?>(?:[^"\\\n]|\\.)*)"?'
_SINGLE = r"'(?>(?:[^'\\\n]|\\.)*)'?"
_CHARACTER = r"'(?:[^'\\\n]|\\[^\n]{1,9}?)'"
_BACKTICKS = r"`(?>(?:[^`\\]|\\.)*)`?"
_TRIPLE = r'"""(?>(?:[^"\\]|\\.|"(?!""))*)(?:""")?' + r"|'''(?>(?:[^'\\]|\\.|'(?!''))*)(?:''')?"
_KEY = r'"(?>(?:[^"\\\n]|\\.)*)"(?=[ ]{0,8}:)|(?<![^\n])[ ]{0,80}(?:-[ ])?[\w-]++(?=:(?:[ \n]|\Z))'

_PYTHON = """and as assert async await break case class continue def del elif else except False finally for from
global if import in is lambda match None nonlocal not or pass raise return True try while with yield"""
_SHELL = (
    "if then else elif fi for in do done while until case esac function return local export exit set unset"
)
_SCRIPT = """async await break case catch class const continue default delete do else export extends false finally for
from function if import in instanceof interface let new null of return static super switch this throw true try
type typeof undefined var void while yield enum implements readonly"""
_C = """auto bool break case catch char class const constexpr continue default delete do double else enum extern false
float for if inline int long namespace new nullptr operator private protected public return short signed sizeof
static struct switch template this throw true try typedef typename union unsigned using virtual void while NULL"""
_JAVA = """abstract boolean break byte case catch char class continue default do double else enum extends false final
finally float for if implements import instanceof int interface long new null package private protected public
return short static super switch this throw throws true try var void while using namespace string"""
_GO = """break case chan const continue default defer else fallthrough false for func go goto if import interface map
nil package range return select struct switch true type var"""
_RUST = """as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod
move mut pub ref return self Self static struct super trait true type unsafe use where while"""
_SQL = """select from where and or not in is null join left right inner outer on group by order having limit offset as
insert into values update set delete create table drop alter primary key distinct union all case when then else end"""


def _language(comments: str, strings: str, keywords: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return what finds the parts of a language; the group that matched is the part's class."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG)
    kinds = [("c", comments), ("s", strings), ("k", rf"\b(?:{'|'.join(keywords.split())})\b")]
    kinds += [("m", r"\b\d[\w.]*+"), ("f", r"@[\w.]++|\b[^\W\d]\w*+(?=\()"), ("_", r"\w++")]
    return re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in kinds if pattern), flags)


_MARKUP = re.compile(
    rf"(?P<c>{_ANGLES})|(?P<k></?[a-zA-Z][\w:-]*+|/?>)|(?P<s>(?<==)\"[^\"<>]*+\"?|(?<==)'[^'<>]*+'?)"
    rf"|(?P<f>\b[a-zA-Z][\w:-]*+(?==))|(?P<m>&\#?\w++;)|(?P<_>[\w:-]++)"
)
_DATA = re.compile(
    rf"(?P<c>{_HASH})|(?P<f>{_KEY})|(?P<s>{_DOUBLE}|{_SINGLE})|(?P<k>\b(?:true|false|null|yes|no)\b)"
    r"|(?P<m>\b\d[\w.]*+)|(?P<_>\w++)",
    re.DOTALL,
)
_STYLES = re.compile(
    rf"(?P<c>{_BLOCKS})|(?P<s>{_DOUBLE}|{_SINGLE})|(?P<k>@[\w-]++)|(?P<f>[\w-]++(?=[ ]{{0,8}}:))"
    rf"|(?P<m>\#[0-9a-fA-F]{{3,8}}\b|\b\d[\w.%]*+)|(?P<_>[\w-]++)",
    re.DOTALL,
)
_SCRIPTS = _language(_SLASHES, f"{_DOUBLE}|{_SINGLE}|{_BACKTICKS}", _SCRIPT)
_SHELLS = _language(r"(?<![^\s;])" + _HASH, f"{_DOUBLE}|{_SINGLE}", _SHELL)
_CURLY = _language(_SLASHES, f"{_DOUBLE}|{_SINGLE}", _C)
_LANGUAGES = {
    "python": _language(_HASH, f"{_TRIPLE}|{_DOUBLE}|{_SINGLE}", _PYTHON),
    **dict.fromkeys(("bash", "shell", "sh", "zsh"), _SHELLS),
    **dict.fromkeys(("javascript", "js", "jsx", "typescript", "ts", "tsx"), _SCRIPTS),
    **dict.fromkeys(("c", "cpp", "c++"), _CURLY),
    **dict.fromkeys(("java", "csharp", "cs", "c#"), _language(_SLASHES, f"{_DOUBLE}|{_SINGLE}", _JAVA)),
    "go": _language(_SLASHES, f"{_DOUBLE}|{_CHARACTER}|{_BACKTICKS}", _GO),
    "rust": _language(_SLASHES, f"{_DOUBLE}|{_CHARACTER}", _RUST),
    "sql": _language(f"{_DASHES}|{_SLASHES}", f"{_DOUBLE}|{_SINGLE}", _SQL, ignore_case=True),
    **dict.fromkeys(("json", "yaml", "yml"), _DATA),
    **dict.fromkeys(("html", "xml", "svg"), _MARKUP),
    "css": _STYLES,
}
_LANGUAGES["py"] = _LANGUAGES["python"]


def colour(code: str, language: str) -> str | None:
    """Return the code as HTML with its parts in `<span class="tok-...">`; None if it stays plain."""
    parts = _LANGUAGES.get(language)
    if not parts or len(code) > CODE_CHARS:
        return None
    pieces, at = [], 0
    for found in parts.finditer(code):
        if found.lastgroup != "_":
            pieces.append(html.escape(code[at : found.start()]))
            pieces.append(f'<span class="tok-{found.lastgroup}">{html.escape(found[0])}</span>')
            at = found.end()
    return "".join(pieces) + html.escape(code[at:])
