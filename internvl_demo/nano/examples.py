"""Draw the page's example pictures, each with a question: `python -m internvl_demo.nano.examples`.

Writes assets/examples/*.webp and examples.json: `[{"en": "...", "zh": "...", "files": ["farm.webp"]}, ...]`.
"""

import json
from pathlib import Path

from internvl_demo.nano.world.pictures import EXAM_SEEDS
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.nano.world.vocabulary import kinds
from internvl_demo.settings import asset

FOLDER = asset("examples")

SCENES: dict[str, tuple[int, tuple[int, int], str]] = {
    "animals": (11, (448, 448), "cat dog dog penguin"),
    "stars": (25, (448, 448), "star star star star balloon"),
    "table": (23, (448, 448), "cake pizza banana"),
    "street": (11, (448, 448), "car house tree"),
    "garden": (60, (448, 448), "sunflower butterfly butterfly bee"),
    "pond": (27, (448, 448), "turtle frog duck fish"),
    "sky": (37, (1792, 896), "balloon balloon balloon airplane rocket bee"),
}
"""Seed, size and what there is, by name."""
QUESTIONS = (
    ("Where is the cat?", "猫在哪里？", ("animals",)),
    ("How many stars are there?", "有几颗星星？", ("stars",)),
    (
        "Please identify and label all objects in the following image.",
        "请在以下图像中进行目标检测，并标出所有物体。",
        ("table",),
    ),
    ("Where is the turtle?", "乌龟在哪里？", ("garden", "pond")),
    ("What is in the picture?", "图片里有什么？", ("street",)),
    ("Find all balloons.", "找出所有气球。", ("sky",)),
)


def draw_examples(folder: Path = FOLDER) -> None:
    """Draw all examples into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {kind.en: kind for kind in kinds()}
    for name, (seed, size_wh, members) in SCENES.items():
        wanted = {by_name[one]: members.split().count(one) for one in dict.fromkeys(members.split())}
        scene = draw_scene(EXAM_SEEDS + seed, size_wh=size_wh, wanted=wanted)
        scene.image.save(folder / f"{name}.webp", quality=88, method=6)
    rows = [
        {"en": english, "zh": chinese, "files": [f"{name}.webp" for name in names]}
        for english, chinese, names in QUESTIONS
    ]
    text = json.dumps(rows, indent=2, ensure_ascii=False)
    (folder / "examples.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    draw_examples()
