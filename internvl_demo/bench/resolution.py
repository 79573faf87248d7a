"""Measure accuracy against resolution, the paper's figure 6: the same exam items at 1, 6, 12, 24 and 40 tiles."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from internvl_demo.evaluate.exam.items import item
from internvl_demo.evaluate.exam.run import Result, ask_item, scores
from internvl_demo.models.base import Backend

TILES = (1, 6, 12, 24, 40)
SKILLS = ("print", "sign", "describe")


async def measure_resolution(backend: Backend, langs: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Return rows as of `exam.run.scores`, each with its `max_tiles`; `limit` items of each skill and language."""
    rows: list[dict[str, Any]] = []
    for most in TILES:
        for skill in SKILLS:
            results = []
            for lang in langs:
                for number in range(limit):
                    asked = replace(item(skill, lang, number), max_tiles=most)
                    answer = await ask_item(backend, asked)
                    results.append(Result("+".join(langs), asked, answer, asked.mark(answer)))
            rows += [{**row, "max_tiles": most} for row in scores(results)]
    return rows
