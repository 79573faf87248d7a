"""What a process finds around it, part by part: where results go, certificates, consoles, this machine's addresses."""

import json
import socket
import ssl
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.environment import (
    as_typed,
    check_certificates,
    check_file,
    check_folder,
    check_temporary_folder,
    is_this_machine,
    print_json,
)
from internvl_demo.errors import SetupError
from tests.support.commands import run

# Where results go


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/o.png", "There is no folder"),
        ("folder", "is a folder"),
        ("folder.png", "is a folder"),
        ("o.jpg", "does not end in .png"),
        ("o", "does not end in .png"),
        (".png", "does not end in .png"),
        ("file.txt/o.png", "There is no folder"),
        ("x" * 300 + ".png", "cannot be written"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SetupError, match=words) as refused:
        check_file(tmp_path / name, (".png",))
    assert str(tmp_path) in refused.value.what
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_folder_that_takes_no_files_is_named() -> None:
    with pytest.raises(SetupError, match=r"/proc/o\.png cannot be written"):
        check_file(Path("/proc/o.png"), (".png",))
    with pytest.raises(SetupError, match="Nothing can be written to /proc/o"):
        check_folder(Path("/proc/o"))
    with pytest.raises(SetupError, match="Set GRADIO_TEMP_DIR"):
        check_folder(Path("/proc/o"), "GRADIO_TEMP_DIR")


@pytest.mark.parametrize("name", ["new.png", "NEW.PNG", "图 1.png", "there.png"])
def test_a_place_that_can_be_written_stays_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.png").write_text("mine")
    check_file(tmp_path / name, (".png",))
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]
    assert (tmp_path / "there.png").read_text() == "mine"


@pytest.mark.parametrize(
    "command",
    [
        ["ask", "Who?", "--image", "a.png", "--overlay"],
        ["exam", "--page"],
        ["bench", "resolution", "--figure"],
        ["bench", "curves", "--figure"],
    ],
)
def test_commands_look_before_they_compute(tmp_path: Path, command: list[str]) -> None:
    """Not even the model is opened: there is none."""
    more = ["--checkpoint", tmp_path / "none"] if command[1] != "curves" else []
    done = run(*command, tmp_path / "missing" / "o.png", *more, fails=True)
    assert str(tmp_path / "missing") in done.stderr and "config.json" not in done.stderr


def test_training_looks_where_it_exports(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    run_ = ["train", "vision-112", "--run", tmp_path / "run"]
    assert str(tmp_path / "file") in run(*run_, "--export", tmp_path / "file" / "model", fails=True).stderr
    assert str(tmp_path / "file") in run("train", "vision-112", "--run", tmp_path / "file", fails=True).stderr


def test_no_temporary_folder_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(SetupError, match="Temporary files cannot be written") as refused:
        check_temporary_folder()
    assert "TMPDIR" in refused.value.next_step


# Certificates


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "", "these are notes"])
def test_a_file_without_certificates_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: str | None
) -> None:
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(SetupError) as refused:
        check_certificates()
    assert variable in refused.value.what and str(path) in refused.value.what
    assert variable in refused.value.next_step


def test_certificates_that_can_be_read_are_borne(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))  # a folder of them
    check_certificates()
    system = ssl.get_default_verify_paths().cafile
    if system:
        monkeypatch.setenv("SSL_CERT_FILE", system)
        check_certificates()


# Consoles


@given(
    st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
)
@pytest.mark.parametrize("encoding", ["ascii", "gbk", "latin-1", "utf-8"])
def test_json_means_the_same_on_every_console(encoding: str, value: object) -> None:
    shown = BytesIO()
    console = TextIOWrapper(shown, encoding, errors="backslashreplace")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", console)
        print_json(value)
        console.flush()
    assert json.loads(shown.getvalue().decode(encoding)) == value


@given(st.text())
def test_an_argument_is_read_as_it_was_typed(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    in_the_locale_c = text.encode().decode("ascii", "surrogateescape")
    assert as_typed(text) == text
    assert as_typed(in_the_locale_c) == text


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert as_typed("a\udcff") == "a\ufffd"


# This machine


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("page.localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", True),
        (socket.gethostname(), True),
        ("192.0.2.7", False),
        ("2001:db8::7", False),
        ("localhost.example.org", False),
        ("example.org", False),
        ("", False),
        ("1.2.3", False),
    ],
)
def test_this_machine_is_known_by_its_addresses(host: str, ours: bool) -> None:
    assert is_this_machine(host) is ours
