"""The HTTP interface, spoken by a program over a real socket: what it refuses, then what it does."""

import itertools
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from internvl_demo.errors import BackendError
from tests.support.http_client import Client
from tests.support.pictures import FILES, page, picture, saved, tiff
from tests.support.scripted_model import ScriptedModel
from tests.support.uploads import png

ANIMATION = saved(picture(), "GIF", save_all=True, append_images=[picture().rotate(180)])
BOXED = "Image-1: <ref>the cat</ref><box>[[100, 200, 300, 400]]</box>."


@pytest.fixture
def me(scripted: ScriptedModel, scripted_url: str) -> Iterator[Client]:
    scripted.script = ["Hello."]
    client = Client(scripted_url)
    yield client
    client.http.close()


@pytest.fixture
def you(scripted_url: str) -> Iterator[Client]:
    client = Client(scripted_url)
    yield client
    client.http.close()


# What is refused


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer short", "Basic " + "a" * 32, "Bearer " + "a" * 21]
)
def test_without_a_long_secret_nothing_is_said(scripted_url: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in (
        ("GET", "/api/conversations"),
        ("POST", "/api/conversations/new/questions"),
        ("POST", "/api/photos"),
        ("GET", "/api/conversations/x/events"),
    ):
        response = httpx.request(method, scripted_url + path.lstrip("/"), headers=headers, json={"text": "a"})
        assert response.status_code in (401, 422) and set(response.json()) == {"what", "next_step"}
    assert httpx.get(scripted_url + "api/conversations", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"text": 1},
        {"text": "a", "more": 1},
        {"text": "a", "images": [{"photo": 1}]},
        {"text": "a", "images": [{"photo": "x", "mode": "enormous"}]},
        {"text": "a", "images": [{"photo": "x", "mode": 41}]},
        {"text": "a", "images": [{"photo": "x", "mode": True}]},
        {"text": "a", "images": [{"photo": "x"}] * 17},
        {"text": "a", "options": {"temperature": 3}},
        {"text": "a", "options": {"max_new_tokens": 0}},
    ],
)
def test_questions_that_are_none_are_told(me: Client, body: object) -> None:
    status, problem = me.refused("POST", "/api/conversations/new/questions", body)
    assert status == 422 and "not usable" in problem["what"]
    assert me.call("GET", "/api/conversations") == {"conversations": []}


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_an_empty_question_says_so(me: Client, text: str) -> None:
    status, problem = me.refused("POST", "/api/conversations/new/questions", {"text": text})
    assert (status, problem["what"]) == (422, "There is no question yet.")


def test_errors_speak_the_readers_language(scripted_url: str) -> None:
    client = Client(scripted_url, language="zh-CN,zh;q=0.9")
    _, problem = client.refused("POST", "/api/conversations/new/questions", {"text": " "})
    assert problem["what"] == "还没有问题。"


def test_long_questions_are_refused_by_their_length(me: Client) -> None:
    begun = time.monotonic()
    status, problem = me.refused("POST", "/api/conversations/new/questions", {"text": "a" * 70_000})
    assert status == 422 and problem["what"] == "The question is longer than 64,000 characters."
    status, _ = me.refused("POST", "/api/conversations/new/questions", {"text": "a" * 2_000_000})
    assert status == 413
    assert time.monotonic() - begun < 30  # a hang, not a speed


