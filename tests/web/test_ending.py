"""The app that is told to end (`docker stop`, systemd): it stores what came, cleans up, and leaves in order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from internvl_demo.models.lmdeploy.launch import free_port
from tests.support.http_client import Client
from tests.support.uploads import png

ROOT = Path(__file__).parents[2]


class App:
    """`app.py`, or another program that serves the page, as a process whose temporary files lie in `folder`."""

    def __init__(self, folder: Path, keep_days: int, *program: str):
        self.folder = folder
        environment = {
            **os.environ,
            "TMPDIR": str(folder),
            "INTERNVL_KEEP_DAYS": str(keep_days),
            "INTERNVL_DATA_DIR": str(folder / "data"),
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        environment.pop("GRADIO_TEMP_DIR", None)
        self.process = subprocess.Popen(
            [sys.executable, *(program or ["app.py"])],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.url = self._address()

    def _address(self) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            if "Running on local URL" in line:
                return line.split("URL:")[1].strip()
        raise AssertionError("the app ended before it was served")

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)

    def left(self) -> list[str]:
        """What lies in its folder of temporary files."""
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith("internvl_demo"))


@pytest.fixture
def apps() -> Iterator[list[App]]:
    started: list[App] = []
    yield started
    for app in started:
        app.process.kill()
        app.process.wait()
        if app.process.stdout:
            app.process.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_where_nothing_is_kept(tmp_path: Path, apps: list[App], how: signal.Signals) -> None:
    app = App(tmp_path, keep_days=0)
    apps.append(app)
    client = Client(app.url)
    conversation = client.ask("What is this?", client.upload(png()))["conversation"]
    reading = client.events(conversation)
    next(reading)  # a stream that is open does not hold the end up
    assert app.left()
    begun = time.monotonic()
    assert app.end(how) == 0
    assert app.left() == [] and time.monotonic() - begun < 30


def test_an_answer_that_was_coming_is_stored(tmp_path: Path, apps: list[App]) -> None:
    program = ["-m", "tests.support.scripted_app", str(tmp_path / "data")]
    scripted = [*program, str(free_port()), "Half of it, ", "..."]
    apps.append(App(tmp_path, 1, *scripted))
    client = Client(apps[0].url)
    conversation = client.ask("What is this?", client.upload(png()))["conversation"]
    for _, _, data in client.events(conversation):
        if "Half of it" in str(data):
            break
    assert apps[0].end(signal.SIGTERM) == 0
    apps.append(App(tmp_path, 1, *scripted))
    back = Client(apps[1].url, secret=client.secret)
    (question,) = back.call("GET", f"/api/conversations/{conversation}")["questions"]
    (answer,) = question["answers"]
    assert (answer["state"], answer["text"]) == ("broken", "Half of it, ")
    assert httpx.get(f"{apps[1].url}/{question['images'][0]['url']}").status_code == 200
