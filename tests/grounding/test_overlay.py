"""The drawn overlay: originals untouched, colours stable, no label outside its picture or unbounded."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, features

from internvl_demo import cli
from internvl_demo.answering.stream import Answer, AnswerBuilder
from internvl_demo.conversation.turns import Conversation
from internvl_demo.grounding import fonts
from internvl_demo.grounding.attribution import PinnedBox
from internvl_demo.grounding.overlay import (
    LABEL_CHARS,
    MAX_WIDTH_PX,
    PALETTE,
    colour_of,
    draw_overlay,
    drawable,
)
from internvl_demo.grounding.parser import Box

GREY = "#808080"


def pinned(
    label: str = "cat", image: int = 1, box_1000: tuple[int, int, int, int] = (250, 250, 750, 750)
) -> PinnedBox:
    return PinnedBox(Box(label, box_1000), image, True)


def grey(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GREY)


def changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(before, after).getbbox()


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("very long", "a" * 100_000),
        ("very wide", "W" * 39),
        ("lines", "a\nb\r\nc\u2028d"),
        ("control characters", "\0\x07\x1b[31mred\x7f"),
        ("right-to-left override", "\u202ecat"),
        ("zero width", "\u200b\u200d\ufeff"),
        ("a lone surrogate", "\ud800 cat"),
        ("piled accents", "a" + "\u0301" * 5000),
        ("Chinese", "一只猫"),
        ("Arabic", "قطة"),
        ("emoji", "\U0001f431"),
        ("unknown to Unicode", "\U000e0fff"),
        ("a ligature of eighteen letters", "\ufdfa" * 40),
        ("nothing", ""),
        ("spaces", "   "),
    ],
)
def test_a_hostile_label_is_drawn_as_one_short_line(reason: str, label: str) -> None:
    line = drawable(label, 3)
    assert len(line) <= LABEL_CHARS, reason
    assert line.isprintable()
    before = grey(200, 100)
    after = draw_overlay([before], [pinned(label, box_1000=(900, 900, 1000, 1000))])
    assert after.size == before.size
    assert changed(before, after)


def forget_fonts() -> None:
    for known in (fonts._installed, fonts.substitute, fonts.font):
        known.cache_clear()


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What is known of fonts is learnt anew in this test and after it."""
    forget_fonts()
    yield
    forget_fonts()


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system has none of the fonts that are looked for."""
    monkeypatch.setattr(fonts, "SYSTEM", ("no-such-font.ttc",))
    forget_fonts()
    yield
    forget_fonts()


OTHER_WRITING = [
    "一只红色的猫",
    "隻貓 cat",
    "ネコ",
    "고양이",
    "Кошка",
    "Γάτα",
    "قطة",
    "חתול",
    "\U0001f431",
    "\U0001f431 cat",
]


@pytest.mark.parametrize("label", OTHER_WRITING)
def test_other_writing_is_drawn_if_a_font_has_it(label: str) -> None:
    name = fonts.font_for(label)
    if all(fonts.substitute(name, char) == char for char in label):
        assert drawable(label, 3) == label
        drawn, numbered = (draw_overlay([grey(400, 400)], [pinned(text)]) for text in (label, "#3"))
        assert changed(drawn, numbered)
    else:
        assert drawable(label, 3) in ("#3", "? cat", "?? cat")


def test_chinese_is_drawn_where_a_chinese_font_is_installed() -> None:
    if not any("CJK" in name or "wqy" in name for name in fonts._installed()):
        pytest.skip("no Chinese font is installed")
    assert drawable("图书馆里的猫", 1) == "图书馆里的猫"


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.parametrize("label", OTHER_WRITING)
def test_without_a_font_other_writing_becomes_a_number(label: str) -> None:
    assert drawable(label, 3) in ("#3", "? cat", "?? cat")
    assert changed(grey(200, 100), draw_overlay([grey(200, 100)], [pinned(label)]))


@pytest.mark.usefixtures("forgotten")
def test_letters_that_would_not_be_joined_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    assert drawable("قطة", 3) == drawable("חתול", 3) == "#3"


@pytest.mark.usefixtures("no_fonts")
def test_ask_tells_which_number_is_which_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answered(conversation: Conversation, *_: object) -> tuple[Conversation, Answer, None, str]:
        builder = AnswerBuilder(conversation)
        builder.add(
            "<ref>cat</ref><box>[[100,200,300,400]]</box> <ref>一只猫</ref><box>[[500,600,700,800]]</box>"
        )
        builder.finish()
        return conversation, builder.answer(), None, "image"

    monkeypatch.setattr(cli, "_ask", answered)
    picture = tmp_path / "a.png"
    grey(100, 100).save(picture)
    cli.ask("Where?", [picture], overlay=tmp_path / "o.png")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["  cat: Image-1 [10, 20, 30, 40] px", "  #2 一只猫: Image-1 [50, 60, 70, 80] px"]
    cli.ask("Where?", [picture])
    assert "#" not in capsys.readouterr().out


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.parametrize(
    ("label", "line"),
    [
        ("cat", "cat"),
        (" red\n cat ", "red cat"),
        ("café", "cafe"),
        ("猫 cat", "? cat"),
        ("一只猫", "#3"),
        ("", ""),
        ("\0", ""),
        ("x" * 41, "x" * 39 + "…"),
        ("x" * 40, "x" * 40),
    ],
)
def test_a_label_is_drawn_as_far_as_the_font_knows_it(label: str, line: str) -> None:
    assert drawable(label, 3) == line


@pytest.mark.parametrize("size_wh", [(1, 1), (2, 2), (3, 4000), (4000, 3), (30, 30), (15, 200)])
def test_a_picture_of_any_size_can_be_drawn_on(size_wh: tuple[int, int]) -> None:
    after = draw_overlay([grey(*size_wh)], [pinned("cat", box_1000=(0, 0, 1, 1)), pinned("x" * 90)])
    assert after.size == size_wh


def test_no_image_is_an_error() -> None:
    with pytest.raises(ValueError, match="no image"):
        draw_overlay([], [])


def test_a_box_on_an_image_that_is_not_there_is_left_out() -> None:
    before = grey(100, 100)
    assert (
        changed(before, draw_overlay([before], [pinned(image=0), pinned(image=2), pinned(image=-1)])) is None
    )


def test_the_originals_are_never_drawn_on() -> None:
    images = [grey(300, 200), grey(100, 400)]
    draw_overlay(images[:1], [pinned()])
    draw_overlay(images, [pinned(), pinned(image=2)])
    assert all(image.getcolors() == [(image.width * image.height, (128, 128, 128))] for image in images)


def test_the_box_has_its_label_s_colour_where_it_should() -> None:
    after = draw_overlay([grey(400, 400)], [pinned("cat")])
    colour = tuple(bytes.fromhex(colour_of("cat")[1:]))
    assert after.getpixel((100, 200)) == after.getpixel((299, 200)) == colour
    assert after.getpixel((200, 299)) == colour
    assert after.getpixel((200, 200)) == (128, 128, 128)


@pytest.mark.parametrize(
    "box_1000", [(0, 0, 1000, 1000), (0, 0, 10, 10), (990, 990, 1000, 1000), (0, 980, 9, 1000)]
)
def test_the_label_stands_whole_inside_the_picture(box_1000: tuple[int, int, int, int]) -> None:
    here, middle = (
        draw_overlay([grey(400, 300)], [pinned("cat", box_1000=place)])
        for place in (box_1000, (400, 400, 800, 800))
    )
    assert ink(here) >= ink(middle) > 0


def ink(picture: Image.Image) -> int:
    """How many pixels are as dark as letters and number plates; no colour of the palette is."""
    return sum(picture.convert("L").histogram()[:80])


def test_a_label_too_wide_for_the_picture_is_cut_with_room_at_the_end() -> None:
    after = draw_overlay([grey(200, 100)], [pinned("M" * 39)])
    assert ink(after) > 0
    assert ink(after.crop((198, 0, 200, 100))) == 0


def test_a_picture_too_low_for_letters_gets_its_box_only() -> None:
    assert ink(draw_overlay([grey(100, 12)], [pinned("cat")])) == 0


def test_lines_and_letters_grow_with_the_picture() -> None:
    small, large = (draw_overlay([grey(side, side)], [pinned()]) for side in (400, 1600))
    assert ink(large) > 4 * ink(small)


def test_a_colour_is_the_same_in_every_run_and_spelling() -> None:
    code = "from internvl_demo.grounding.overlay import colour_of; print(colour_of('cat'), colour_of('猫'))"
    other_run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other_run.stdout.split() == [colour_of("cat"), colour_of("猫")]
    assert all(
        colour_of(f" {name.upper()}\n") == colour_of(name) for name in ("cat", "dog", "bus", "red car")
    )
    assert colour_of("\ud800") in PALETTE


def test_labels_spread_over_the_whole_palette() -> None:
    assert {colour_of(f"label {number}") for number in range(100)} == set(PALETTE)


def test_several_images_stand_side_by_side_with_each_box_on_its_own() -> None:
    before = draw_overlay([grey(100, 80), grey(200, 50), grey(60, 90)], [])
    after = draw_overlay([grey(100, 80), grey(200, 50), grey(60, 90)], [pinned(image=2)])
    assert before.width == 100 + 8 + 200 + 8 + 60
    assert before.height == 90
    left, _, right, _ = changed(before, after) or (0, 0, 0, 0)
    assert 108 <= left < right <= 308


def test_several_images_are_numbered_and_one_is_not() -> None:
    assert ink(draw_overlay([grey(100, 80)], [])) == 0
    assert ink(draw_overlay([grey(100, 80)] * 2, [])) > 0


def test_many_large_images_make_a_picture_of_bounded_size() -> None:
    after = draw_overlay([grey(1500, 300)] * 40, [pinned(image=40)])
    assert after.width <= MAX_WIDTH_PX
    assert after.height <= 300


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_a_picture_of_another_mode_is_drawn_in_rgb(mode: str) -> None:
    assert draw_overlay([Image.new(mode, (50, 50))], [pinned()]).mode == "RGB"
