"""Gradio's folder of uploads: it stays small, and what `/ask` has read is gone."""

import errno
import os
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from internvl_demo.errors import SetupError
from internvl_demo.web import uploads
from tests.support.uploads import png


def put(folder: Path, name: str, size: int, age_s: float, now: float) -> Path:
    path = folder / name / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"x" * size)
    os.utime(path, (now - age_s, now - age_s))
    return path


def test_old_uploads_go_first_and_then_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(uploads, "MAX_BYTES", 25)
    ages = {"new": 1.0, "older": 60.0, "oldest": 300.0, "expired": uploads.MAX_AGE_S + 1}
    paths = {name: put(tmp_path, name, 10, age_s, now) for name, age_s in ages.items()}
    uploads.remove_old(tmp_path, now)
    assert {name for name, path in paths.items() if path.exists()} == {"new", "older"}
    assert not paths["oldest"].parent.exists()


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    uploads.remove_old(tmp_path / "not there", 0.0)


def test_ask_leaves_no_file_behind(scripted_url: str, tmp_path: Path) -> None:
    picture = tmp_path / "private.png"
    picture.write_bytes(png())
    client = Client(scripted_url, verbose=False)
    message = {"text": "Who?", "files": [handle_file(str(picture))]}
    assert client.predict(message=message, mode="low", api_name="/ask")["text"]
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert [path for path in folder.rglob("*private*") if path.is_file()] == []


def test_a_folder_where_nothing_can_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/proc/uploads")
    with pytest.raises(SetupError, match="/proc/uploads") as refused:
        uploads.use_own_folder()
    assert "GRADIO_TEMP_DIR" in refused.value.next_step


@pytest.mark.parametrize("text", ["", " \n", "\u3000", "\u200b\u2060", "\u00ad"])
def test_a_blank_question_of_a_program_is_refused(scripted_url: str, text: str) -> None:
    client = Client(scripted_url, verbose=False)
    with pytest.raises(AppError, match=r"There is no question yet\. Write what you want to know"):
        client.predict(message={"text": text, "files": []}, api_name="/ask")


def test_a_full_disk_behind_an_upload_is_told(scripted_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than a megabyte waits in a temporary file until all of it has come."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    picture = png((900, 900)) + bytes(2 * 1024 * 1024)
    response = httpx.post(
        f"{scripted_url}api/photos",
        files={"file": ("a.png", picture)},
        headers={"Authorization": f"Bearer {'a' * 32}"},
    )
    assert (response.status_code, set(response.json())) == (507, {"what", "next_step"})
    assert "disk is full" in response.json()["what"] and "delete" in response.json()["next_step"]


def test_uploads_are_bounded(scripted_url: str) -> None:
    response = httpx.post(
        f"{scripted_url}gradio_api/upload", files={"files": ("a.png", b"x" * (34 * 1024 * 1024))}, timeout=60
    )
    assert response.status_code == 413
