"""The pictures that wait in the composer, as values: what can be done with them, in the page's own JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

A, B, C = ({"id": name * 3, "name": f"{name}.png"} for name in "abc")


def chip(photo: dict[str, str], max_tiles: int | None = None) -> dict[str, Any]:
    return {"photo": photo, "max_tiles": max_tiles}


DRAFT = [chip(A), chip(B, 40), chip(C)]


def deed(do: str, photo: dict[str, str], at: int, **more: Any) -> dict[str, Any]:
    return {"do": do, "id": photo["id"], "at": at, **more}


@pytest.fixture(scope="module")
def page(browser: Browser, scripted_url: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(scripted_url)
    page.wait_for_selector("#send")
    yield page
    context.close()


def call(page: Page, function: str, *values: Any) -> Any:
    """What a function of `lib/draft.js` gives."""
    script = """async ([name, values]) =>
        (await import(new URL('page/widgets/lib/draft.js', document.baseURI).href))[name](...values)"""
    return page.evaluate(script, [function, list(values)])


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"do": "remove"}, {"do": "remove", "at": 0}, {"do": "remove", "id": "other", "at": 0},
        {"do": "remove", "id": ["x"], "at": {}}, {"do": None, "id": A["id"], "at": 0}, deed("fly", A, 0),
        deed("move", A, 0), deed("move", A, 0, to=3), deed("move", A, 0, to=-1), deed("move", A, 0, to="1"),
        deed("move", A, 0, to=True), deed("move", A, 0, to=0.5), deed("move", A, 0, to=None),
        deed("mode", A, 0, max_tiles=0), deed("mode", A, 0, max_tiles=41), deed("mode", A, 0, max_tiles="12"),
        deed("mode", A, 0, max_tiles=True), deed("mode", A, 0, max_tiles=float("nan")),
    ],
)  # fmt: skip
def test_what_does_not_fit_changes_nothing(page: Page, wrong: dict[str, Any]) -> None:
    assert call(page, "applyAction", DRAFT, wrong) == DRAFT
    assert call(page, "applyAction", [], wrong) == []


def test_a_chip_goes_though_others_have_gone(page: Page) -> None:
    assert call(page, "applyAction", DRAFT[1:], deed("remove", C, 2)) == [chip(B, 40)]


def test_of_two_alike_the_seen_one_is_meant(page: Page) -> None:
    twice = [chip(A), chip(B), chip(A, 1)]
    assert call(page, "applyAction", twice, deed("remove", A, 2)) == [chip(A), chip(B)]
    assert call(page, "applyAction", twice, deed("remove", A, 1)) == twice


@pytest.mark.parametrize(
    ("at", "to", "order"),
    [(0, 2, [B, C, A]), (2, 0, [C, A, B]), (0, 1, [B, A, C]), (1, 1, [A, B, C]), (1, 0, [B, A, C])],
)
def test_a_chip_moves_and_keeps_its_mode(page: Page, at: int, to: int, order: list[dict[str, str]]) -> None:
    moved = call(page, "applyAction", DRAFT, deed("move", DRAFT[at]["photo"], at, to=to))
    assert [one["photo"] for one in moved] == order and chip(B, 40) in moved


@pytest.mark.parametrize(
    "type",
    ["", "image/png", "image/heic", "image/svg+xml", "application/octet-stream", "application/pdf", "binary"],
)
def test_the_server_looks_at_what_may_be_a_picture(page: Page, type: str) -> None:
    assert call(page, "mayBePicture", {"name": "IMG_0001", "type": type})


@pytest.mark.parametrize("type", ["text/plain", "video/quicktime", "audio/mpeg", "font/woff2"])
def test_what_is_surely_no_picture_is_not_sent(page: Page, type: str) -> None:
    assert not call(page, "mayBePicture", {"name": "a.png", "type": type})


DEEDS = st.lists(
    st.fixed_dictionaries(
        {
            "do": st.sampled_from(["move", "mode", "remove"]),
            "id": st.sampled_from([A["id"], B["id"], C["id"]]),
        },
        optional={"at": st.integers(-1, 4), "to": st.integers(-1, 4), "max_tiles": st.integers(-1, 50)},
    ),
    max_size=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DEEDS)
def test_whatever_is_done_the_draft_holds(page: Page, deeds: list[dict[str, Any]]) -> None:
    draft = DRAFT
    for one in deeds:
        before, draft = draft, call(page, "applyAction", draft, one)
        assert len(before) - len(draft) == (one["do"] == "remove" and len(before) > len(draft))
    names = [one["photo"]["name"] for one in draft]
    assert len(set(names)) == len(names) and set(names) <= {"a.png", "b.png", "c.png"}
    sent = call(page, "attachments", draft, 12)
    assert all(1 <= image["mode"] <= 40 for image in sent)


def test_a_waiting_picture_is_not_added_twice(page: Page) -> None:
    assert call(page, "added", DRAFT, [C, B, C]) == DRAFT
    again = {**C, "name": "again.png"}
    assert call(page, "added", [chip(C)], [again, again]) == [chip(C), chip(again)]


def test_what_comes_back_stands_first_and_once(page: Page) -> None:
    assert call(page, "joined", [chip(A, 4)], [chip(B), chip(A)]) == [chip(A, 4), chip(B)]


def test_its_own_mode_goes_before_the_one_for_all(page: Page) -> None:
    def modes(draft: list[dict[str, Any]]) -> list[Any]:
        return [image["mode"] for image in call(page, "attachments", draft, 6)]

    assert modes(DRAFT) == [6, 40, 6]
    own = call(page, "applyAction", DRAFT, deed("mode", A, 0, max_tiles=24))
    assert modes(own) == [24, 40, 6]
    assert call(page, "applyAction", own, deed("mode", A, 0, max_tiles=None)) == DRAFT


def test_an_offer_is_applied_to_its_pictures(page: Page) -> None:
    offered = [{"photo": A["id"], "mode": 9}, {"photo": C["id"], "mode": "standard"}]
    all_ids = [one["id"] for one in (A, B, C)]
    assert call(page, "fixed", DRAFT, offered, "standard", all_ids) == [chip(A, 9), chip(C)]
    assert call(page, "fixed", DRAFT, offered, "high", all_ids) == [chip(A, 9), chip(C, 12)]
    twice, one = [chip(A), chip(A, 40)], {"photo": A["id"], "mode": 4}
    assert call(page, "fixed", twice, [one, one], 12, all_ids) == [chip(A, 4), chip(A, 4)]
    assert call(page, "fixed", [chip(B)], [one], 12, all_ids) == []
    assert call(page, "fixed", DRAFT, [one], 12, [A["id"]]) == [chip(A, 4), *DRAFT[1:]], (
        "what it did not know"
    )


@pytest.mark.parametrize(
    ("back", "text", "over", "whole"),
    [
        ("Who?", "", [], "Who?"),
        ("Who?", "Example?", ["Example?"], "Who?"),
        ("Who?", "typed since", [], "Who?\n\ntyped since"),
        ("Who?", "Who? And", [], "Who? And"),
        ("", "typed", [], "typed"),
    ],
)
def test_text_that_comes_back_loses_nothing(
    page: Page, back: str, text: str, over: list[str], whole: str
) -> None:
    assert call(page, "joinedText", back, text, over) == whole


def test_tiles_and_tokens_follow_the_grid(page: Page) -> None:
    photo = {"grids": [[1, 1]] * 5 + [[3, 2]] * 35}
    assert call(page, "tilesOf", photo, "low", 64)["tokens"] == 64
    told = call(page, "tilesOf", photo, 12, 64)
    assert (told["grid"], told["tiles"], told["tokens"]) == ([3, 2], 6, 448)
