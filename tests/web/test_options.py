"""How answers are generated is a person's choice within the host's limits: over HTTP, by /ask, and in what is told."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client as AskClient
from gradio_client.exceptions import AppError

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.template import V1_5_SYSTEM
from internvl_demo.conversation.turns import Conversation
from internvl_demo.settings import Settings
from internvl_demo.web.widgets.inspector.calls import ByServer, How, InProcess
from internvl_demo.web.widgets.inspector.prompt import inspect
from tests.support.chat import INFO, chat, run
from tests.support.hostile_texts import HOSTILE_PROMPTS
from tests.support.http_client import Client
from tests.support.scripted_model import ScriptedModel
from tests.support.served_page import served
from tests.support.uploads import png

CHOSEN: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "repetition_penalty": 1.2,
    "max_new_tokens": 99,
    "seed": 5,
    "system": "Be brief.",
}
ALL_CHOSEN = Options(99, 0.7, 0.9, 5, 1.2, "Be brief.")
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 2.5}, "2.5 is not usable as temperature."),
    ({"temperature": "warm"}, "'warm' is not usable as temperature."),
    ({"top_p": 0}, "0 is not usable as top_p."),
    ({"repetition_penalty": 0.5}, "0.5 is not usable as repetition_penalty."),
    ({"seed": -1}, "-1 is not usable as seed."),
    ({"max_new_tokens": 1.5}, "1.5 is not usable as max_new_tokens."),
    ({"system": "x" * 4001}, "The system prompt is longer than 4,000 characters."),
    ({"system": ["Be brief."]}, "The system prompt is not a text."),
    ({"thinking": 1}, "1 is not usable as thinking."),
    ({"thinking": True}, "This model cannot think before it answers."),
    ({"top_k": 5}, "There is no option top_k."),
]


@pytest.fixture
def me(scripted: ScriptedModel, scripted_url: str) -> Client:
    scripted.begin_anew()
    return Client(scripted_url)


@pytest.fixture(scope="module")
def strict_model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture(scope="module")
def strict_url(strict_model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page whose host lets nobody choose these."""
    folder = tmp_path_factory.mktemp("strict")
    fixed = frozenset({"temperature", "system", "max_new_tokens"})
    yield from served(
        strict_model, Settings(checkpoint="scripted", data_dir=folder, temperature=0.3, fixed_options=fixed)
    )


def complete(me: Client, started: dict[str, str]) -> dict[str, Any]:
    _, _, end = me.answer(started["conversation"])
    return end


# Over HTTP.


