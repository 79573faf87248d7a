"""Versions of questions: an edit leaves the old branch, one can go back to it, and one path is shown at a time."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from internvl_demo.conversation.turns import Attachment
from internvl_demo.settings import Settings
from internvl_demo.store import Store, open_store
from internvl_demo.store.faults import BusyError, GoneError, HiddenError
from internvl_demo.store.records import Record
from tests.support.stores import BLUE, DAY, RED, Clock, answered, asked, files, open_at, photo_ids


def edited(store: Store, mine: str, question: str, text: str, raw: str = "") -> str:
    """That question in other words, and its answer; gives the new question's id."""
    version = f"answer to {text}"
    record = store.edit("me", mine, question, text, version_id=version, model="model")
    store.finish(version, "complete" if raw else "stopped", raw)
    return record.questions[-1].id


def said(store: Store, mine: str) -> list[tuple[str, str | None]]:
    """The path: questions and their answers."""
    return [(question.text, question.answer) for question in store.record("me", mine).questions]


def ids(store: Store, mine: str) -> list[str]:
    return [question.id for question in store.record("me", mine).questions]


def three(store: Store) -> str:
    """A conversation of three questions, each answered; the first and the last with a picture."""
    mine = asked(store, "me", None, "One?", [Attachment(RED, 1)])
    answered(store, "me", mine, "1", "v1")
    asked(store, "me", mine, "Two?")
    answered(store, "me", mine, "2", "v2")
    asked(store, "me", mine, "Three?", [Attachment(BLUE, 6)])
    answered(store, "me", mine, "3", "v3")
    return mine


@pytest.fixture(params=["a file", "a temporary folder"])
def any_store(request: pytest.FixtureRequest, store: Store) -> Iterator[Store]:
    if request.param == "a file":
        yield store
        return
    opened = open_store(Settings(model="nano", keep_days=0))
    yield opened
    opened.close()


# What is refused


def test_a_question_of_a_hidden_branch_is_not_edited(store: Store) -> None:
    mine = three(store)
    one, two, three_ = ids(store, mine)
    edited(store, mine, two, "Deux?", "deux")
    before = store.record("me", mine)
    for question in (two, three_):
        with pytest.raises(HiddenError) as raised:
            edited(store, mine, question, "No.")
        assert "not shown" in raised.value.what and "branch" in raised.value.next_step
    assert store.record("me", mine) == before
    edited(store, mine, one, "Un?", "un")
    assert said(store, mine) == [("Un?", "un")]


def test_nothing_is_shown_while_an_answer_runs(store: Store) -> None:
    mine = three(store)
    one = ids(store, mine)[0]
    edited(store, mine, one, "Un?", "un")
    store.begin("me", mine, "v9", "model")
    before = store.record("me", mine)
    with pytest.raises(BusyError):
        store.choose("me", mine, one)
    assert store.record("me", mine) == before


@pytest.mark.parametrize(
    ("what", "whose"),
    [("a question that was undone", "me"), ("no question", "me"), ("another conversation's", "me")],
)
def test_a_branch_that_is_gone_is_told(store: Store, what: str, whose: str) -> None:
    mine = three(store)
    three_ = ids(store, mine)[-1]
    other = ids(store, asked(store, "me", None, "Other?"))[0]
    again = edited(store, mine, three_, "Trois?", "trois")
    store.undo("me", mine)
    before = store.record("me", mine)
    wanted = {"a question that was undone": again, "no question": "x" * 64, "another conversation's": other}
    with pytest.raises(GoneError) as raised:
        store.choose(whose, mine, wanted[what])
    assert "no longer" in raised.value.what and "Reload" in raised.value.next_step
    assert store.record("me", mine) == before


def test_an_answer_of_a_hidden_branch_is_not_chosen(store: Store) -> None:
    mine = three(store)
    edited(store, mine, ids(store, mine)[2], "Trois?", "trois")
    with pytest.raises(GoneError, match="version of the last answer"):
        store.choose("me", mine, "v3")
    assert said(store, mine)[-1] == ("Trois?", "trois")


