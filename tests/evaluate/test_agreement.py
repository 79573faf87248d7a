"""`grounding-check`: two servers whose boxes are known, and what is said of them; bad cases first."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from internvl_demo.evaluate.agreement.pairs import Pairs, paired, together
from internvl_demo.evaluate.agreement.questions import Question, drawn
from internvl_demo.evaluate.agreement.report import agree
from internvl_demo.models.lmdeploy.launch import free_port
from internvl_demo.photos.coordinates import Box4
from tests.support.commands import run
from tests.support.model_endpoint import _text

QUESTIONS = drawn(6)
TRUTHS = sum(len(question.truth_1000 or ()) for question in QUESTIONS)


def moved(box: Box4, by: int) -> Box4:
    """The box, so many thousandths further left."""
    return box[0] - by, box[1], box[2] - by, box[3]


def tags(*boxes: Box4) -> str:
    return " ".join(f"<ref>it</ref><box>[{list(box)}]</box>" for box in boxes)


def shows(by: int = 0, only: int | None = None) -> Callable[[Question], str]:
    """What a server says that sees the truth, so many thousandths too far left, and so many boxes at most."""
    return lambda question: tags(*(moved(box, by) for box in (question.truth_1000 or ())[:only])) or "None."


@contextmanager
def server(says: Callable[[Question], str]) -> Iterator[str]:
    """A server that answers the drawn questions in turn, as often as they are asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing on the test's console."""

        def do_GET(self) -> None:
            known = self.path == "/v1/models"
            self._begin(200 if known else 404, "application/json")
            self.wfile.write(
                json.dumps({"object": "list", "data": [{"id": "m"}]}).encode() if known else b"{}"
            )

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            question = QUESTIONS[len(asked) % len(QUESTIONS)]
            asked.append(_text(body["messages"][-1]["content"]))
            said = says(question)
            if said == "BREAK":
                self._begin(500, "application/json")
                self.wfile.write(b'{"message": "broken"}')
                return
            self._begin(200, "text/event-stream")
            for content, finish in ((said, None), ("", "stop")):
                choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
                self.wfile.write(b"data: " + json.dumps({"id": "1", "choices": [choice]}).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")

        def _begin(self, status: int, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()


@pytest.fixture
def check() -> Iterator[Callable[..., Any]]:
    """Compares servers that say these things with the command; returns its JSON, or what it said of its failure."""
    with ExitStack() as stack:

        def check(one: Any, two: Any, *more: str, fails: bool = False) -> Any:
            urls = [stack.enter_context(server(says)) if callable(says) else says for says in (one, two)]
            done = run(
                "grounding-check", *urls, "--limit", str(len(QUESTIONS)), *(more or ("--json",)), fails=fails
            )
            return done.stderr if fails else json.loads(done.stdout) if not more else done.stdout

        yield check


def test_a_server_that_is_away_is_named_with_a_next_step(check: Callable[..., Any]) -> None:
    said = check(shows(), f"http://127.0.0.1:{free_port()}", fails=True).splitlines()
    assert said[0].startswith("B: ") and len(said) == 3 and "--endpoint" in said[2]


def test_a_server_that_writes_no_box_is_named_with_its_words(check: Callable[..., Any]) -> None:
    said = check(shows(), lambda _: "There is a cat on the left.", fails=True)
    assert "B wrote no box in 6 answers; the first is: 'There is a cat on the left.'." in said
    assert "special tokens" in said and "--ask" in said
    said = check(lambda _: "<box>[[4000, 20, 5000, 90]]</box>", shows(), fails=True)
    assert "A wrote 6 boxes that cannot be read" in said


def test_a_server_that_always_fails_is_an_error_and_not_a_score(check: Callable[..., Any]) -> None:
    said = check(lambda _: "BREAK", shows(), fails=True)
    assert said.startswith("A: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gpu", "http://127.0.0.1:9"), "'gpu' is no server"),
        (("a=http://127.0.0.1:9", "a=http://127.0.0.1:8"), "Both servers are called a"),
        (("http://127.0.0.1:9", "http://127.0.0.1:8", "--ask", "Where?"), "--pictures FOLDER --ask"),
        (
            ("http://127.0.0.1:9", "http://127.0.0.1:8", "--pictures", "nowhere", "--ask", "Where?"),
            "no folder",
        ),
        (("http://127.0.0.1:9", "http://127.0.0.1:8", "--mode", "99"), "low, standard, high"),
    ],
)
def test_words_that_mean_nothing_are_refused(words: tuple[str, ...], says: str) -> None:
    assert says in run("grounding-check", *words, fails=True).stderr


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    where = ("http://127.0.0.1:9", "http://127.0.0.1:8", "--pictures", str(tmp_path), "--ask", "Where?")
    assert "holds no pictures" in run("grounding-check", *where, fails=True).stderr
    (tmp_path / "broken.png").write_text("no picture either")
    assert "broken.png" in run("grounding-check", *where, fails=True).stderr


