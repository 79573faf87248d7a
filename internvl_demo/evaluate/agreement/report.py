"""Say how far two engines are apart: figures for programs, a table for people, and a sentence that sums it up.

The engines agree: 57 of 58 boxes lie in one place (IoU of at least 0.5), and their corners are 2.0 thousandths of
the picture apart in the median.
"""

import statistics
from collections.abc import Sequence
from typing import Any

from internvl_demo.evaluate.agreement.pairs import Pairs, together
from internvl_demo.evaluate.agreement.run import Result

AGREE_SHARE = 0.9
AGREE_CORNERS_1000 = 10.0
"""Engines agree when so many of their boxes lie in one place, with corners so near in the median."""

_QUESTION_CHARS = 40


def figures(names: Sequence[str], results: Sequence[Result]) -> dict[str, Any]:
    """Return what was measured as plain data: the whole, each engine by itself, each question."""
    pairs = together(result.pairs for result in results)
    return {
        "agree": agree(pairs),
        "summary": summary(names, results),
        "boxes": measures(pairs),
        "engines": [_engine(place, name, results) for place, name in enumerate(names)],
        "questions": [_question(names, result) for result in results],
    }


def agree(pairs: Pairs) -> bool:
    """Return whether two engines see the same."""
    near = bool(pairs.corners_1000) and statistics.median(pairs.corners_1000) <= AGREE_CORNERS_1000
    return near and pairs.matching >= AGREE_SHARE * pairs.boxes


def measures(pairs: Pairs) -> dict[str, Any]:
    """Return how far boxes are apart; `missing` are the first's alone, `extra` the second's."""
    found = pairs.ious
    return {
        "pairs": len(found),
        "ious": [round(value, 3) for value in found],
        "mean_iou": round(statistics.mean(found), 3) if found else None,
        "matching": pairs.matching,
        "share_matching": round(pairs.matching / pairs.boxes, 3) if pairs.boxes else None,
        "missing": pairs.missing,
        "extra": pairs.extra,
        "median_corner_1000": round(statistics.median(pairs.corners_1000), 1) if found else None,
    }


def summary(names: Sequence[str], results: Sequence[Result]) -> str:
    """Return in a sentence whether the engines agree, and in further ones what of them could not be compared."""
    pairs = together(result.pairs for result in results)
    verdict = "The engines agree" if agree(pairs) else "The engines do not agree"
    near = ", and no two overlap"
    if pairs.corners_1000:
        median = statistics.median(pairs.corners_1000)
        near = f", and their corners are {median:.1f} thousandths of the picture apart in the median"
    first, second = names
    said = [
        f"{verdict}: {pairs.matching} of {pairs.boxes} boxes lie in one place (IoU of at least 0.5){near}."
    ]
    if pairs.missing or pairs.extra:
        said.append(f"{pairs.missing} boxes are {first}'s alone, {pairs.extra} are {second}'s.")
    for place, name in enumerate(names):
        if unread := sum(not result.seen[place].readable for result in results):
            said.append(f"{unread} of {len(results)} answers of {name} could not be read as a whole.")
    return " ".join(said)


def table(names: Sequence[str], results: Sequence[Result]) -> str:
    """Return the same for people: a line for each question, one for each engine, the summary."""
    lines = [
        f"{'picture':<20} {'question':<{_QUESTION_CHARS}} {'pairs':>5} {'IoU':>6} {'missing':>7} {'extra':>5}"
    ]
    for result in results:
        told, question = measures(result.pairs), result.question
        iou = "-" if told["mean_iou"] is None else f"{told['mean_iou']:.3f}"
        unread = "".join(
            f"  {name} could not be read"
            for name, seen in zip(names, result.seen, strict=True)
            if not seen.readable
        )
        lines.append(
            f"{question.picture[-20:]:<20} {question.text[-_QUESTION_CHARS:]:<{_QUESTION_CHARS}} "
            f"{told['pairs']:>5} {iou:>6} {told['missing']:>7} {told['extra']:>5}{unread}"
        )
    lines.append("")
    for place, name in enumerate(names):
        engine = _engine(place, name, results)
        if truth := engine["truth"]:
            lines.append(
                f"{name} against the truth: {truth['matching']} of {engine['true_boxes']} found, mean IoU "
                f"{truth['mean_iou'] or 0:.3f}, {truth['missing']} missing, {truth['extra']} too many"
            )
    return "\n".join([*lines, summary(names, results)])


def _engine(place: int, name: str, results: Sequence[Result]) -> dict[str, Any]:
    truths = [result.truth[place] for result in results if result.truth]
    return {
        "name": name,
        "boxes": sum(len(result.seen[place].boxes_1000) for result in results),
        "unreadable_answers": sum(not result.seen[place].readable for result in results),
        "true_boxes": sum(len(result.question.truth_1000 or ()) for result in results),
        "truth": measures(together(truths)) if truths else None,
    }


def _question(names: Sequence[str], result: Result) -> dict[str, Any]:
    return {
        "picture": result.question.picture,
        "question": result.question.text,
        **measures(result.pairs),
        "answers": [
            {
                "engine": name,
                "boxes_1000": [list(box) for box in seen.boxes_1000],
                "unreadable_boxes": seen.unreadable_boxes,
                "error": seen.failure.as_dict() if seen.failure else None,
                "text": seen.text,
            }
            for name, seen in zip(names, result.seen, strict=True)
        ],
    }
