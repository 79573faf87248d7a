"""Draw figures for the README and the model card, from measured rows and training logs. Needs matplotlib."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from internvl_demo.errors import SetupError

_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"),
    *("#56b4e9", "#000000", "#999999", "#882255", "#b8a800", "#7a5c3e"),
)


def draw_resolution(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw the score against the most tiles, a line a skill with its 95% interval, as PNG or SVG by the file's name."""
    figure, axes = _axes(1, 1, (6.4, 3.6))
    for skill, colour in zip(dict.fromkeys(row["skill"] for row in rows), _COLOURS, strict=False):
        own = [row for row in rows if row["skill"] == skill]
        places = range(len(own))
        axes[0].plot(
            places, [row["score"] for row in own], "o-", color=colour, label=_NAMES.get(skill, skill)
        )
        low, high = ([row["interval95"][end] for row in own] for end in (0, 1))
        axes[0].fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    tiles = list(dict.fromkeys(row["max_tiles"] for row in rows))
    axes[0].set(
        xticks=range(len(tiles)), xticklabels=tiles, ylim=(0, 1.02), xlabel="tiles at most", ylabel="score"
    )
    axes[0].legend(frameon=False)
    figure.savefig(file, dpi=160)


def draw_curves(log: Path, file: Path) -> None:
    """Draw the losses of every stage in a run's log.jsonl, a panel a stage."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    stages = list(dict.fromkeys(line["stage"] for line in lines))
    if not stages:
        raise SetupError(f"{log} holds no line yet.", "Train a stage first.")
    figure, axes = _axes((len(stages) + 2) // 3, min(3, len(stages)), (10.5, 2.8 * ((len(stages) + 2) // 3)))
    for axis, stage in zip(axes, stages, strict=False):
        own = {line["step"]: line for line in lines if line["stage"] == stage}
        names = [name for name in next(iter(own.values())) if name not in ("stage", "step", "seconds")]
        for name, colour in zip(names, _COLOURS, strict=False):
            axis.plot(
                list(own), [line.get(name) for line in own.values()], color=colour, label=name, linewidth=1.3
            )
        axis.set(title=stage, yscale="log", xlabel="step")
        axis.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    for axis in axes[len(stages) :]:
        axis.set_visible(False)
    figure.savefig(file, dpi=130)


_NAMES = {"print": "fine print", "sign": "signs", "describe": "describe (F1)"}


def _axes(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SetupError("Figures need matplotlib.", "pip install matplotlib") from error
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return figure, list(axes.flat)