def test_the_same_boxes_agree_and_are_the_truth(check: Callable[..., Any]) -> None:
    found = check(shows(), shows())
    assert found["agree"] is True
    assert found["summary"].startswith(f"The engines agree: {TRUTHS} of {TRUTHS} boxes lie in one place")
    assert found["boxes"]["mean_iou"] == 1.0 and found["boxes"]["median_corner_1000"] == 0
    assert [engine["truth"]["matching"] for engine in found["engines"]] == [TRUTHS, TRUTHS]
    assert [engine["unreadable_answers"] for engine in found["engines"]] == [0, 0]


@pytest.mark.parametrize(("by", "agrees"), [(6, True), (14, False)])
def test_boxes_are_as_far_apart_as_they_were_moved(check: Callable[..., Any], by: int, agrees: bool) -> None:
    found = check(shows(), shows(by))
    assert found["boxes"]["median_corner_1000"] == by
    assert found["agree"] is agrees
    for question, told in zip(QUESTIONS, found["questions"], strict=True):
        ious = sorted(
            (x2 - x1 - by) / (x2 - x1 + by) for x1, _, x2, _ in question.truth_1000 or ()
        )  # moved along one side
        assert sorted(told["ious"]) == [pytest.approx(value, abs=0.001) for value in ious]
    first, second = (engine["truth"]["median_corner_1000"] for engine in found["engines"])
    assert (first, second) == (0, by)


def test_boxes_of_one_engine_alone_are_counted(check: Callable[..., Any]) -> None:
    found = check(shows(), shows(only=1))
    alone = TRUTHS - len(QUESTIONS)
    assert (found["boxes"]["missing"], found["boxes"]["extra"]) == (alone, 0)
    assert found["agree"] is False
    assert f"{alone} boxes are A's alone, 0 are B's." in found["summary"]
    other = check(shows(only=1), shows())
    assert (other["boxes"]["missing"], other["boxes"]["extra"]) == (0, alone)


def test_answers_that_cannot_be_read_are_counted_and_the_others_compared(check: Callable[..., Any]) -> None:
    def odd(question: Question) -> str:
        if question is QUESTIONS[0]:
            return "BREAK"
        return "<box>[[4000, 20, 5000, 90]]</box>" if question is QUESTIONS[1] else shows()(question)

    found = check(shows(), odd)
    assert [engine["unreadable_answers"] for engine in found["engines"]] == [0, 2]
    assert "2 of 6 answers of B could not be read as a whole." in found["summary"]
    assert found["questions"][0]["answers"][1]["error"]["what"]
    assert found["questions"][1]["answers"][1]["unreadable_boxes"] == 1
    assert found["questions"][2]["mean_iou"] == 1.0
    assert "B could not be read" in check(shows(), odd, "--mode", "low")


def test_people_get_a_line_for_each_question_and_a_sentence(check: Callable[..., Any]) -> None:
    said = check(shows(), shows(6), "--mode", "low")
    assert len(re.findall(r"^drawn \d+ ", said, re.MULTILINE)) == len(QUESTIONS)
    assert f"A against the truth: {TRUTHS} of {TRUTHS} found, mean IoU 1.000, 0 missing, 0 too many" in said
    assert said.splitlines()[-1].startswith("The engines agree: ")


def test_own_pictures_are_asked_what_was_given(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    box = tags((100, 100, 300, 300))
    with server(lambda _: box) as one, server(lambda _: box) as two:
        folder = ("--pictures", tmp_path, "--ask", "Where is it?")
        done = run("grounding-check", f"fast={one}", f"slow={two}", *folder, "--json")
    found = json.loads(done.stdout)
    assert [row["picture"] for row in found["questions"]] == ["a.jpg", "b.png"]
    assert {row["question"] for row in found["questions"]} == {"Where is it?"}
    assert [engine["name"] for engine in found["engines"]] == ["fast", "slow"]
    assert [engine["truth"] for engine in found["engines"]] == [None, None]


def test_servers_are_known_by_the_names_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(shows()) as one, server(shows()) as two:
        monkeypatch.setenv("INTERNVL_ENDPOINT", f"fast={one} slow={two} third=http://127.0.0.1:9")
        monkeypatch.setenv("INTERNVL_API_KEY", "fast=k third=l")
        done = run("grounding-check", "slow", "fast", "--limit", "2", "--json")
        assert [engine["name"] for engine in json.loads(done.stdout)["engines"]] == ["slow", "fast"]
        said = run("grounding-check", "slow", "fats", fails=True).stderr
        assert "fast, slow, third" in said


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ([], [], Pairs()),
        ([(0, 0, 100, 100)], [], Pairs(missing=1)),
        ([(0, 0, 100, 100)], [(100, 0, 200, 100)], Pairs(missing=1, extra=1)),
        ([(0, 0, 100, 100)], [(0, 0, 100, 50), (0, 0, 100, 90)], Pairs((0.9,), (0.0, 10.0), 0, 1)),
    ],
    ids=["nothing", "one alone", "side by side", "the nearer of two"],
)
def test_each_box_has_one_partner_at_most(first: list[Box4], second: list[Box4], told: Pairs) -> None:
    found = paired(first, second)
    assert found == told and agree(together([found])) is False
    assert paired(second, first) == Pairs(told.ious, told.corners_1000, told.extra, told.missing)
