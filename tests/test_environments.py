"""What stands around whoever starts the program: proxies, certificates, consoles, ports, disks, homes.

Processes are real ones: `app.py`, and `ask` before a small model server. What cannot be used is said in two
sentences; what can be borne is borne.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from internvl_demo.environment import READER_LEFT
from internvl_demo.grounding.overlay import drawable
from internvl_demo.models.lmdeploy.launch import free_port
from tests.support.commands import ASK, ROOT, Ended, assert_refused, command_line, environment, run_process
from tests.support.model_endpoint import BREAKS, WAITS, Endpoint, model_endpoint
from tests.support.uploads import png

DEAD = "http://127.0.0.1:9"
PROXIES = {
    "http_proxy": DEAD,
    "HTTPS_PROXY": DEAD,
    "all_proxy": "socks5://127.0.0.1:9",
    "no_proxy": "example.org",
}
"""Of a program that has ended."""

TEXT = "图里有一只猫。🐈"
CONSOLES = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "gbk": {"PYTHONIOENCODING": "gbk"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture(scope="module")
def model() -> Iterator[Endpoint]:
    with model_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def ask(model: Endpoint) -> Callable[..., Ended]:
    """Asks the small server in a process of its own."""

    def ask(question: str, *arguments: str | Path, **variables: str) -> Ended:
        return run_process(*ASK, question, "--endpoint", model.url, *arguments, variables=variables)

    return ask


@pytest.fixture
def app(model: Endpoint, tmp_path: Path) -> Callable[..., Ended]:
    """Starts the page where it cannot come up; its data lie in a new folder."""

    def app(*arguments: str | Path, limit: Callable[[], None] | None = None, **variables: str) -> Ended:
        variables = {"INTERNVL_DATA_DIR": str(tmp_path / "data"), **variables}
        port = () if "--port" in arguments else ("--port", str(free_port()))
        command = ("app.py", "--endpoint", model.url, *arguments, *port)
        return run_process(*command, variables=variables, preexec_fn=limit)

    return app


# What cannot be used, by either program.


@pytest.fixture
def no_certificates(tmp_path: Path) -> Path:
    path = tmp_path / "notes.pem"
    path.write_text("these are notes")
    return path


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_that_are_gone_are_named(
    ask: Callable[..., Ended], app: Callable[..., Ended], no_certificates: Path, variable: str
) -> None:
    assert_refused(ask("Who?", **{variable: "/gone.pem"}), variable, "/gone.pem")
    assert_refused(app(**{variable: str(no_certificates)}), variable, "notes.pem", "PEM")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"INTERNVL_PORT": "abc"}, ["INTERNVL_PORT", "'abc'"]),
        ({"INTERNVL_KEEP_DAYS": "-3"}, ["INTERNVL_KEEP_DAYS", "'-3'"]),
        ({"INTERNVL_PROT": "7861"}, ["INTERNVL_PROT", "INTERNVL_PORT"]),
    ],
)
def test_a_variable_that_cannot_be_is_named(
    ask: Callable[..., Ended], model: Endpoint, variables: dict[str, str], words: list[str]
) -> None:
    before = len(model.asked)
    assert_refused(ask("Who?", **variables), *words)
    assert len(model.asked) == before


# The page.


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("no-such-host.invalid", ["no-such-host.invalid", "--host"]),
        ("192.0.2.7", ["no address 192.0.2.7", "--host"]),
        ("http://127.0.0.1", ["no host http://127.0.0.1", "--host"]),
    ],
)
def test_an_address_that_is_not_ours_is_named(app: Callable[..., Ended], host: str, words: list[str]) -> None:
    assert_refused(app("--host", host), *words)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_in_use_is_named_in_either_family(app: Callable[..., Ended], host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, 0), family=family)) as taken:
        port = str(taken.getsockname()[1])
        assert_refused(app("--port", port), f"Port {port} is in use", "--port")


def test_a_home_that_is_gone_is_named(app: Callable[..., Ended], tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "gone"), "INTERNVL_DATA_DIR": "", "XDG_DATA_HOME": ""}
    assert_refused(app(**home), str(tmp_path / "gone"), "--data-dir")
    assert not (tmp_path / "gone").exists()


def test_a_data_directory_that_cannot_be_is_named(app: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert_refused(app("--data-dir", tmp_path / "file"), str(tmp_path / "file"), "--data-dir")
    assert_refused(app("--data-dir", "/proc/nothing"), "/proc/nothing", "--data-dir")


def nothing_can_be_written() -> None:
    """As if every disk was full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_disk_without_room_is_told_at_the_start(
    app: Callable[..., Ended], ask: Callable[..., Ended]
) -> None:
    assert ask
    assert_refused(app(limit=nothing_can_be_written), "Temporary files", "TMPDIR")


