"""The pictures that wait in the composer: what can be done with them, and what the tray is told."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from internvl_demo.conversation.turns import Attachment
from internvl_demo.errors import PhotoError
from internvl_demo.models.base import ModelInfo
from internvl_demo.photos.decode import Photo, photo_of
from internvl_demo.web.draft import Chip, Draft, acted, added, attachments
from internvl_demo.web.strings import TABLE, Words
from internvl_demo.web.tray import empty, tray
from tests.support.pictures import picture

INFO = ModelInfo("x", tokens_per_tile=64, context_length=8192)
A, B, C = (photo_of(picture(block_px=size), f"{size}.png") for size in (400, 200, 30))
DRAFT = (Chip(A), Chip(B, 40), Chip(C))


def names(draft: Draft) -> list[str]:
    return [chip.photo.name for chip in draft]


def shown(draft: Draft, most: int = 12, **more: Any) -> dict[str, Any]:
    return tray(draft, most, INFO, lambda photo: f"file={photo.id}", more.pop("words", Words()), **more)


def deed(do: str, photo: Photo, at: int, **more: Any) -> dict[str, Any]:
    return {"do": do, "id": photo.id, "at": at, **more}


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"do": "remove"}, {"do": "remove", "at": 0}, {"do": "remove", "id": "other", "at": 0},
        {"do": "remove", "id": ["x"], "at": {}}, {"do": None, "id": A.id, "at": 0}, deed("fly", A, 0),
        deed("move", A, 0), deed("move", A, 0, to=3), deed("move", A, 0, to=-1), deed("move", A, 0, to="1"),
        deed("move", A, 0, to=True), deed("move", A, 0, to=1.0), deed("move", A, 0, to=None),
        deed("mode", A, 0, max_tiles=0), deed("mode", A, 0, max_tiles=41), deed("mode", A, 0, max_tiles="12"),
        deed("mode", A, 0, max_tiles=True), deed("mode", A, 0, max_tiles=float("nan")),
    ],
)  # fmt: skip
def test_what_does_not_fit_changes_nothing(wrong: dict[str, Any]) -> None:
    assert acted(DRAFT, wrong) == DRAFT
    assert acted((), wrong) == ()


def test_a_chip_is_removed_though_others_have_gone_meanwhile() -> None:
    assert names(acted(DRAFT[1:], deed("remove", C, 2))) == ["200.png"]


def test_of_two_alike_only_the_one_that_was_seen_is_meant() -> None:
    twice = (Chip(A), Chip(B), Chip(A, 1))
    assert acted(twice, deed("remove", A, 2)) == (Chip(A), Chip(B))
    assert acted(twice, deed("remove", A, 1)) == twice


@pytest.mark.parametrize(
    ("at", "to", "order"),
    [(0, 2, [B, C, A]), (2, 0, [C, A, B]), (0, 1, [B, A, C]), (1, 1, [A, B, C]), (1, 0, [B, A, C])],
)
def test_a_chip_moves_to_its_place_and_keeps_its_mode(at: int, to: int, order: list[Photo]) -> None:
    moved = acted(DRAFT, deed("move", DRAFT[at].photo, at, to=to))
    assert [chip.photo for chip in moved] == order
    assert Chip(B, 40) in moved


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"do": st.sampled_from(["move", "mode", "remove"]), "id": st.sampled_from([A.id, B.id, C.id])},
            optional={"at": st.integers(-1, 4), "to": st.integers(-1, 4), "max_tiles": st.integers(-1, 50)},
        )
    )
)
def test_whatever_is_done_no_picture_appears_twice_and_every_mode_is_possible(
    deeds: list[dict[str, Any]],
) -> None:
    draft: Draft = DRAFT
    for one in deeds:
        before, draft = draft, acted(draft, one)
        assert len(before) - len(draft) == (one["do"] == "remove" and len(before) > len(draft))
    assert len(set(names(draft))) == len(draft) and set(names(draft)) <= set(names(DRAFT))
    assert all(1 <= image.max_tiles <= 40 for image in attachments(draft, 12))


def test_a_picture_that_waits_already_is_not_taken_twice() -> None:
    assert added(DRAFT, [C, B, C]) == DRAFT
    other_name = photo_of(picture(block_px=30), "again.png")
    assert names(added((Chip(C),), [other_name, other_name])) == ["30.png", "again.png"]


def test_a_mode_of_its_own_goes_before_the_one_for_all_and_can_be_given_up() -> None:
    assert [image.max_tiles for image in attachments(DRAFT, 6)] == [6, 40, 6]
    own = acted(DRAFT, deed("mode", A, 0, max_tiles=24))
    assert [image.max_tiles for image in attachments(own, 6)] == [24, 40, 6]
    assert acted(own, deed("mode", A, 0, max_tiles=None)) == DRAFT


def test_the_chips_tell_number_grid_tiles_and_tokens() -> None:
    before = (Attachment(C, 12), Attachment(A, 1))
    value = shown(DRAFT, before=before)
    assert [chip["caption"] for chip in value["chips"]] == ["Image-3", "Image-4", "Image-5"]
    assert [chip["max_tiles"] for chip in value["chips"]] == [None, 40, None]
    assert value["chips"][0]["text"] == "1200 × 800 px → 3 × 2 = 6 tiles + thumbnail, 448 visual tokens"
    assert value["chips"][0]["grid"] == [3, 2]
    assert value["chips"][2]["url"] == f"file={C.id}"
    assert [image["caption"] for image in value["before"]] == ["Image-1", "Image-2"]
    assert value["total"] and value["most"] == 12 and value["problem"] is None
    low = shown(DRAFT, 1)
    assert [chip["grid"] for chip in low["chips"]] == [[1, 1], [3, 2], [1, 1]]


def test_a_problem_is_told_with_its_next_step() -> None:
    value = shown((), problem=PhotoError("It is broken.", "Choose another."))
    assert value["problem"] == {"what": "It is broken.", "next_step": "Choose another."}
    assert value["chips"] == [] and value["total"] == ""


def test_both_languages_have_the_same_texts_with_the_same_places_for_values() -> None:
    words = empty()["words"]
    assert words["en"].keys() == words["zh"].keys() >= {"camera", "address", "mode_custom", "default"}
    for key, (english, chinese) in TABLE.items():
        if key.startswith("tray_"):
            marks = [{part.split("}")[0] for part in text.split("{")[1:]} for text in (english, chinese)]
            assert marks[0] == marks[1], key
    assert "视觉" in shown(DRAFT, words=Words(chinese=True))["chips"][0]["text"]
