"""Errors speak the reader's language: every sentence that may reach the page has a Chinese one, and values are data."""

import ast
import asyncio
import importlib
import json
import pickle
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.answering.queue import QueueFull
from internvl_demo.errors import BackendError, DemoError, PhotoError, Sentence
from internvl_demo.models.lmdeploy.backend import notice_of
from internvl_demo.models.lmdeploy.launch import Status
from internvl_demo.models.lmdeploy.progress import Stage
from internvl_demo.models.openai.errors import refusal
from internvl_demo.photos.decode import called, open_photo, read_photo
from internvl_demo.store.records import INTERRUPTED, Failure
from internvl_demo.web.follow import Follower
from internvl_demo.web.language import Words, table
from tests.support.chat import chat, events_of
from tests.support.stores import Clock, open_at
from tests.support.uploads import png

CHINESE = table("errors.zh")
in_chinese = Words("zh").sentence

ROOT = Path(__file__).parents[2] / "internvl_demo"
ELSEWHERE = (
    *("cli.py", "settings.py", "__main__.py", "bench", "nano", "evaluate", "models/convert"),  # commands
    *(f"models/lmdeploy/{name}.py" for name in ("capacity", "command", "launch", "supervisor")),
    *("store/database.py", "models/__init__.py"),  # while the app starts
    *("web/app.py", "web/probes.py"),  # the app's start, `/ask`, `/readyz`
)
"""Whose errors never reach the page."""
NEVER_SHOWN = ("SetupError", "CheckpointError")
"""Errors of starting, wherever they are raised."""
DECIDED_EARLIER = {
    "store/faults.py": ("what", "next_step"),
    "store/rows.py": ("row['what']", "row['next_step'] or ''", "what", "next_step"),
    "models/openai/errors.py": ("what", "next_step"),
    "models/lmdeploy/backend.py": ("what",),
    "models/local/zerogpu.py": ("isinstance(error, ContextError)",),
}
"""What calls name that holds one of a module's own sentences, which are all looked at, or one that was kept."""
PLACE = re.compile(r"\{(\w+)\}")


def reachable() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if not name.startswith(ELSEWHERE) and name != "errors.py":
            yield path


def makes_sentences(call: ast.Call) -> bool:
    """Whether the call makes an error's two sentences, or one of them."""
    if isinstance(call.func, ast.Attribute):
        words = [said for said in call.args if isinstance(said, ast.Constant) and isinstance(said.value, str)]
        return call.func.attr == "__init__" and bool(words)
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    ours = name in ("Sentence", "Failure") or (name.endswith("Error") and is_ours(name))
    return ours and name not in NEVER_SHOWN


def is_ours(name: str) -> bool:
    known, more = {DemoError}, {DemoError}
    while more:
        more = {kind for each in more for kind in each.__subclasses__()} - known
        known |= more
    return name in {kind.__name__ for kind in known}


def sentences(path: Path) -> Iterator[tuple[int, str, set[str]]]:
    """Line, template and the values given, of everything that may be said; fails on what nobody can look up."""
    here = str(path.relative_to(ROOT))
    module = importlib.import_module(
        "internvl_demo." + here.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    )
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(call, ast.Call) or not makes_sentences(call):
            continue
        given = {keyword.arg for keyword in call.keywords if keyword.arg}
        for said in call.args:
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield call.lineno, said.value, given
            elif isinstance(said, ast.Name) and isinstance(getattr(module, said.id, None), str):
                text = getattr(module, said.id)
                known = isinstance(text, Sentence)
                yield call.lineno, text.template if known else text, given | set(text.values if known else ())
            elif isinstance(said, ast.Attribute) and said.attr in ("what", "next_step", "details"):
                continue  # another error's, which was looked at where it was made
            elif isinstance(said, ast.Starred):
                continue  # a Failure's
            elif isinstance(said, ast.Call) and ast.unparse(said.func) == "Sentence.of_data":
                continue  # one of before
            else:
                named = ast.unparse(said)
                assert named in DECIDED_EARLIER.get(here, ()), f"{here}:{call.lineno} {named}"