def test_the_page_comes_up_behind_dead_proxies_for_one_instance(
    app: Callable[..., Ended], model: Endpoint, tmp_path: Path
) -> None:
    """One start for much that must not hinder it; and a second one, which is told."""
    port = str(free_port())
    variables = {
        **PROXIES,
        **CONSOLES["ascii"],
        "INTERNVL_DATA_DIR": str(tmp_path / "data"),
        "TMPDIR": str(tmp_path / "gone"),
        "INTERNVL_ENDPOINT": "",  # as an empty line of a file of variables
    }
    page = subprocess.Popen(
        command_line("app.py", "--host", "::", "--port", port, "--endpoint", model.url),
        env=environment(**variables),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert page.stdout
    try:
        said = next((line for line in page.stdout if "Running on" in line), "")
        url = said.split()[-1]
        assert url == f"http://[::1]:{port}"
        directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert directly.open(f"{url}/readyz").status == 200
        assert_refused(
            app("--port", str(free_port())), "in use by another running demo", "--data-dir", "port"
        )
        assert_refused(app("--port", port, "--data-dir", tmp_path / "other"), f"Port {port} is in use")
        page.send_signal(signal.SIGINT)
        assert page.wait(60) == 0
        assert page.stdout.read() == ""
    finally:
        page.kill()
        page.wait()
        page.stdout.close()


# One question.


def test_ask_goes_past_dead_proxies(ask: Callable[..., Ended]) -> None:
    done = ask("Who?", **PROXIES)
    assert (done.code, done.stdout.decode(), done.stderr) == (0, f"{TEXT}\n", "")


@pytest.mark.parametrize("console", CONSOLES)
def test_a_console_shows_what_it_can(
    ask: Callable[..., Ended], model: Endpoint, tmp_path: Path, console: str
) -> None:
    encoding = {"gbk": "gbk", "latin-1": "latin-1"}.get(console, "ascii")
    picture = tmp_path / "图.png"
    picture.write_bytes(png())
    done = ask("猫在哪里？", "--image", picture, **CONSOLES[console])
    shown = TEXT.encode(encoding, "backslashreplace") + "\n  猫:".encode(encoding, "backslashreplace")
    assert done.code == 0 and done.stdout.startswith(shown), done
    assert model.asked[-1].endswith("猫在哪里？")


def test_json_stays_json_on_any_console(ask: Callable[..., Ended]) -> None:
    for console in ("ascii", "gbk"):
        done = ask("Who?", "--json", **CONSOLES[console])
        assert json.loads(done.stdout.decode(console))["text"] == TEXT


def test_what_had_come_of_a_broken_answer_is_printed(ask: Callable[..., Ended], tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(png((100, 100)))
    done = ask(BREAKS, "--image", picture, "--overlay", tmp_path / "boxes.png")
    assert_refused(done, "broke off")
    label = "猫" if drawable("猫", 1) == "猫" else "#1 猫"  # where no font has it, the picture shows a number
    assert done.stdout.decode() == f"{TEXT}\n  {label}: Image-1 [10, 20, 30, 40] px\n"
    assert (tmp_path / "boxes.png").exists()
    done = ask(BREAKS, "--json")
    assert_refused(done, "broke off")
    given = json.loads(done.stdout)
    assert (given["text"], given["usage"]) == (TEXT, None)
    assert "\n".join(given["error"].values()) == done.stderr.strip()


@pytest.mark.parametrize("question", ["", " \n\t", "\u3000\u200b"])
def test_a_blank_question_is_not_asked(ask: Callable[..., Ended], model: Endpoint, question: str) -> None:
    before = len(model.asked)
    assert_refused(ask(question), "no question")
    assert len(model.asked) == before


def test_what_cannot_be_drawn_is_said_before_the_question(
    ask: Callable[..., Ended], model: Endpoint, tmp_path: Path
) -> None:
    before = len(model.asked)
    picture = tmp_path / "a.png"
    picture.write_bytes(png())
    missing = tmp_path / "missing"
    assert_refused(ask("Who?", "--image", picture, "--overlay", missing / "o.png"), str(missing))
    assert_refused(ask("Who?", "--overlay", tmp_path / "o.png"), "no picture", "--image")
    assert len(model.asked) == before


def test_ctrl_c_ends_a_question_quietly(model: Endpoint) -> None:
    model.waiting.clear()
    command = command_line(*ASK, WAITS, "--endpoint", model.url)
    heard = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what runs in the background may not hear it
    process = subprocess.Popen(
        command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    signal.signal(signal.SIGINT, heard)
    assert model.waiting.wait(60)
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=60), process.returncode) == ((b"", b""), 130)


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_who_leaves_ends_a_command_quietly(model: Endpoint, buffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run_process(
        *ASK, "Who?", "--endpoint", model.url, variables={"PYTHONUNBUFFERED": buffered}, stdout=writing
    )
    os.close(writing)
    assert (done.code, done.stderr) == (READER_LEFT, "")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
def test_a_full_disk_behind_the_output_is_told(model: Endpoint) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_process(*ASK, "Who?", "--endpoint", model.url, variables={}, stdout=full)
    assert_refused(done, "output cannot be written", "No space left")