def test_a_refused_edit_leaves_the_old_branch_shown(store: Store) -> None:
    mine = three(store)
    before = store.record("me", mine)

    def refuse(_: Record) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        store.edit("me", mine, before.questions[1].id, "No.", version_id="v", model="model", check=refuse)
    assert store.record("me", mine) == before


# Edit, and go back


def test_an_edit_keeps_the_old_branch(any_store: Store) -> None:
    store, mine = any_store, three(any_store)
    whole = said(store, mine)
    one, two, three_ = ids(store, mine)
    deux = edited(store, mine, two, "Deux?", "deux")
    assert said(store, mine) == [("One?", "1"), ("Deux?", "deux")]
    assert [question.siblings for question in store.record("me", mine).questions] == [(one,), (two, deux)]
    store.choose("me", mine, two)
    assert said(store, mine) == whole and ids(store, mine) == [one, two, three_]
    assert store.record("me", mine).questions[1].siblings == (two, deux)
    asked(store, "me", mine, "Four?")
    answered(store, "me", mine, "4", "v4")
    store.choose("me", mine, deux)
    assert said(store, mine) == [("One?", "1"), ("Deux?", "deux")]
    store.choose("me", mine, two)
    assert said(store, mine) == [*whole, ("Four?", "4")], "asked on from the old branch"


def test_a_restart_keeps_every_branch(store: Store, tmp_path: Path, clock: Clock) -> None:
    mine = three(store)
    one = ids(store, mine)[0]
    un = edited(store, mine, one, "Un?", "un")
    store.close()
    store = open_at(tmp_path, clock)
    assert said(store, mine) == [("Un?", "un")]
    store.choose("me", mine, one)
    assert [text for text, _ in said(store, mine)] == ["One?", "Two?", "Three?"]
    assert store.record("me", mine).questions[0].siblings == (one, un)
    store.close()


def test_a_branch_remembers_its_own_branches(store: Store) -> None:
    mine = three(store)
    one, _, three_ = ids(store, mine)
    edited(store, mine, three_, "Trois?", "trois")
    un = edited(store, mine, one, "Un?", "un")
    store.choose("me", mine, one)
    assert [text for text, _ in said(store, mine)] == ["One?", "Two?", "Trois?"]
    store.choose("me", mine, un)
    store.choose("me", mine, three_)  # of a branch that is not shown: all of its way is
    assert [text for text, _ in said(store, mine)] == ["One?", "Two?", "Three?"]


def test_the_list_is_called_after_the_question_shown(store: Store) -> None:
    mine = three(store)
    one = ids(store, mine)[0]
    edited(store, mine, one, "Un?", "un")
    assert [entry.title for entry in store.entries("me")] == ["Un?"]
    store.choose("me", mine, one)
    assert [entry.title for entry in store.entries("me")] == ["One?"]


def test_versions_of_answers_stay_in_their_branch(store: Store) -> None:
    mine = three(store)
    three_ = ids(store, mine)[-1]
    answered(store, "me", mine, "three", "v4")
    store.choose("me", mine, "v3")
    edited(store, mine, three_, "Trois?", "trois")
    answered(store, "me", mine, "TROIS", "v5")
    store.choose("me", mine, three_)
    last = store.record("me", mine).questions[-1]
    assert ([version.id for version in last.versions], last.chosen) == (["v3", "v4"], "v3")
    store.choose("me", mine, "v4")
    assert said(store, mine)[-1] == ("Three?", "three")


def test_an_unanswered_edit_gives_way_to_the_next_question(store: Store) -> None:
    mine = three(store)
    two = ids(store, mine)[1]
    edited(store, mine, two, "Deux?")
    asked(store, "me", mine, "Zwei?")
    answered(store, "me", mine, "zwei", "v8")
    assert said(store, mine) == [("One?", "1"), ("Zwei?", "zwei")]
    siblings = store.record("me", mine).questions[1].siblings
    assert len(siblings) == 2 and siblings[0] == two
    store.choose("me", mine, two)
    assert [text for text, _ in said(store, mine)] == ["One?", "Two?", "Three?"]


# Undo and delete


