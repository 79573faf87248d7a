"""Versions of questions over HTTP: what is refused, then edits beside the old question and the way back to it."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.http_client import Client
from tests.support.scripted_model import ScriptedModel
from tests.support.uploads import png


@pytest.fixture
def me(scripted: ScriptedModel, scripted_url: str) -> Iterator[Client]:
    scripted.script = ["Hello."]
    client = Client(scripted_url)
    yield client
    client.http.close()


def said(me: Client, conversation: str) -> list[str]:
    """The questions that are shown."""
    return [each["text"] for each in me.call("GET", f"/api/conversations/{conversation}")["questions"]]


def ask(me: Client, scripted: ScriptedModel, text: str, conversation: str = "new") -> dict[str, str]:
    scripted.script = [f"About {text}"]
    started = me.ask(text, conversation=conversation)
    me.answer(started["conversation"])
    return started


def edit(me: Client, scripted: ScriptedModel, conversation: str, question: str, text: str) -> str:
    scripted.script = [f"About {text}"]
    path = f"/api/conversations/{conversation}/questions/{question}"
    started: dict[str, str] = me.call("PUT", path, {"text": text})
    me.answer(conversation)
    return started["question"]


def choose(me: Client, conversation: str, chosen: str) -> None:
    me.call("PATCH", f"/api/conversations/{conversation}", {"choose": chosen})


@pytest.fixture
def two(me: Client, scripted: ScriptedModel) -> tuple[str, str, str]:
    """A conversation, and its two questions."""
    first = ask(me, scripted, "One?")
    second = ask(me, scripted, "Two?", first["conversation"])
    return first["conversation"], first["question"], second["question"]


# What is refused


def test_a_hidden_question_is_not_edited(
    me: Client, scripted: ScriptedModel, two: tuple[str, str, str]
) -> None:
    conversation, one, second = two
    edit(me, scripted, conversation, one, "Un?")
    path = f"/api/conversations/{conversation}/questions/{second}"
    status, problem = me.refused("PUT", path, {"text": "Deux?"})
    assert status == 409 and "not shown" in problem["what"] and "branch" in problem["next_step"]
    assert said(me, conversation) == ["Un?"]
    choose(me, conversation, second)
    edit(me, scripted, conversation, second, "Deux?")
    assert said(me, conversation) == ["One?", "Deux?"]


def test_nothing_is_stepped_while_an_answer_comes(
    me: Client, scripted: ScriptedModel, two: tuple[str, str, str]
) -> None:
    conversation, one, _ = two
    go_on = threading.Event()
    scripted.script = ["Half", go_on.is_set, "."]
    me.call("PUT", f"/api/conversations/{conversation}/questions/{one}", {"text": "Un?"})
    status, problem = me.refused("PATCH", f"/api/conversations/{conversation}", {"choose": one})
    assert status == 409 and "still being answered" in problem["what"]
    go_on.set()
    assert me.answer(conversation)[0] == "Half."
    choose(me, conversation, one)


@pytest.mark.parametrize("whose", ["undone", "a stranger's", "none"])
def test_a_branch_that_is_gone_is_not_found(
    me: Client, scripted: ScriptedModel, two: tuple[str, str, str], scripted_url: str, whose: str
) -> None:
    conversation, one, _ = two
    undone = edit(me, scripted, conversation, one, "Un?")
    me.call("POST", f"/api/conversations/{conversation}/undo")
    stranger = Client(scripted_url)
    theirs = ask(stranger, scripted, "Mine?")["question"]
    chosen = {"undone": undone, "a stranger's": theirs, "none": "x"}[whose]
    status, problem = me.refused("PATCH", f"/api/conversations/{conversation}", {"choose": chosen})
    assert status == 404 and problem["what"] == "That version is no longer in the conversation."
    assert stranger.refused("PATCH", f"/api/conversations/{conversation}", {"choose": one})[0] == 404
    assert said(me, conversation) == ["One?", "Two?"]
    stranger.http.close()


# Edit, and go back


def test_the_model_is_told_one_path(me: Client, scripted: ScriptedModel, two: tuple[str, str, str]) -> None:
    conversation, one, second = two
    un = edit(me, scripted, conversation, one, "Un?")
    ask(me, scripted, "Et?", conversation)
    assert [turn.text for turn in scripted.asked[-1].turns] == ["Un?", "Et?"]
    choose(me, conversation, one)
    found = me.call("GET", f"/api/conversations/{conversation}")
    assert [question["siblings"] for question in found["questions"]] == [[one, un], [second]]
    ask(me, scripted, "And?", conversation)
    assert [(turn.text, turn.answer) for turn in scripted.asked[-1].turns] == [
        ("One?", "About One?"),
        ("Two?", "About Two?"),
        ("And?", None),
    ]
    choose(me, conversation, un)
    assert said(me, conversation) == ["Un?", "Et?"]


def test_an_edit_has_the_pictures_of_the_old_question(me: Client, scripted: ScriptedModel) -> None:
    started = me.ask("What?", me.upload(png((33, 44), "orange")))
    conversation = started["conversation"]
    me.answer(conversation)
    edit(me, scripted, conversation, started["question"], "What else?")
    (shown,) = me.call("GET", f"/api/conversations/{conversation}")["questions"]
    assert [image["number"] for image in shown["images"]] == [1] and len(scripted.asked[-1].images) == 1
    me.call("POST", f"/api/conversations/{conversation}/undo")
    (shown,) = me.call("GET", f"/api/conversations/{conversation}")["questions"]
    assert (shown["text"], shown["siblings"]) == ("What?", [started["question"]])
    assert len(shown["images"]) == 1 and me.http.get(shown["images"][0]["url"]).status_code == 200


def test_undo_says_what_is_left(me: Client, scripted: ScriptedModel, two: tuple[str, str, str]) -> None:
    conversation, one, _ = two
    edit(me, scripted, conversation, one, "Un?")
    for text, left in [("Un?", ["One?", "Two?"]), ("Two?", ["One?"])]:
        taken = me.call("POST", f"/api/conversations/{conversation}/undo")
        assert (taken["text"], taken["conversation"]) == (text, conversation)
        assert said(me, conversation) == left
    assert me.call("POST", f"/api/conversations/{conversation}/undo")["conversation"] is None


def test_whoever_follows_sees_a_step(me: Client, scripted: ScriptedModel, two: tuple[str, str, str]) -> None:
    """In another tab: from the beginning, and with the last number that it has seen."""
    conversation, one, _ = two
    edit(me, scripted, conversation, one, "Un?")

    def told(reading: Iterator[tuple[int, str, Any]]) -> tuple[int, list[str]]:
        number, name, data = next(reading)
        assert name == "conversation"
        return number, [question["text"] for question in data["questions"]]

    reading = me.events(conversation)
    number, shown = told(reading)
    assert shown == ["Un?"]
    choose(me, conversation, one)
    assert told(reading)[1] == ["One?", "Two?"]
    assert told(me.events(conversation, after=number))[1] == ["One?", "Two?"]
    scripted.script = ["On from here."]
    me.ask("Three?", conversation=conversation)
    assert told(reading)[1] == ["One?", "Two?", "Three?"]
    for _, name, data in reading:
        if name == "answer.done" or (name == "conversation" and not data["running"]):
            break
    choose(me, conversation, one)
    assert told(reading)[1] == ["One?", "Two?", "Three?"], "it was shown already"


def test_the_description_names_branches(scripted_url: str) -> None:
    found = httpx.get(f"{scripted_url}api/openapi.json").json()
    change = found["components"]["schemas"]["ChangeIn"]
    assert "question" in change["description"] and set(change["properties"]) == {"title", "choose"}
