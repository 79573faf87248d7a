"""What names an image, in people's and models' words, and what only looks like it."""

import re

import pytest

from internvl_demo.grounding.naming import images_named, mentions
from internvl_demo.grounding.naming.english import _CARDINAL, _ORDINAL
from internvl_demo.grounding.naming.sent import Sent

NOTHING = [
    "image 24",
    "image 2.5",
    "image 2x larger",
    "subimage 2",
    "Figure 2",
    "twenty-first image",
    "第二张桌子",
    "第二只猫",
    "图书",
    "image 2000 px",
    "image 50 px",
    "image 2 px",
    "2nd floor",
    "the second cat",
    "last week",
    "image2.png",
    "IMG_2.jpg",
    "the picture one can see",
    "in the second.",
    "图一共有三只猫",
    "两张桌子",
    "the second picture frame",
    "the second photographer",
    "the second images",
    "地图2",
    "图十分清晰",
    "第二张图书馆",
    "第十张",
    "第三个人",
    "the first second of the video",
    "images",
    "图",
    "图片",
    "2 images",
    "第二张猫",
    "第二幅画",
    "the fourth",
    "image 0002",
    "image " + "9" * 5000,
]

ONE = [
    ("Image-2", 2),
    ("image 2", 2),
    ("IMAGE2.", 2),
    ("**Image-2**:", 2),
    ("image #2", 2),
    ("图2", 2),
    ("图片 2中", 2),
    ("图像-2", 2),
    ("image 2. 3 cats", 2),
    ("image -2", 2),
    ("image 2, 3 cats", 2),
    ("the second image", 2),
    ("2nd picture", 2),
    ("the last photo", 4),
    ("the first one of the images", 1),
    ("the second of the two pictures", 2),
    ("第二张图", 2),
    ("第2张", 2),
    ("图二", 2),
    ("图片2", 2),
    ("第二幅", 2),
    ("最后一张", 4),
    ("第一张照片", 1),
    ("第２张", 2),
    ("图①", 1),
    ("the second to last image", 3),
    ("second-to-last picture", 3),
    ("the penultimate photo", 3),
    ("last but one image", 3),
    ("倒数第二张图", 3),
    ("倒数第1张", 4),
    ("picture two.", 2),
    ("the **second** image", 2),
    ("图一只有一只猫", 1),
    ("图2只有一只猫", 2),
    ("第二張圖", 2),
    ("圖二", 2),
    ("2号图", 2),
    ("picture #2", 2),
    ("photo number 2", 2),
    ("image no. 2", 2),
    ("the image no 2", 2),
    ("photo (2)", 2),
    ("the third uploaded image", 3),
    ("image 1 of 2", 1),
    ("the second image's cat", 2),
    ("Image-2's cat", 2),
    ("第四张", 4),
    ("第三个图", 3),
    ("the most recent photo", 4),
    ("in image 1 and 2 cats", 1),
    ("screenshot 3", 3),
    ("the third pic", 3),
    ("Picture-3", 3),
    ("Picture 3:", 3),
    ("第 2 张", 2),
    ("第二张图片", 2),
    ("第二张里的猫", 2),
    ("last image", 4),
    ("final image", 4),
    ("图第二张", 2),
]

SEVERAL = [
    ("Image-1 and Image-3", [1, 3]),
    ("images 1, 2 and 3", [1, 2, 3]),
    ("images 1-3", [1, 2, 3]),
    ("both images", [1, 2, 3, 4]),
    ("the first and second images", [1, 2]),
    ("the first and the last picture", [1, 4]),
    ("first two photos", [1, 2]),
    ("last two photos", [3, 4]),
    ("In the first image a cat, in the second, a dog", [1, 2]),
    ("第一张和第二张", [1, 2]),
    ("第一、二张图", [1, 2]),
    ("图1和2", [1, 2]),
    ("图1-3", [1, 2, 3]),
    ("前两张图", [1, 2]),
    ("后两张", [3, 4]),
    ("最后两张图", [3, 4]),
    ("两张图", [1, 2, 3, 4]),
    ("这两张图", [1, 2, 3, 4]),
    ("the other picture", [1, 2, 3, 4]),
    ("image 1, image 2 and image 3", [1, 2, 3]),
    ("images #1 and #3", [1, 3]),
    ("Images 2 & 4", [2, 4]),
    ("in image 1 and 2.", [1, 2]),
    ("pictures two and three.", [2, 3]),
    ("every image", [1, 2, 3, 4]),
    ("one of the images", [1, 2, 3, 4]),
    ("image two and image three:", [2, 3]),
]


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_a_name_names_nothing(text: str) -> None:
    assert images_named(text, 4) == []