@pytest.mark.parametrize(("undone", "shown"), [(0, 1), (1, 0), (2, 1)])
def test_undo_shows_the_neighbour(any_store: Store, undone: int, shown: int) -> None:
    store, mine = any_store, three(any_store)
    versions = [ids(store, mine)[2]]
    for text in ("Trois?", "Drei?"):
        versions.append(edited(store, mine, versions[0], text, text.lower()))
        store.choose("me", mine, versions[0])
    texts = ["Three?", "Trois?", "Drei?"]
    store.choose("me", mine, versions[undone])
    question, left = store.undo("me", mine)
    assert question.text == texts[undone] and [image.photo.name for image in question.images] == ["blue.png"]
    assert left == store.record("me", mine)
    assert left and left.questions[-1].id == versions[shown] and left.questions[-1].text == texts[shown]
    assert left.questions[-1].siblings == tuple(id_ for id_ in versions if id_ != versions[undone])


def test_undo_of_a_first_question_shows_its_other_branch(store: Store) -> None:
    mine = three(store)
    whole = said(store, mine)
    edited(store, mine, ids(store, mine)[0], "Un?", "un")
    question, left = store.undo("me", mine)
    assert question.text == "Un?" and left and said(store, mine) == whole
    for text in ("Three?", "Two?", "One?"):
        question, left = store.undo("me", mine)
        assert question.text == text
    assert left is None and store.entries("me") == []


def test_deleting_takes_every_branch_and_its_pictures(any_store: Store) -> None:
    store, mine = any_store, three(any_store)
    edited(store, mine, ids(store, mine)[0], "Un?", "un")
    folder = store._folder / "photos"
    assert len(list(folder.iterdir())) == 2, "the one of a hidden branch stays needed"
    store.sweep()
    store.choose("me", mine, store.record("me", mine).questions[0].siblings[0])
    assert [image.photo.image.size for q in store.record("me", mine).questions for image in q.images]
    store.delete("me", mine)
    assert list(folder.iterdir()) == [] and store.entries("me") == []
    with store._db.transaction() as db:
        for table in ("questions", "versions", "images", "photos"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_pictures_of_hidden_branches_outlive_a_day(store: Store, tmp_path: Path, clock: Clock) -> None:
    mine = three(store)
    edited(store, mine, ids(store, mine)[0], "Un?", "un")
    clock.now += 2 * DAY
    store.sweep()
    assert photo_ids(tmp_path) == {RED.id, BLUE.id}
    clock.now += 30.5 * DAY
    store.sweep()
    assert files(tmp_path) == set()


@pytest.mark.parametrize("deed", ["delete", "undo"])
def test_long_conversations_come_and_go(store: Store, deed: str) -> None:
    """Longer than SQLite lets one deletion bring about the next."""
    mine = three(store)
    first, parent = ids(store, mine)[0], ids(store, mine)[-1]
    with store._db.transaction() as db:
        for number in range(4, 2500):
            row = (f"q{number}", mine, number, f"{number}?", parent)
            db.execute(
                "INSERT INTO questions (id, conversation, number, text, parent) VALUES (?, ?, ?, ?, ?)", row
            )
            parent = f"q{number}"
    assert len(ids(store, mine)) == 2499
    edited(store, mine, first, "Un?", "un")
    deeds: dict[str, Callable[[], object]] = {
        "delete": lambda: store.delete("me", mine),
        "undo": lambda: store.undo("me", mine),
    }
    deeds[deed]()
    assert (store.entries("me") == []) == (deed == "delete")


def test_the_database_keeps_a_tree(store: Store) -> None:
    mine = three(store)
    _, two, _ = ids(store, mine)
    edited(store, mine, two, "Deux?", "deux")
    wrong = [
        ("UPDATE questions SET shown = 1", "two siblings shown"),
        ("DELETE FROM questions WHERE number = 1", "a question that others follow"),
    ]
    for statement, why in wrong:
        with pytest.raises(Exception) as raised, store._db.transaction() as db:
            db.execute(statement)
        assert isinstance(raised.value.__cause__ or raised.value, sqlite3.IntegrityError), why
    assert said(store, mine) == [("One?", "1"), ("Deux?", "deux")]
