"""The command line: what it prints, and what it says of bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from internvl_demo.conversation.options import Options
from internvl_demo.evaluate.exam.marks import iou
from internvl_demo.models.base import Thinking
from internvl_demo.models.lmdeploy.launch import free_port
from internvl_demo.models.profiles import find
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.nano.world.vocabulary import kinds
from internvl_demo.photos.decode import open_photo
from tests.support.commands import run
from tests.support.profiles import profile
from tests.support.scripted_model import ScriptedModel


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "tall.png"
    Image.new("RGB", (800, 1300), "white").save(path)
    return path


def test_a_process_ends_with_two_sentences_and_code_2(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("these are notes")
    command = [sys.executable, "-W", "ignore", "-m", "internvl_demo", "plan", tmp_path / "notes.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)


def test_a_file_that_is_no_picture_is_named_with_a_next_step(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("these are notes")
    done = run("plan", path, fails=True)
    assert "notes.png" in done.stderr
    assert "JPEG" in done.stderr


def test_a_missing_file_a_bad_mode_and_a_bad_endpoint_say_what_to_do(picture: Path) -> None:
    assert "missing.png" in run("plan", "missing.png", fails=True).stderr
    assert "low, standard, high" in run("plan", picture, "--mode", "99", fails=True).stderr
    assert "--endpoint" in run("ask", "Hello?", "--endpoint", "nowhere", fails=True).stderr


def test_a_server_that_is_away_is_told_with_details_for_the_host() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    said = run("ask", "Hello?", "--endpoint", endpoint, fails=True).stderr.splitlines()
    assert len(said) == 3 and endpoint in said[2] and "--endpoint (INTERNVL_ENDPOINT)" in said[2]
    done = run("ask", "Hello?", "--endpoint", endpoint, "--json", fails=True)
    assert list(json.loads(done.stdout)["error"].values()) == said


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("INTERNVL_DEVICE", device)
    said = run("ask", "Hello?", fails=True).stderr
    assert device in said and "INTERNVL_DEVICE" in said


def test_a_directory_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    assert "config.json" in run("ask", "Hello?", "--checkpoint", tmp_path, fails=True).stderr
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    assert "'llama'" in run("ask", "Hello?", "--checkpoint", tmp_path, fails=True).stderr
    (tmp_path / "config.json").write_text(
        '{"model_type": "internvl_chat", "auto_map": {"AutoConfig": "c.C"}}'
    )
    (tmp_path / "c.py").write_text("raise SystemExit('ran')")
    assert "lacks a vision encoder" in run("ask", "Hello?", "--checkpoint", tmp_path, fails=True).stderr


def test_the_papers_example_is_planned_as_in_the_paper(picture: Path) -> None:
    (row,) = json.loads(run("plan", picture, "--mode", "standard", "--json").stdout)
    assert row == {
        "image": str(picture),
        "size_wh": [800, 1300],
        "grid": [2, 3],
        "canvas_wh": [896, 1344],
        "tiles": 6,
        "thumbnail": True,
        "visual_tokens": 7 * 64,
    }


def test_a_plan_counts_tokens_for_other_models(picture: Path) -> None:
    (row,) = json.loads(run("plan", picture, "--tokens-per-tile", "256", "--json").stdout)
    assert row["visual_tokens"] == 7 * 256


def test_a_plan_sees_photos_upright(tmp_path: Path) -> None:
    path, turned = tmp_path / "turned.jpg", Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (1300, 800)).save(path, exif=turned)
    assert json.loads(run("plan", path, "--json").stdout)[0]["size_wh"] == [800, 1300]


def test_a_plan_can_be_read_by_people(picture: Path) -> None:
    assert "800 x 1300 px -> 2 x 3 tiles on 896 x 1344 px, 6 tiles + thumbnail" in run("plan", picture).stdout


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["plan"],
        ["ask"],
        ["train"],
        ["exam"],
        ["bench"],
        ["bench", "turns"],
        ["bench", "decode"],
        ["bench", "local"],
        ["bench", "stream"],
        ["bench", "page-memory"],
        ["bench", "upload"],
        ["capacity"],
        ["bench", "turbomind"],
        ["convert"],
        ["grounding-check"],
    ],
)
def test_every_command_has_help(command: list[str]) -> None:
    assert "Usage" in run(*command, "--help").stdout


def test_ask_answers_about_the_right_image_and_draws_the_box(tmp_path: Path) -> None:
    by_name = {kind.en: kind for kind in kinds()}
    one = draw_scene(2_000_000_057, size_wh=(640, 480), wanted={by_name["apple"]: 2, by_name["bus"]: 1})
    two = draw_scene(2_000_000_058, size_wh=(512, 512), wanted={by_name["cat"]: 1, by_name["tree"]: 2})
    for name, scene in (("one.png", one), ("two.png", two)):
        scene.image.save(tmp_path / name)
    images = ["--image", tmp_path / "one.png", "--image", tmp_path / "two.png"]
    overlay = tmp_path / "overlay.png"
    said = json.loads(
        run("ask", *images, "Where is the cat?", "--mode", "low", "--json", "--overlay", overlay).stdout
    )
    (box,) = said["boxes"]
    (truth,) = two.of(by_name["cat"])
    assert box["image"] == 2
    assert "cat" in box["label"]
    assert iou(tuple(box["xyxy_px"]), truth.xyxy_px) > 0.5
    assert said["tiles"] == [1, 1]
    assert said["usage"]["encoded_views"] == 2
    assert said["timing"]["ttft_s"] > 0
    assert Image.open(overlay).size[0] > 800


def test_ask_tells_people_what_was_taken_and_shows_its_colours(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (448, 448), colour) for colour in ((200, 30, 40), (30, 50, 210))]
    wide, film, overlay = tmp_path / "wide.png", tmp_path / "film.png", tmp_path / "overlay.png"
    frames[0].save(wide, icc_profile=profile("Display P3"))
    frames[0].save(film, save_all=True, append_images=frames[1:])
    said = run("ask", "--image", film, "What is this?", "--mode", "low", "--json")
    assert json.loads(said.stdout)["tiles"] == [1]
    assert "film.png: The file is an animation; its first picture was taken." in said.stderr
    said = run("ask", "--image", wide, "What is this?", "--mode", "low", "--overlay", overlay)
    assert said.stderr == ""
    shown = Image.open(overlay).convert("RGB").getpixel((440, 440))
    expected = open_photo(wide).shown.getpixel((440, 440))
    assert shown == expected and expected != (200, 30, 40)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--temperature", "3"], "--temperature"),
        (["--temperature", "nan"], "--temperature"),
        (["--top-p", "0"], "top_p"),
        (["--top-p", "nan"], "top_p"),
        (["--repetition-penalty", "0.5"], "repetition_penalty"),
        (["--max-new-tokens", "0"], "--max-new-tokens"),
        (["--seed", "-1"], "seed"),
        (["--seed", str(2**31)], "seed"),
        (["--system", "x" * 4001], "system prompt"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else value,
)
def test_an_option_of_an_answer_that_cannot_be_is_named(flags: list[str], named: str) -> None:
    said = run("ask", "Hello?", *flags, fails=True).stderr.strip()
    assert named in said and len(said.splitlines()) == 2


def test_ask_takes_the_options_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ScriptedModel()
    monkeypatch.setattr("internvl_demo.models.open_backend", lambda _: model)
    monkeypatch.setenv("INTERNVL_TEMPERATURE", "0.4")
    monkeypatch.setenv("INTERNVL_FIXED_OPTIONS", "temperature,seed")  # for people of the page
    flags = ["--top-p", "0.9", "--repetition-penalty", "1.1", "--seed", "7", "--system", "Be brief."]
    run("ask", "Hello?", *flags, "--max-new-tokens", "5000", "--temperature", "1")
    run("ask", "Hello?", "--system", " ")
    assert model.asked_with == [Options(5000, 1.0, 0.9, 7, 1.1, "Be brief."), Options(temperature=0.4)]


def test_ask_lets_a_model_think_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ScriptedModel([Thinking("\nTwo\n"), "A cat."])
    monkeypatch.setattr("internvl_demo.models.open_backend", lambda _: model)
    refused = run("ask", "Hello?", "--thinking", fails=True)
    assert "cannot think" in refused.stderr and model.asked == []
    model.profile = find("internvl3.5-1b") or model.profile
    said = run("ask", "Hello?", "--thinking")
    assert (said.stdout, said.stderr) == ("A cat.\n", "Two\n\n")
    assert json.loads(run("ask", "Hello?", "--json").stdout)["thinking"] == "\nTwo\n"
    run("ask", "Hello?", "--thinking", "--temperature", "0")
    assert model.asked_with == [Options(temperature=0.6, thinking=True), Options(), Options(thinking=True)]


def test_a_seed_gives_the_same_answer_again() -> None:
    flags = ["--temperature", "2", "--max-new-tokens", "20", "--json"]
    texts = [
        json.loads(run("ask", "Hello?", *flags, "--seed", seed).stdout)["text"] for seed in ("1", "1", "2")
    ]
    assert texts[0] == texts[1] != texts[2]
