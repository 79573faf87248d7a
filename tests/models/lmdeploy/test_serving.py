"""A server that the app starts, before anything runs: what is refused, its command, what its log tells."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from internvl_demo.errors import CheckpointError, SetupError
from internvl_demo.models import open_backend
from internvl_demo.models.lmdeploy.backend import LaunchedBackend
from internvl_demo.models.lmdeploy.capacity import capacity_of
from internvl_demo.models.lmdeploy.command import (
    Serving,
    arguments,
    serving_of,
    session_len_of,
    value_of,
)
from internvl_demo.models.lmdeploy.launch import python_of
from internvl_demo.models.lmdeploy.progress import Stage, plain_line, reason_in, stage_of
from internvl_demo.models.profiles import find, profiles
from internvl_demo.models.profiles.files import template_file, written
from internvl_demo.settings import Settings, asset
from tests.support.fake_lmdeploy import Fake
from tests.support.hub_server import Hub, look_at
from tests.support.official_checkpoints import kind_config, write_official

OFFICIAL = "OpenGVLab/InternVL-Chat-V1-5"


# What goes wrong before anything is started.


def test_without_lmdeploy_the_app_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="pip install"):
        LaunchedBackend(Settings(serve=OFFICIAL))


def test_a_program_that_is_not_pips_is_refused_because_the_key_could_not_be_hidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "lmdeploy"
    script.write_text("#!/bin/sh\nexec docker run lmdeploy\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="--endpoint"):
        LaunchedBackend(Settings(serve=OFFICIAL))


@pytest.mark.parametrize(
    ("free", "settings", "way_out"),
    [
        ([23.6], {}, "--tp 2 --awq"),
        ([23.6], {"awq": True}, "--tp 2"),
        ([79.2], {"tp": 2}, "Set --tp 1"),
        ([79.2, 20.0], {"tp": 2}, "--awq"),
    ],
)
def test_a_model_that_cannot_fit_is_refused_before_it_is_loaded(
    lmdeploy: Callable[..., Fake],
    monkeypatch: pytest.MonkeyPatch,
    free: list[float],
    settings: dict[str, Any],
    way_out: str,
) -> None:
    fake = lmdeploy("serve")
    monkeypatch.setattr("internvl_demo.models.lmdeploy.backend.free_gib", lambda: free)
    with pytest.raises(SetupError) as caught:
        open_backend(Settings(serve=OFFICIAL, **settings))
    assert way_out in caught.value.next_step
    assert not fake.runs()


def test_free_memory_is_asked_of_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from internvl_demo.models.lmdeploy.gpus import free_gib

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    program = tmp_path / "nvidia-smi"
    for code, gib in (("echo '0, GPU-1, 1024'", [1.0]), ("exit 9", []), ("echo broken", [])):
        program.write_text(f"#!/bin/sh\n{code}\n")
        program.chmod(0o755)
        assert free_gib() == gib


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"serve": " "}, "--serve"),
        ({"serve": "--help"}, "--serve"),
        ({"serve": OFFICIAL, "endpoint": "http://localhost:1"}, "one of the two"),
        ({"serve": "OpenGVLab/InternVL-Chat-V1-5-Int8"}, "--awq"),
        ({"serve": OFFICIAL, "lmdeploy_arg": ("--server-name=0.0.0.0",)}, "--endpoint"),
        ({"serve": OFFICIAL, "lmdeploy_arg": ("--api-keys", "mine")}, "--endpoint"),
        ({"serve": OFFICIAL, "lmdeploy_arg": ("--tp=2",)}, "own --tp"),
        ({"serve": OFFICIAL, "lmdeploy_arg": ("--backend=pytorch", "--backend=other")}, "--endpoint"),
        ({"serve": "mini-3b"}, "mini-2b"),
        ({"serve": "mini-2b", "awq": True}, "Leave out --awq"),
        ({"serve": "mini-4b"}, "--lmdeploy-arg=--backend=pytorch"),
        ({"serve": "OpenGVLab/InternVL2-4B"}, "--model internvl2-4b"),
    ],
)
def test_settings_that_cannot_be_served_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SetupError, match=word):
        serving_of(Settings(**settings))


@pytest.mark.parametrize(
    "config", ["", "{}", "[]", '{"vision_config": {}, "text_config": {}}', '{"llm_config": 7}']
)
def test_a_directory_in_another_format_is_refused(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(SetupError, match="official format"):
        serving_of(Settings(serve=str(tmp_path)))


# The command.


def flags(**settings: Any) -> list[str]:
    serving = serving_of(Settings(serve=OFFICIAL, **settings))
    return arguments(serving, 23333, capacity_of(79.2, serving.tp, awq=serving.awq, kv=serving.kv))


def test_the_command_has_every_flag_that_the_model_needs() -> None:
    known = flags()
    assert known[:3] == ["serve", "api_server", OFFICIAL]
    assert value_of(tuple(known), "--server-name") == "127.0.0.1"
    assert value_of(tuple(known), "--allowed-media-domains") == "none.invalid"
    assert value_of(tuple(known), "--session-len") == "32768"
    assert int(value_of(tuple(known), "--max-prefill-token-num") or 0) >= 41 * 256
    assert value_of(tuple(known), "--cache-max-entry-count") == "0.75"
    assert value_of(tuple(known), "--chat-template") == str(asset("templates/internlm2-chat-v1.json"))
    for flag in ("--trust-remote-code", "--enable-prefix-caching", "--enable-abort-handling"):
        assert flag in known
    assert "--disable-fastapi-docs" in known
    assert "--tp" not in known
    assert not [flag for flag in known if "key" in flag], "everybody can read arguments"


@pytest.mark.parametrize(
    ("serve", "model", "name", "template"),
    [
        ("26b", OFFICIAL, "internvl-chat-v1-5", "internlm2-chat-v1"),
        (
            "mini-2b",
            "OpenGVLab/Mini-InternVL-Chat-2B-V1-5",
            "mini-internvl-chat-2b-v1-5",
            "internlm2-chat-v1",
        ),
        ("internvl3.5-8b", "OpenGVLab/InternVL3_5-8B", "internvl3-5-8b", "internvl2_5"),
        ("internvl2.5-8b", "OpenGVLab/InternVL2_5-8B", "internvl2-5-8b", "internvl2_5-internlm2"),
        ("somebody/InternVL2-40B", "somebody/InternVL2-40B", "internvl2-40b", "hermes-2"),
    ],
)
def test_each_model_is_served_with_its_own_template_name_and_sizes(
    serve: str, model: str, name: str, template: str
) -> None:
    serving = serving_of(Settings(serve=serve))
    known = tuple(arguments(serving, 1, None))
    assert known[2] == model
    assert value_of(known, "--model-name") == name
    assert value_of(known, "--chat-template") == str(asset(f"templates/{template}.json"))
    found = find(name)
    assert found and found.shape == serving.shape, "the server's name tells the page what it is"


def test_a_directory_is_served_with_the_sizes_of_its_own_config_json(tmp_path: Path) -> None:
    folder = write_official(tmp_path / "mine", kind_config("Qwen3ForCausalLM"))
    serving = serving_of(Settings(serve=str(folder)))
    assert (serving.shape.width, serving.shape.head_width, serving.shape.layers) == (64, 32, 2)
    assert serving.name == "mine"
    assert template_file(serving.profile, ".json").stem == "internvl2_5"
    named = serving_of(Settings(serve=str(folder), profile="mini-2b"))
    assert template_file(named.profile, ".json").stem == "internlm2-chat-v1"
    assert named.shape == serving.shape


def test_a_model_of_the_hub_that_nobody_knows_is_asked_for_its_config_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_official(tmp_path / "mine", kind_config("Qwen2ForCausalLM"))
    with Hub({"me/mine": folder}) as hub:
        look_at(monkeypatch, hub.endpoint, tmp_path / "cache")
        serving = serving_of(Settings(serve="me/mine"))
        assert (serving.model, serving.shape.width) == ("me/mine", 64)
        assert {path for _, path, _ in hub.requests if "/resolve/" in path} == {
            "/me/mine/resolve/main/config.json"
        }
        with pytest.raises(CheckpointError, match="has no model me/other"):
            serving_of(Settings(serve="me/other"))


def test_phi3_is_served_by_the_slow_engine_when_that_is_asked_for() -> None:
    serving = serving_of(Settings(serve="mini-4b", lmdeploy_arg=("--backend=pytorch",)))
    known = tuple(arguments(serving, 1, None))
    assert value_of(known, "--backend") == "pytorch"
    assert value_of(known, "--chat-template") == str(asset("templates/phi3-chat-v1.json"))


def test_the_template_files_are_those_of_the_table() -> None:
    there = {path.name: path.read_text("utf-8") for path in asset("templates").iterdir()}
    assert there == written()
    for each in profiles():
        for kind in (".json", ".jinja"):
            assert template_file(each, kind).stem == each.template_stem  # type: ignore[arg-type]


def test_awq_is_another_checkpoint_in_one_type_of_numbers() -> None:
    for settings in ({"awq": True}, {"serve": f"{OFFICIAL}-AWQ"}):
        serving = serving_of(Settings(**{"serve": OFFICIAL, **settings}))
        known = arguments(serving, 1, None)
        assert known[2] == f"{OFFICIAL}-AWQ"
        assert value_of(tuple(known), "--model-format") == "awq"
        assert value_of(tuple(known), "--dtype") == "float16"


def test_further_arguments_win_and_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    known = flags(tp=2, lmdeploy_arg=("--session-len=16384", "--quant-policy", "8"))
    assert known[-3:] == ["--session-len=16384", "--quant-policy", "8"]
    assert value_of(tuple(known), "--tp") == "2"
    monkeypatch.setenv("INTERNVL_LMDEPLOY_ARG", "--session-len 8192  --quant-policy=8")
    serving = serving_of(Settings(serve=OFFICIAL))
    assert serving.extra == ("--session-len", "8192", "--quant-policy=8")
    assert serving.kv == "int8"
    assert session_len_of(serving, None) == 8192


def test_a_conversation_is_never_longer_than_the_cache() -> None:
    small = capacity_of(31.0, awq=True)
    assert small.fits
    assert session_len_of(Serving("m"), small) == small.session_len < 32_768
    assert value_of(tuple(arguments(Serving("m"), 1, small)), "--session-len") == str(small.session_len)


# What the log tells.


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Fetching 13 files:  46%|####      | 6/13 [00:10<00:12]", (Stage.DOWNLOADING, 46)),
        ("Downloading shards:   8%|8         | 1/12", (Stage.DOWNLOADING, 8)),
        ("Loading:  25%|##        | 12/48 [00:03<00:09,  4.00it/s]", (Stage.LOADING, 25)),
        ("[TM][INFO] Object cache budget: 24712.45 MB from free 32949.94 MB", (Stage.CACHING, None)),
        ("INFO:     Uvicorn running on http://127.0.0.1:23333", (Stage.OPENING, None)),
        ("HINT:    Please open http://127.0.0.1:23333 in a browser", (Stage.OPENING, None)),
        ("Loading dose of nothing", None),
        ("Loading: 999%| |", (Stage.LOADING, 100)),
        ("", None),
    ],
)
def test_the_log_says_how_far_it_is(line: str, told: tuple[Stage, int | None] | None) -> None:
    assert stage_of(line) == told


def test_the_reason_is_the_last_line_that_blames_something() -> None:
    lines = ["a", "RuntimeError: CUDA error: out of memory", "  goodbye", "Loading:  25%|##   | 1/4"]
    assert reason_in(lines) == "RuntimeError: CUDA error: out of memory"
    assert reason_in(["only this."]) == "only this"
    assert reason_in([]) == ""
    assert reason_in(["2026-11-23 07:39:52,996 - lmdeploy - ERROR - a.py:4 - No error."]) == "No error"
    assert len(reason_in(["error " * 1000])) <= 200


def test_a_log_line_is_plain_text() -> None:
    assert plain_line(b"\x1b[31mred\x1b[0m \xff\x00bell\x07 ") == "red \ufffd bell"


@pytest.mark.parametrize(
    ("script", "python"),
    [
        ("#!/opt/v/bin/python3.11\nimport sys", "/opt/v/bin/python3.11"),
        ("#! /opt/v/bin/python\n", "/opt/v/bin/python"),
        (
            "#!/bin/sh\n'''exec' \"/very/long path/bin/python3\" \"$0\" \"$@\"\n' '''",
            "/very/long path/bin/python3",
        ),
        ("#!/bin/sh\n'''exec' /very/long/bin/python3 \"$0\" \"$@\"\n' '''", "/very/long/bin/python3"),
        ("#!/bin/bash\npython x", None),
        ("\x7fELF", None),
        ("", None),
    ],
)
def test_the_programs_python_is_found(script: str, python: str | None) -> None:
    assert python_of(script) == python