def test_bodies_are_bounded_with_or_without_a_length(me: Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield from itertools.repeat(b"x" * 65536, 64)

    response = me.http.post("/api/conversations/new/questions", content=pieces())
    assert response.status_code == 413 and response.json()["what"] == "The request is larger than 1 MB."
    response = me.http.post("/gradio_api/queue/join", content=b"x" * 2_000_000)
    assert response.status_code == 413


@pytest.mark.parametrize("data", [b"", b"no picture", b"%PDF-1.7", png()[:40]])
def test_files_that_are_no_pictures_are_refused(me: Client, data: bytes) -> None:
    response = me.http.post("/api/photos", files={"file": ("a.png", data)})
    assert response.status_code == 422 and set(response.json()) == {"what", "next_step"}


def test_what_is_somebody_elses_is_not_there(me: Client, you: Client) -> None:
    photo = me.upload(png())
    started = me.ask("Where?", photo)
    conversation, answer = started["conversation"], started["answer"]
    me.answer(conversation)
    for method, path, body in (
        ("GET", f"/api/conversations/{conversation}", None),
        ("GET", f"/api/conversations/{conversation}/events", None),
        ("GET", f"/api/conversations/{conversation}/answers/{answer}/prompt", None),
        ("PATCH", f"/api/conversations/{conversation}", {"title": "Mine"}),
        ("PATCH", f"/api/conversations/{conversation}", {"choose": answer}),
        ("POST", f"/api/conversations/{conversation}/stop", None),
        ("POST", f"/api/conversations/{conversation}/retry", None),
        ("POST", f"/api/conversations/{conversation}/undo", None),
        ("POST", f"/api/conversations/{conversation}/questions", {"text": "And?"}),
        ("PUT", f"/api/conversations/{conversation}/questions/{started['question']}", {"text": "Or?"}),
        ("DELETE", f"/api/conversations/{conversation}", None),
        ("GET", f"/api/photos/{photo['id']}", None),
        ("DELETE", f"/api/photos/{photo['id']}", None),
        ("POST", f"/api/photos/{photo['id']}/regions", {"way": "crop", "box_1000": [0, 0, 500, 500]}),
    ):
        assert you.refused(method, path, body)[0] == 404, (method, path)
    body = {"text": "Mine?", "images": [{"photo": photo["id"]}]}
    assert you.refused("POST", "/api/conversations/new/questions", body)[0] == 404
    assert me.call("GET", f"/api/conversations/{conversation}")["questions"][0]["text"] == "Where?"


@pytest.mark.parametrize("path", ["/gradio_api/deep_link?session_hash=x", "/gradio_api/dev/reload"])
def test_routes_that_tell_of_sessions_are_closed(scripted_url: str, path: str) -> None:
    assert httpx.get(scripted_url.rstrip("/") + path).status_code == 404


# What is done


def test_a_picture_keeps_its_address_and_no_metadata(me: Client, scripted_url: str) -> None:
    photo = me.upload(png((640, 480)), "my cat.png")
    assert (photo["name"], photo["size_wh"]) == ("my cat.png", [640, 480])
    assert len(photo["grids"]) == 40 and photo["grids"][0] == [1, 1] and len(photo["id"]) == 32
    shown = httpx.get(f"{scripted_url}{photo['url']}")  # an <img> sends no secret
    assert shown.status_code == 200 and shown.headers["content-type"] == "image/png"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert me.upload(png((640, 480)), "my cat.png")["id"] == photo["id"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (FILES["png"], None),
        (FILES["heic"], None),
        (ANIMATION, "The file is an animation; its first picture was taken."),
        (saved(Image.new("RGBA", (9, 9), (255, 255, 255, 0)), "PNG"), None),
        (tiff(*[page(4, 4, 8, bytes(16))] * 3), "The file has 3 pages; the first was taken."),
        (tiff(page(2, 2, 16, bytes(range(8)), kind=2)), "The picture's values have no usual range;"),
    ],
)
def test_what_was_taken_of_a_picture_is_said_once(me: Client, data: bytes, what: str | None) -> None:
    for _ in range(2):
        photo = me.upload(data, "a.gif")
        assert photo["note"] is None if what is None else photo["note"]["what"].startswith(what)
    started = me.ask("What is this?", photo)
    told = me.call("GET", f"/api/conversations/{started['conversation']}")["questions"][0]["images"][0]
    assert told["id"] == photo["id"] and not told.get("note")


def test_what_was_taken_is_said_in_the_readers_language(scripted_url: str) -> None:
    client = Client(scripted_url, "zh")
    assert client.upload(ANIMATION)["note"] == {
        "what": "文件是动画，已采用它的第一帧。",
        "next_step": "如需其他画面，请截图后发送。",
    }
    client.http.headers["Prefer"] = "languages"
    assert set(client.upload(ANIMATION)["note"]["also"]) == {"en", "zh"}
    client.http.close()


