"""Streaming to many readers: what a reader is counted to have got, and that no lost one is missed.

The scripted server runs in the test's own loop; `FakePage` is the page's HTTP interface with a fault for each
question that it is asked.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from internvl_demo.bench.camera import numbered
from internvl_demo.bench.processes import cpu_s_of_tree, free_port, rss_bytes_of_tree
from internvl_demo.bench.stream import KINDS, ratios, summary, table
from internvl_demo.bench.stream_http import Event, EventParser, Refused, unchunked
from internvl_demo.bench.stream_load import (
    ModelServer,
    OurPage,
    Reader,
    account,
    apply_edits,
    measure_readers,
)
from internvl_demo.bench.stream_server import PROMPT_TOKENS, serve
from internvl_demo.bench.stream_text import asked_tokens, question_for, text_of, tokens_of, tokens_received
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.base import Usage
from internvl_demo.models.openai.backend import ServerBackend
from tests.support.scripted_server import chunk, in_a_loop, whole

TOKENS = 30
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PID = 1


# --- text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 20, 800])
def test_text_has_the_tokens_asked_for(count: int) -> None:
    assert len(tokens_of(count)) == count
    assert asked_tokens(f"Please. {question_for(count)}") == count
    assert text_of(count) == text_of(count).strip()


def test_only_whole_tokens_count() -> None:
    first, second = tokens_of(800)[:2]
    assert tokens_received("", 800) == 0
    assert tokens_received(first + second, 800) == 2
    assert tokens_received(first + second[:-1], 800) == 1
    assert tokens_received(first + "?" + text_of(800), 800) == 1
    assert tokens_received(text_of(800), 800) == 800


# --- events -------------------------------------------------------------------------------------------------

WHOLE = (
    EVENTS
    + chunk(b": alive\n\nid: 1\nevent: answer.de")
    + chunk(b'lta\ndata: {"text": "a"}\n\n')
    + chunk(b"data: one\r\ndata: two\r\n\r\nevent: nothing\n\n")
    + b"0\r\n\r\n"
)
HEARD = [Event("answer.delta", b'{"text": "a"}'), Event("message", b"one\ntwo")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(WHOLE)])
def test_every_cut_gives_the_same_events(size: int) -> None:
    parser = EventParser()
    pieces = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
    assert [event for piece in pieces for event in parser.feed(piece)] == HEARD


def test_another_status_is_refused() -> None:
    with pytest.raises(Refused, match="503"):
        EventParser().feed(whole(503, "application/json", b"{}"))


def test_a_body_in_chunks_is_put_together() -> None:
    assert unchunked(chunk(b"one ") + chunk(b"two") + b"0\r\n\r\n") == b"one two"


def test_edits_of_gradio_make_the_whole_value() -> None:
    chat = [{"content": [{"text": "Hi"}]}, {"content": [{"text": "A"}]}]
    chat = apply_edits(chat, [["append", [1, "content", 0, "text"], " light"]])
    assert chat[1]["content"][0]["text"] == "A light"
    assert apply_edits(chat, [["add", [2], "x"], ["delete", [0], None], ["replace", [0], "y"]]) == ["y", "x"]
    assert apply_edits("a", [["append", [], "b"]]) == "ab"


# --- the scripted server ------------------------------------------------------------------------------------


@asynccontextmanager
async def scripted(tokens_per_s: float = 500) -> AsyncIterator[str]:
    port = free_port()
    serving = asyncio.create_task(serve(port, tokens_per_s, TOKENS))
    for _ in range(100):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    serving.cancel()


@in_a_loop
async def test_our_client_reads_the_scripted_server() -> None:
    async with scripted() as url:
        backend = ServerBackend(url)
        assert (await backend.describe()).name == "internvl-chat-v1-5"
        asked = Conversation().ask(question_for(50))
        pieces = [piece async for piece in backend.stream(asked, Options(max_new_tokens=50))]
        await backend.close()
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == text_of(50)
    assert pieces[-1] == Usage(PROMPT_TOKENS, 50)


@in_a_loop
async def test_readers_of_the_server_get_all_at_its_rate() -> None:
    async with scripted(tokens_per_s=100) as url:
        row = await measure_readers(ModelServer(url), 5, TOKENS, PID, 20)
    assert row["losses"] == {}
    assert row["tokens_received"] == 5 * TOKENS
    assert row["first_text_p50_ms"] < 200
    assert row["wall_s"] >= (TOKENS - 1) / 100 - 0.02


# --- a page with faults -------------------------------------------------------------------------------------


def sent(name: str, **data: object) -> bytes:
    return chunk(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())


def seen(text: str, state: str = "running") -> bytes:
    answers = [{"id": "A", "text": text, "state": state}]
    return sent("conversation", id="C", questions=[{"answers": answers}])


WANTED = text_of(TOKENS)
DELTAS = b"".join(sent("answer.delta", answer="A", text=token) for token in tokens_of(TOKENS)[5:])
BEGUN = "".join(tokens_of(TOKENS)[:5])
DONE = sent("answer.done", answer="A", state="complete")
GOOD = EVENTS + seen(BEGUN) + sent("answer.block", html="<p>", length=3) + DELTAS + DONE
LATE = EVENTS + seen(WANTED, "complete")
FAULTS = {
    "refused with 503": whole(503, "application/json", b"{}"),
    "closed early": EVENTS + seen(BEGUN) + DELTAS,
    "text incomplete": EVENTS + seen(BEGUN) + DONE,
    "another text": EVENTS + seen("What?") + DELTAS + DONE,
    "failed: The server left.": EVENTS + seen(BEGUN) + sent("answer.failed", what="The server left."),
    "no end after 1 s": EVENTS + seen(WANTED) + b"wait",
}


@asynccontextmanager
async def fake_page(*scripts: bytes, refuses: int = 0) -> AsyncIterator[str]:
    """A page that refuses the first questions, and then answers each next follower by the next script."""
    left, refusals = list(scripts), [503] * refuses

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert "Authorization: Bearer " in head
        if head.startswith("POST /api/conversations/new/questions "):
            asked = json.dumps({"conversation": "C", "question": "Q", "answer": "A"}).encode()
            writer.write(whole(refusals.pop() if refusals else 202, "application/json", asked))
        else:
            assert head.startswith("GET /api/conversations/C/events?blocks=1 ")
            script = left.pop(0)
            writer.write(script.removesuffix(b"wait"))
            if script.endswith(b"wait"):
                await reader.read()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(handle, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"


@in_a_loop
async def test_a_whole_answer_is_no_loss() -> None:
    async with fake_page(GOOD, LATE) as url:
        row = await measure_readers(OurPage(url), 2, TOKENS, PID, 20)
    assert (row["readers_lost"], row["losses"]) == (0, {})
    assert row["tokens_received"] == 2 * TOKENS


@in_a_loop
async def test_every_lost_reader_is_counted() -> None:
    async with fake_page(GOOD, *FAULTS.values(), refuses=1) as url:
        row = await measure_readers(OurPage(url), 2 + len(FAULTS), TOKENS, PID, 1)
    assert row["losses"] == dict.fromkeys(FAULTS, 1) | {"refused with 503": 2}
    assert row["readers_lost"] == 1 + len(FAULTS)


@in_a_loop
async def test_nobody_there_is_a_loss() -> None:
    row = await measure_readers(OurPage(f"http://127.0.0.1:{free_port()}"), 3, TOKENS, PID, 20)
    assert (row["readers_lost"], row["tokens_received"]) == (3, 0)
    assert row["cpu_ms_per_1000_tokens"] is row["first_text_p50_ms"] is row["worst_gap_ms"] is None


# --- figures ------------------------------------------------------------------------------------------------


def reader(first_s: float, gap_s: float, text: str, failure: str | None = None) -> Reader:
    return Reader(first_text_s=first_s, worst_gap_s=gap_s, updates=4, text=text, failure=failure)


def test_figures_come_from_all_readers() -> None:
    crowd = [reader(0.1 * number, 0.05 * number, WANTED) for number in range(1, 11)]
    row = account([*crowd, Reader(failure="closed early")], TOKENS, cpu_s=0.6)
    assert row["cpu_ms_per_1000_tokens"] == 2000.0
    assert (row["first_text_p50_ms"], row["first_text_p95_ms"], row["worst_gap_ms"]) == (500, 1000, 500)
    assert row["losses"] == {"closed early": 1}


def test_a_text_that_stays_is_no_update() -> None:
    one = Reader()
    for text in ("", "A", "A", "A light"):
        one.show(text)
    assert (one.updates, one.text) == (2, "A light")
    assert one.first_text_s is not None


def rows_of(cpu_s: float, *failures: str) -> dict[str, object]:
    crowd = [reader(0.1, 0.2, WANTED), *(Reader(failure=failure) for failure in failures)]
    return account(crowd, TOKENS, cpu_s) | {"wall_s": 8.0, "load_cpu_s": 0.1}


def test_ratios_are_those_of_each_round() -> None:
    page, plain = [rows_of(0.03), rows_of(0.06), rows_of(0.5)], [rows_of(0.06), rows_of(0.6), rows_of(1.0)]
    assert ratios(page, plain)["cpu_ms_per_1000_tokens"] == 0.5
    nobody = [account([Reader(failure="closed early")], TOKENS, 1.0) | {"wall_s": 1.0, "load_cpu_s": 0.1}]
    assert ratios(page[:1], nobody)["cpu_ms_per_1000_tokens"] is None


def test_the_table_says_who_was_lost() -> None:
    rows = {"page": [rows_of(0.03)], "plain": [rows_of(0.06, "closed early", "closed early")]}
    result = {
        "readers": 3,
        "tokens_per_s": 100,
        "seconds": 8,
        "first_text_alone_ms": {"server": 2.0, "page": 10.0, "plain": None},
        **{kind: summary(rows[kind]) for kind in KINDS},
        "page_over_plain": ratios(rows["page"], rows["plain"]),
    }
    said = table(result)
    assert "plain: 2 readers lost: closed early" in said
    assert "over the server's own 2" in said
    (cpu,) = (line for line in said.splitlines() if line.startswith("CPU ms"))
    assert cpu.split()[-3:] == ["1,000", "2,000", "0.5"]


# --- processes and photos -----------------------------------------------------------------------------------


@contextmanager
def parent_of_busy() -> Iterator[int]:
    busy = "import time\nwhile time.process_time() < 0.3: pass\nprint('busy', flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="figures are Linux's")
def test_children_count_as_the_page() -> None:
    with parent_of_busy() as pid:
        assert cpu_s_of_tree(pid) >= 0.29
        assert rss_bytes_of_tree(pid) > 8 * 2**20


def test_numbered_photos_differ_in_bytes_alone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = BytesIO()
    Image.effect_noise((64, 48), 50).save(file, "JPEG", exif=exif)
    one, other = numbered(file.getvalue(), 1), numbered(file.getvalue(), 2)
    assert one != other
    pictures = [ImageOps.exif_transpose(Image.open(BytesIO(data))) for data in (one, other)]
    assert pictures[0].size == (48, 64)
    assert pictures[0].tobytes() == pictures[1].tobytes()