@pytest.mark.parametrize("path", list(reachable()), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_that_may_reach_the_page_is_there_in_chinese(path: Path) -> None:
    for line, said, values in sentences(path):
        assert said in CHINESE, f"{path.name}:{line} has no Chinese: {said}"
        assert set(PLACE.findall(said)) <= values, f"{path.name}:{line} lacks a value: {said}"


def test_no_chinese_is_left_of_an_error_that_is_gone() -> None:
    said = {said for path in reachable() for _, said, _ in sentences(path)}
    assert set(CHINESE) - said == set()


@pytest.mark.parametrize("english", CHINESE)
def test_both_languages_name_the_same_values_and_end_well(english: str) -> None:
    chinese = CHINESE[english]
    assert Counter(PLACE.findall(english)) == Counter(PLACE.findall(chinese))
    assert not re.search(r"[\u4e00-\u9fff]", english)
    if english.endswith("."):
        assert chinese.endswith("。") or english == "It begins with https:// ..."
    assert "{}" not in chinese and not re.search(r"[\u4e00-\u9fff][,;?!:]", chinese), "Chinese signs"


HOSTILE = [
    "{}",
    "<b>",
    "{name.__class__}",
    "{name}",
    "{problem}",
    "{0}",
    "%s %(name)s",
    "a\n{limit}",
    "文件是空的。",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_braces_and_brackets_in_a_name_are_harmless(name: str) -> None:
    error = called(
        name, PhotoError("The file is larger than {limit} MB.", "Choose a smaller picture.", limit=32)
    )
    assert error.what == f"{name}: The file is larger than 32 MB."
    assert str(error) == f"{error.what} {error.next_step}"
    assert in_chinese(error.what) == f"{name}：文件超过 32 MB。"
    assert in_chinese(error.next_step) == "请换一张较小的图片。"


def test_an_error_in_words_of_its_own_is_shown_as_it_is() -> None:
    error = BackendError("{x} {0} {name.__class__}", "%s")
    assert (error.what, in_chinese(error.what), in_chinese(error.next_step)) == (
        "{x} {0} {name.__class__}",
    ) * 2 + ("%s",)


@given(st.text(), st.text())
def test_whatever_a_value_is_it_stands_there_once_and_whole(one: str, other: str) -> None:
    template = "The connection to {endpoint} failed ({cause}). {check}"
    sentence = Sentence(template, endpoint=one, cause=other, check="{cause}")
    assert sentence == f"The connection to {one} failed ({other}). {{cause}}"
    assert in_chinese(sentence) == f"无法连接 {one}（{other}）。{{cause}}"


@pytest.mark.parametrize(
    ("error", "chinese"),
    [
        (
            refusal(503, {"message": "{busy} <b>"}),
            "模型暂时无法回答。请稍等片刻，再重新发送问题。"
            "模型服务器拒绝了请求（HTTP 503：{busy} <b>）。请查看模型服务器的日志。",
        ),
        (
            refusal(502, "<html>x</html>"),
            "模型暂时无法回答。请稍等片刻，再重新发送问题。"
            "模型服务器拒绝了请求（HTTP 502：返回了网页）。请查看模型服务器的日志。",
        ),
        (
            refusal(401, {"message": "{x}"}),
            "模型不接受本页的提问。请告知本页的管理员；在此之前问题无法得到回答。"
            "模型服务器拒绝了请求（HTTP 401：{x}）。请将 INTERNVL_API_KEY 设为模型服务器接受的密钥。",
        ),
        (QueueFull(2, 5), "模型正忙：正在回答 2 个问题，另有 5 个在排队。请稍等片刻，再重新发送问题。"),
        (
            notice_of(Status(Stage.LOADING, percent=35, restarts=2, reason="no reason")),
            "模型正在加载。请等它就绪后再发送问题，届时本页会提示。"
            "模型服务器正在加载模型权重（35%），此前已重启 2 次：no reason。",
        ),
        (
            notice_of(Status(Stage.STARTING)),
            "模型正在启动。请等它就绪后再发送问题，届时本页会提示。模型服务器正在启动。",
        ),
        (
            notice_of(Status(Stage.FAILED, reason="{why}")),
            "模型已停止，且不再重新启动。请告知本页的管理员；在此之前问题无法得到回答。"
            "模型服务器已退出，不再重启：{why}。请排除原因后重新启动应用；服务器日志见应用的终端。",
        ),
        (DemoError(*INTERRUPTED), "回答过程中演示程序退出了。请点击“重试”，获取完整回答。"),
    ],
)  # fmt: skip
def test_an_error_reads_right_in_chinese(error: DemoError, chinese: str) -> None:
    shown = Words("zh").problem(error)
    assert "".join(shown.values()) == chinese
    assert Words().problem(error) == {name: str(text) for name, text in error.as_dict().items()}
    assert {type(text) for text in shown.values()} == {str}


@pytest.mark.parametrize(
    ("data", "chinese"),
    [
        (b"", "{}.png：文件是空的。"),
        (png()[:60], "{}.png：图片已损坏或不完整。"),
        (b"%PDF-1.7", "{}.png：文件是 PDF 文档，此处无法读取。"),
        (png((1, 9)), "{}.png：图片只有 1 × 9 像素。"),
    ],
)
def test_a_file_that_is_no_picture_is_told_in_chinese(tmp_path: Path, data: bytes, chinese: str) -> None:
    path = tmp_path / "{}.png"
    path.write_bytes(data)
    with pytest.raises(PhotoError) as refused:
        open_photo(path)
    assert in_chinese(refused.value.what) == chinese
    assert in_chinese(refused.value.next_step).startswith("请")


# On its way through other hands.


@pytest.mark.parametrize("name", HOSTILE)
def test_an_error_crosses_to_another_process_with_its_words(name: str) -> None:
    with pytest.raises(PhotoError) as refused:
        read_photo(b"%PDF")
    error = called(name, refused.value)
    for came in (
        pickle.loads(pickle.dumps(error.what)),
        Sentence.of_data(json.loads(json.dumps(error.what.data()))),
    ):
        assert came == error.what and in_chinese(came) == f"{name}：文件是 PDF 文档，此处无法读取。"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_like)
def test_whatever_a_browser_makes_of_it_becomes_words_and_no_more(data: object) -> None:
    sentence = Sentence.of_data(data)
    assert isinstance(in_chinese(sentence), str)
    assert Sentence.of_data(sentence.data()) == sentence


@pytest.mark.parametrize(
    ("language", "what", "details"),
    [
        ("zh", "模型处理此问题时出错。", "模型服务器拒绝了请求（HTTP 500：{x} <b>）。"),
        ("en", "The model failed at this question.", "The model server refused (HTTP 500: {x} <b>)."),
    ],
)
def test_a_kept_error_speaks_its_readers_language(
    tmp_path: Path, language: str, what: str, details: str
) -> None:
    async def test() -> None:
        async with chat(tmp_path, [refusal(500, {"message": "{x} <b>"})]) as demo:
            conversation = (await demo.ask()).conversation
            await demo.last(conversation)
            follower = Follower(demo.service, "me", conversation, Words(language))
            async with aclosing(follower.stream()) as stream:
                ((_, name, data),) = events_of(await anext(stream))
            failure = data["questions"][0]["answers"][0]["failure"]
            assert (name, failure["what"]) == ("conversation", what)
            assert failure["details"].startswith(details)

    asyncio.run(test())


@pytest.mark.parametrize(
    "kept", [None, '[["It broke at {x}.", {}], ["Send the question again.", {}]]'], ids=["words", "two parts"]
)
def test_an_error_kept_by_an_earlier_version_is_shown(tmp_path: Path, kept: str | None) -> None:
    store = open_at(tmp_path, Clock())
    conversation = store.ask("me", None, "Where?", version_id="v1", model="model").id
    store.finish("v1", "broken", "Half", failure=Failure("It broke at {x}.", "Send the question again."))
    with store._db.transaction() as db:
        db.execute("UPDATE versions SET failure = ?", (kept,))
    failure = store.record("me", conversation).questions[0].versions[0].failure
    store.close()
    assert failure and Words("zh").problem(DemoError(*failure)) == {
        "what": "It broke at {x}.",
        "next_step": "请重新发送问题。",
    }
