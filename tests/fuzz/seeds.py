"""Where the fuzzers begin: small files of each kind, streams of several servers, answers that were hard before."""

from collections.abc import Iterator

from tests.support.grounding_texts import CASES
from tests.support.hostile_texts import HOSTILE_ANSWERS
from tests.support.pictures import FILES
from tests.support.scripted_server import USAGE, delta, event

MARKDOWN = (
    "# Two\n\n- **one** `code`\n- $x^2$ and 3*4*5 = 60\n\n| a | b |\n|--:|---|\n| 1<br>2 | x<sup>2</sup> |\n",
    "**注意：**这张图里有两只猫。\n\n```python\nprint(1)\n```\n\n\\begin{align}a&=b\\\\c&=d\\end{align}",
    "> 1986. A [link](https://a.example) costs 3.50$; \\[ \\frac{1}{2} \\]\n\n---\nمرحبا",
)
STREAMS = (
    event(delta("I see"))
    + event(delta("", "stop"))
    + event({"choices": [], "usage": USAGE})
    + event(b"[DONE]"),
    b": ping\n\nretry: 10\n\ndata: null\r\n\r\nid: 1\rdata: {}\r\r" + event(delta("猫", "eos")),
    event({"error": {"message": "no", "code": 503}}),
    event({"choices": [{"delta": {"reasoning_content": "hm", "content": None}, "finish_reason": None}]}),
)


def seeds(target: str) -> Iterator[bytes]:
    """Yield a target's first inputs."""
    if target == "picture":
        yield from (data for data in FILES.values() if len(data) <= 8192)
    elif target == "stream":
        yield from STREAMS
    else:
        texts = [case.text for case in CASES] + HOSTILE_ANSWERS + list(MARKDOWN)
        yield from (text.encode("utf-8", "replace") for text in texts if len(text) <= 2000)