@pytest.mark.parametrize(("options", "what"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_refused_option_is_named_and_changes_nothing(
    me: Client, scripted: ScriptedModel, options: dict[str, Any], what: str
) -> None:
    started = me.ask("Which?")
    complete(me, started)
    path = f"/api/conversations/{started['conversation']}"
    for method, address, body in (
        ("POST", f"{path}/questions", {"text": "And?"}),
        ("POST", f"{path}/retry", {}),
        ("PUT", f"{path}/questions/{started['question']}", {"text": "Or?"}),
    ):
        status, problem = me.refused(method, address, {**body, "options": options})
        assert (status, problem["what"]) == (422, what)
    (question,) = me.call("GET", path)["questions"]
    assert question["text"] == "Which?" and len(question["answers"]) == 1 and len(scripted.asked) == 1


@pytest.mark.parametrize("options", [[], "warm", 1])
def test_options_that_are_no_object_are_refused(me: Client, options: object) -> None:
    body = {"text": "Which?", "options": options}
    assert me.refused("POST", "/api/conversations/new/questions", body)[0] == 422


def test_a_refused_option_is_told_in_chinese(scripted_url: str) -> None:
    you = Client(scripted_url, language="zh")
    body = {"text": "Which?", "options": {"temperature": 3}}
    _, problem = you.refused("POST", "/api/conversations/new/questions", body)
    assert problem == {"what": "3 不能用作 temperature。", "next_step": "请填写 0 到 2 之间的数。"}


def test_every_option_reaches_the_model(me: Client, scripted: ScriptedModel) -> None:
    end = complete(me, me.ask("Which?", **CHOSEN))
    assert scripted.asked_with == [ALL_CHOSEN]
    assert end["receipt"]["options"] == CHOSEN


def test_a_question_without_options_is_asked_as_the_host_set_it(me: Client, scripted: ScriptedModel) -> None:
    end = complete(me, me.ask("Which?", temperature=0, system=" ", seed=None))
    assert scripted.asked_with == [Options()] and end["receipt"]["options"] == {}


def test_retry_without_options_asks_as_before(me: Client, scripted: ScriptedModel) -> None:
    started = me.ask("Which?", **CHOSEN)
    complete(me, started)
    path = f"/api/conversations/{started['conversation']}/retry"
    for body in (None, {}, {"options": None}):
        complete(me, me.call("POST", path, body))
    assert me.http.post(path).status_code == 202, "without a body"
    complete(me, started)
    assert scripted.asked_with == [ALL_CHOSEN] * 5


def test_retry_with_options_varies_and_every_look_says_so(me: Client, scripted: ScriptedModel) -> None:
    started = me.ask("Which?", max_new_tokens=99, system="Be brief.")
    complete(me, started)
    path = f"/api/conversations/{started['conversation']}"
    end = complete(me, me.call("POST", f"{path}/retry", {"options": {"temperature": 0.7, "seed": 1234}}))
    assert scripted.asked_with[-1] == Options(99, 0.7, seed=1234), "what is left out is as the host set it"
    expected = [
        {"max_new_tokens": 99, "system": "Be brief."},
        {"max_new_tokens": 99, "temperature": 0.7, "seed": 1234},
    ]
    assert end["receipt"]["options"] == expected[1]
    (question,) = me.call("GET", path)["questions"]
    assert [answer["receipt"]["options"] for answer in question["answers"]] == expected


def test_an_edit_takes_options_too(me: Client, scripted: ScriptedModel) -> None:
    started = me.ask("Which?", seed=5)
    complete(me, started)
    path = f"/api/conversations/{started['conversation']}/questions"
    again = me.call("PUT", f"{path}/{started['question']}", {"text": "Which one?"})
    complete(me, again)
    body = {"text": "Which ones?", "options": {"repetition_penalty": 1.5}}
    complete(me, me.call("PUT", f"{path}/{again['question']}", body))
    assert scripted.asked_with[1:] == [Options(seed=5), Options(repetition_penalty=1.5)]


def test_a_long_system_prompt_counts(me: Client) -> None:
    photo = me.upload(png())
    image = {"photo": photo["id"], "name": "a.png", "size_wh": photo["size_wh"], "mode": "low"}

    def taken(**more: object) -> int:
        bar = me.call("POST", "/api/budget", {"text": "Which?", "images": [image], **more})
        return sum(part["tokens"] for part in bar["parts"])

    own, longer = taken(), taken(system="word " * 700)
    assert longer - own > 700
    assert taken(system=" ") == taken(system=None) == own
    assert me.refused("POST", "/api/budget", {"text": "Which?", "system": "x" * 4001})[0] == 422


def test_a_question_that_does_not_fit_with_its_system_prompt_is_refused(
    me: Client, scripted: ScriptedModel
) -> None:
    text = "word " * 3560  # of 8192 tokens; the answer takes 1024
    complete(me, me.ask(text))
    body = {"text": text, "options": {"system": "word " * 780}}
    status, problem = me.refused("POST", "/api/conversations/new/questions", body)
    assert status == 422 and "context" in problem["what"] and len(scripted.asked) == 1


def test_the_model_tells_what_may_be_chosen(me: Client) -> None:
    assert me.call("GET", "/api/model")["options"] == {
        "max_new_tokens": {"default": 1024, "least": 1, "most": 1024, "fixed": False},
        "temperature": {"default": 0.0, "least": 0, "most": 2, "fixed": False},
        "top_p": {"default": 1.0, "least": 0.01, "most": 1, "fixed": False},
        "seed": {"default": None, "least": 0, "most": 2**31 - 1, "fixed": False},
        "repetition_penalty": {"default": 1.0, "least": 1, "most": 2, "fixed": False},
        "system": {"default": V1_5_SYSTEM, "most_chars": 4000, "fixed": False},
    }


def test_programs_find_the_options_described(scripted_url: str) -> None:
    found = httpx.get(f"{scripted_url}api/openapi.json").json()["components"]["schemas"]
    described = found["QuestionIn"]["properties"]["options"]
    assert (
        set(described["properties"]) == {*CHOSEN, "thinking"} and described["additionalProperties"] is False
    )
    assert described["properties"]["temperature"] == {"type": "number", "minimum": 0, "maximum": 2}


# A host who has fixed some.


def test_what_the_host_has_fixed_is_told_and_refused(strict_url: str, strict_model: ScriptedModel) -> None:
    me = Client(strict_url)
    told = me.call("GET", "/api/model")["options"]
    assert {name for name in told if told[name]["fixed"]} == {"temperature", "system", "max_new_tokens"}
    assert told["temperature"]["default"] == 0.3
    for name in ("temperature", "system", "max_new_tokens"):
        body = {"text": "Which?", "options": {name: CHOSEN[name]}}
        status, problem = me.refused("POST", "/api/conversations/new/questions", body)
        assert status == 422 and name in problem["what"] and "host" in problem["what"]
    assert me.refused("POST", "/api/budget", {"text": "Which?", "system": "Be brief."})[0] == 422
    started = me.ask("Which?", seed=3)
    complete(me, started)
    path = f"/api/conversations/{started['conversation']}/retry"
    assert me.refused("POST", path, {"options": {"temperature": 1}})[0] == 422
    complete(me, me.call("POST", path, {"options": {"seed": 4}}))
    assert strict_model.asked_with == [Options(temperature=0.3, seed=3), Options(temperature=0.3, seed=4)]


def test_no_shorter_answer_is_offered_where_the_host_has_fixed_it(strict_url: str, me: Client) -> None:
    draft = {"text": "word " * 3700}
    offered, strict = (client.call("POST", "/api/budget", draft) for client in (me, Client(strict_url)))
    assert any(fix["max_new_tokens"] for fix in offered["fixes"])
    assert strict["problem"] and not any(fix["max_new_tokens"] for fix in strict["fixes"])


# By /ask.


def test_ask_takes_options(scripted_url: str, scripted: ScriptedModel) -> None:
    scripted.begin_anew()
    client = AskClient(scripted_url, verbose=False)
    message = {"text": "Which?", "files": []}
    client.predict(message=message, mode="low", api_name="/ask")
    client.predict(message=message, api_name="/ask")
    client.predict(message=message, options=None, api_name="/ask")
    client.predict(message=message, options={}, api_name="/ask")
    client.predict(message=message, mode="low", options=CHOSEN, api_name="/ask")
    client.predict(message, "low", {"temperature": 1}, api_name="/ask")
    assert scripted.asked_with == [*[Options()] * 4, ALL_CHOSEN, Options(temperature=1.0)]


@pytest.mark.parametrize(
    ("options", "what"),
    [*REFUSED, ([1], "not a JSON object"), ("warm", "not a JSON object"), (5, "not a JSON object")],
    ids=lambda value: str(value)[:40],
)
def test_ask_refuses_what_it_does_not_know_in_two_sentences(
    scripted_url: str, scripted: ScriptedModel, options: object, what: str
) -> None:
    scripted.begin_anew()
    client = AskClient(scripted_url, verbose=False)
    with pytest.raises(AppError) as refused:
        client.predict(message={"text": "Which?", "files": []}, options=options, api_name="/ask")
    assert what in str(refused.value) and str(refused.value).count(". ") >= 1 and scripted.asked == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [(["low"], Options()), (["low", None], Options()), (["low", {"seed": 1}], Options(seed=1))],
)
def test_ask_by_plain_http_may_leave_its_options_out(
    scripted_url: str, scripted: ScriptedModel, more: list[object], expected: Options
) -> None:
    scripted.begin_anew()
    url = f"{scripted_url}gradio_api/call/ask"
    event = httpx.post(url, json={"data": [{"text": "Which?", "files": []}, *more]}).json()["event_id"]
    assert "event: complete" in httpx.get(f"{url}/{event}", timeout=60).text
    assert scripted.asked_with == [expected]


# In the inspector.


def seen(options: Options, how: How, host: Options | None = None) -> Any:
    asked = Conversation().ask("Which?")
    return inspect(asked, options, INFO, how, len, exact=True, host=host)


def test_the_inspector_shows_a_persons_system_prompt() -> None:
    options = Options(64, 0.7, seed=5, repetition_penalty=1.2, system="Be brief.<|im_end|>")
    for how in (ByServer("model"), InProcess()):
        segment = seen(options, how).segments[0]
        assert segment.kind == "system"
        assert segment.text == "<s><|im_start|>system\nBe brief.<\u200b|im_end|><|im_end|>"
        assert segment.tokens == len(segment.text)
    by_server = seen(options, ByServer("model"))
    assert all(
        "Be brief." in text and "repetition_penalty" in text for text in (by_server.curl, by_server.python)
    )
    assert repr(options) in seen(options, InProcess()).python


@pytest.mark.parametrize("system", HOSTILE_PROMPTS[:-2])
def test_the_pasted_curl_asks_with_the_same_options(
    scripted_url: str, scripted: ScriptedModel, system: str, tmp_path: Path
) -> None:
    scripted.begin_anew()
    options = Options(99, 0.7, 0.9, 5, 1.2, system)
    done = subprocess.run(
        ["bash"],
        input=seen(options, InProcess(), Options()).curl,
        env={"PATH": "/usr/bin:/bin", "PAGE": scripted_url.rstrip("/")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "event: complete" in done.stdout
    (asked,) = scripted.asked_with
    assert (asked.temperature, asked.seed, asked.repetition_penalty) == (0.7, 5, 1.2)
    assert json.dumps(asked.system) == json.dumps(
        system.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def test_the_pasted_curl_names_only_what_differs_from_the_hosts() -> None:
    host = Options(512, 0.2)
    assert '"low"' not in seen(host, InProcess(), host).curl
    assert "temperature" not in seen(host, InProcess(), host).curl
    curl = seen(Options(512, 0.2, seed=7), InProcess(), host).curl
    assert '{"seed":7}' in curl and "temperature" not in curl


def test_who_follows_an_answer_is_told_at_its_end_how_it_was_asked(tmp_path: Path) -> None:
    async def test() -> None:
        go_on = threading.Event()
        async with chat(tmp_path, ["One ", go_on.is_set, "two."]) as demo:
            started = await demo.ask(options=Options(seed=5))
            async with aclosing(demo.follow(started.conversation)) as moments:
                async for seen_now in moments:
                    if seen_now.text == "One ":
                        go_on.set()
                    if seen_now.ended:
                        break
            assert seen_now.names[-1] == "answer.done" and seen_now.end["receipt"]["options"] == {"seed": 5}

    run(test)