@pytest.mark.parametrize(("text", "number"), ONE)
def test_what_names_one_image(text: str, number: int) -> None:
    assert images_named(text, 4) == [number]
    assert images_named(f"Well, {text}", 4) == [number]


@pytest.mark.parametrize(("text", "numbers"), SEVERAL)
def test_what_names_several_images_is_one_mention(text: str, numbers: list[int]) -> None:
    assert images_named(text, 4) == numbers


@pytest.mark.parametrize("number", range(1, 41))
def test_words_and_numerals_up_to_forty(number: int) -> None:
    tens, ones = divmod(number, 10)
    numeral = ("", "十", "二十", "三十", "四十")[tens] + (" 一二三四五六七八九"[ones] if ones else "")
    ordinals = [word for word, value in _ORDINAL.items() if value == number]
    cardinals = [word for word, value in _CARDINAL.items() if value == number]
    suffix = "th" if tens == 1 else {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    texts = [f"the {word} image" for word in (*ordinals, f"{number}{suffix}")]
    texts += [f"picture {word}." for word in (*cardinals, str(number), f"#{number}")]
    texts += [
        f"第{numeral}张",
        f"第{number}张图",
        f"图{numeral}里",
        f"图{number}里",
        f"第{numeral}幅图",
        f"{number}号图",
    ]
    texts += [re.sub("[0-9]", lambda digit: chr(ord(digit.group()) + 0xFEE0), f"第{number}张")]
    assert ordinals
    assert cardinals
    for text in (*texts, *(text.upper() for text in texts), *(text.replace("-", " ") for text in texts)):
        assert images_named(text, 40) == [number], text


@pytest.mark.parametrize(
    ("text", "sent", "numbers"),
    [
        ("the second image", Sent(4, own=2), [4]),
        ("the third image", Sent(4, own=2), [3]),
        ("the first image", Sent(3, own=1), [1]),
        ("the second image", Sent(4, own=0, before=2), [2, 4]),
        ("the third image", Sent(4, own=0, before=2), [3]),
        ("Image-2", Sent(4, own=2), [2]),
        ("the last image", Sent(4, own=2), [4]),
        ("the second to last image", Sent(4, own=2), [3]),
        ("both images", Sent(4, own=2), [3, 4]),
        ("the previous image", Sent(3, own=1), [2]),
        ("the former image", Sent(4, own=2), [3]),
        ("the latter image", Sent(2), [2]),
        ("the latter image", Sent(3), []),
        ("前一张", Sent(2), [1]),
        ("后一张图", Sent(2), [2]),
        ("后一张", Sent(4, own=2), [4]),
        ("上一张图", Sent(3, own=1), [2]),
        ("上一张", Sent(3), []),
        ("前两张图", Sent(4, own=2), [3, 4]),
        ("第三到第九张", Sent(4), [3, 4]),
    ],
)
def test_how_pictures_are_counted(text: str, sent: Sent, numbers: list[int]) -> None:
    assert [image for mention in mentions(text, sent) for image in mention.images] == numbers


def test_a_short_name_needs_another_before() -> None:
    text = "a dog in the second."
    assert mentions(text, Sent(3)) == []
    assert [one.images for one in mentions(text, Sent(3), named_before=True)] == [(2,)]
    assert len(mentions(f"a cat in the first image, {text}", Sent(3))) == 2


def test_names_that_are_joined_are_one_mention() -> None:
    for text in (
        "Image-1 and Image-3",
        "the first image, and the third image",
        "图一和图三",
        "Image-1, Image-3",
    ):
        assert [one.images for one in mentions(text, Sent(3))] == [(1, 3)]
    assert len(mentions("Image-1, then Image-3", Sent(3))) == 2