def test_a_fetched_picture_is_told_of_like_an_uploaded_one(
    me: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetched(_: str) -> tuple[str, bytes]:
        return "a.gif", ANIMATION

    monkeypatch.setattr("internvl_demo.web.pictures.fetch_file", fetched)
    photo = me.call("POST", "/api/photos/address", {"url": "https://example.org/a.gif"})
    assert photo["note"]["what"].startswith("The file is an animation")


def test_an_answer_comes_as_numbered_deltas(me: Client, scripted: ScriptedModel) -> None:
    begin, end = threading.Event(), threading.Event()
    boxed = ["Image-1: <ref>the ", "cat</ref><box>[[100, 200, 300, 400]]", "</box>."]
    scripted.script = [begin.is_set, *boxed, end.is_set]
    started = me.ask("Where is the cat?", me.upload(png()))
    events = []
    for number, name, data in me.events(started["conversation"]):
        events.append((number, name))
        begin.set()
        if name == "answer.box":
            assert (data["label"], data["image"], data["box_1000"]) == ("the cat", 1, [100, 200, 300, 400])
            end.set()
        if name == "answer.done":
            break
    assert data["usage"]["prompt_tokens"] == 100 and data["tiles"] == [1] and data["state"] == "complete"
    assert data["timing"]["total_s"] >= data["timing"]["ttft_s"] >= 0
    numbers = [number for number, _ in events]
    assert numbers == sorted(numbers) and events[0][1] == "conversation"
    text, boxes, _ = me.answer(started["conversation"])
    assert text == "Image-1: the cat." and len(boxes) == 1


def test_who_comes_back_says_the_last_number(me: Client, scripted: ScriptedModel) -> None:
    go_on = threading.Event()
    scripted.script = ["One ", go_on.is_set, "two."]
    conversation = me.ask("Count.")["conversation"]
    last = 0
    for last, name, data in me.events(conversation):  # noqa: B007  it is used afterwards
        shown = data["questions"][0]["answers"][0]["text"] if name == "conversation" else data.get("text")
        if shown:
            break
    go_on.set()
    names = []
    for _, name, data in me.events(conversation, after=last):
        names.append(name)
        if name == "answer.delta":
            assert data["text"] == "two."
        if name in ("answer.done", "conversation"):
            break
    assert "answer.done" in names or names == ["conversation"]


def test_a_failed_answer_says_what_and_what_next(me: Client, scripted: ScriptedModel) -> None:
    scripted.script = ["Half", BackendError("It broke.", "Try again.")]
    text, _, end = me.answer(me.ask("Who?")["conversation"])
    assert text == "Half"
    assert (end.get("what") or end["failure"]["what"]) == "It broke."


def test_blocks_are_rendered_for_who_asks_for_them(me: Client, scripted: ScriptedModel) -> None:
    scripted.script = ["A **bold** word.\n\n<script>alert(1)</script> and $x^2$."]
    conversation = me.ask("Write.")["conversation"]
    blocks: list[str] = []
    for _, name, data in me.events(conversation, blocks=True):
        if name == "conversation":
            answer = data["questions"][0]["answers"][0]
            blocks = answer["blocks"]
            if answer["state"] == "complete":
                break
        elif name == "answer.block":
            blocks[data["index"] :] = [data["html"]]
        elif name == "answer.done":
            break
    html = "".join(blocks)
    assert "<strong>bold</strong>" in html and "<script>" not in html and "<math" in html


def test_stop_retry_choose_edit_undo(me: Client, scripted: ScriptedModel) -> None:
    begin = threading.Event()
    scripted.script = [begin.is_set, "One", lambda: False]
    started = me.ask("Who?", me.upload(png()))
    conversation = started["conversation"]
    for _, name, _data in me.events(conversation):
        begin.set()
        if name == "answer.delta":
            break
    assert me.refused("POST", f"/api/conversations/{conversation}/questions", {"text": "And?"})[0] == 409
    me.call("POST", f"/api/conversations/{conversation}/stop")
    scripted.script = ["Two."]
    again = me.call("POST", f"/api/conversations/{conversation}/retry")
    assert again["question"] == started["question"] and again["answer"] != started["answer"]
    assert me.answer(conversation)[0] == "Two."
    me.call("PATCH", f"/api/conversations/{conversation}", {"choose": started["answer"]})
    (question,) = me.call("GET", f"/api/conversations/{conversation}")["questions"]
    assert question["chosen"] == started["answer"]
    assert [answer["state"] for answer in question["answers"]] == ["stopped", "complete"]
    scripted.script = ["Three."]
    edited = me.call(
        "PUT", f"/api/conversations/{conversation}/questions/{question['id']}", {"text": "Whom?"}
    )
    assert me.answer(conversation)[0] == "Three." and edited["conversation"] == conversation
    for text, left in (("Whom?", conversation), ("Who?", None)):
        taken = me.call("POST", f"/api/conversations/{conversation}/undo")
        assert (taken["text"], taken["conversation"], len(taken["images"])) == (text, left, 1)
    assert me.refused("GET", f"/api/conversations/{conversation}")[0] == 404
    me.ask("Again?", *taken["images"])  # its picture waits again


def test_conversations_are_listed_named_and_deleted(me: Client) -> None:
    first, second = (me.ask(text)["conversation"] for text in ("First?", "Second?"))
    for conversation in (first, second):
        me.answer(conversation)
    me.call("PATCH", f"/api/conversations/{first}", {"title": "A name"})
    listed = me.call("GET", "/api/conversations")["conversations"]
    assert {entry["title"] for entry in listed} == {"A name", "Second?"}
    reading = me.events(first)
    next(reading)
    me.call("DELETE", f"/api/conversations/{first}")
    assert next(name for _, name, _ in reading if name == "gone")
    assert [entry["id"] for entry in me.call("GET", "/api/conversations")["conversations"]] == [second]


def test_deleting_takes_the_pictures_along(me: Client, scripted_url: str) -> None:
    photo = me.upload(png((33, 44), "orange"))
    conversation = me.ask("What?", photo)["conversation"]
    me.answer(conversation)
    assert httpx.get(scripted_url + photo["url"]).status_code == 200
    me.call("DELETE", f"/api/conversations/{conversation}")
    assert httpx.get(scripted_url + photo["url"]).status_code == 404


def test_a_region_becomes_a_picture_that_remembers(me: Client, scripted: ScriptedModel) -> None:
    whole = me.upload(png((800, 600)))
    region = {"way": "crop", "box_1000": [250, 250, 750, 750]}
    crop = me.call("POST", f"/api/photos/{whole['id']}/regions", region)
    assert crop["origin"] == {"photo": whole["id"], "xyxy_px": [180, 135, 620, 465], "kind": "crop"} or (
        crop["origin"]["photo"] == whole["id"] and crop["origin"]["kind"] == "crop"
    )
    scripted.script = ["<ref>ear</ref><box>[[0, 0, 500, 500]]</box> in Image-2"]
    conversation = me.ask("Image-2: where?", whole, crop)["conversation"]
    _, boxes, _ = me.answer(conversation)
    assert [(box["image"], box.get("repeats")) for box in boxes] == [(2, None), (1, 0)]


def test_the_budget_says_what_does_not_fit(me: Client) -> None:
    photo = me.upload(png((4000, 3000)))
    image = {name: photo[name] for name in ("name", "size_wh")} | {"photo": photo["id"], "mode": 40}
    found = me.call("POST", "/api/budget", {"text": "Where?", "images": [image] * 16})
    assert found["problem"] and found["fixes"]
    assert {"key", "text", "images", "max_new_tokens", "new_conversation"} == set(found["fixes"][0])
    body = {"text": "Where?", "images": [{"photo": photo["id"], "mode": 40}] * 16}
    status, problem = me.refused("POST", "/api/conversations/new/questions", body)
    assert status == 422 and ("context" in problem["what"] or "megapixels" in problem["what"])


def test_programs_find_the_description(me: Client, scripted_url: str) -> None:
    found = httpx.get(f"{scripted_url}api/openapi.json").json()
    assert "/conversations/{conversation}/questions" in found["paths"] and found["paths"]["/photos"]["post"]
    model = me.call("GET", "/api/model")
    assert (
        model["name"] == "scripted"
        and model["state"] == {"kind": "ready"}
        and model["context_length"] == 8192
    )
    assert model["queue"] == {"running": 0, "waiting": 0}
