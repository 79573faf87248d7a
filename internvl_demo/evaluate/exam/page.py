"""Show every item of an exam on one web page: picture with the answer's boxes, question, answer, truth."""

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image

from internvl_demo.evaluate.exam.run import Result, scores, table
from internvl_demo.grounding.overlay import draw_overlay

_PX = 420
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; padding: 0 1rem;
       color-scheme: light dark; }
pre { overflow-x: auto; }
section { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1rem; }
article { border: 1px solid #8886; border-left: 5px solid #d55e00; border-radius: 8px; padding: .8rem; }
article.right { border-left-color: #009e73; }
img { max-width: 100%; border-radius: 4px; }
dt { font-size: .8rem; opacity: .7; } dd { margin: 0 0 .4rem; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def exam_page(results: Sequence[Result]) -> str:
    """Return the page as HTML, complete in one file."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.lang, result.item.skill), []).append(result)
    parts = [
        f"<h2>{html.escape(skill)}, {html.escape(lang)}</h2><section>{''.join(map(_article, group))}</section>"
        for (lang, skill), group in groups.items()
    ]
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Exam</title><style>{_STYLE}</style>"
        f"<h1>Exam</h1><pre>{html.escape(table(scores(results)))}</pre>{''.join(parts)}</html>"
    )


def _article(result: Result) -> str:
    asked = result.item
    picture = draw_overlay([picture.image for picture in asked.pictures], result.answer.pinned)
    questions = " / ".join(asked.questions)
    rows = (("question", questions), ("answer", result.answer.text), ("truth", asked.truth))
    words = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in rows)
    shade = "right" if result.mark.full else "wrong"
    return f"<article class='{shade}'><img alt='' src='{_data_url(picture)}'><dl>{words}</dl></article>"


def _data_url(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((_PX, _PX))
    data = io.BytesIO()
    small.save(data, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
