"""`bench local`: a checkpoint of a shape of the family, loaded and asked in processes of their own."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from internvl_demo.bench import local
from internvl_demo.bench.local import measure_local, prepare, rows_of, table
from internvl_demo.bench.random_weights import parameters_on_meta, write_random
from internvl_demo.errors import CheckpointError, SetupError
from internvl_demo.models.convert.decoders import KINDS
from internvl_demo.models.profiles import Profile, profile_named, profiles
from internvl_demo.models.profiles.shape import Shape, shape_of
from tests.support.commands import run
from tests.support.official_checkpoints import tensors_of

TINY = Shape(2, 64, 2, 128, 28, 2, 128, 2, 1, 256, 4096, 8192, vit_norms=False)


def tiny(short: str) -> Profile:
    """That checkpoint with so few layers that it is written at once."""
    profile = profile_named(short)
    kv_heads = 2 if "Phi3" in profile.language else 1
    return replace(profile, shape=replace(TINY, biases=profile.shape.biases, kv_heads=kv_heads))


def measured(**ours: Any) -> dict[str, Any]:
    """What the two processes may say, with changes."""
    loaded = {"load_s": 2.0, "peak_bytes": 110, "weights_bytes": 100, "dtype": "float32"}
    answers = {
        "one_tile": {"ttft_s": 1.0, "generate_ttft_s": 2.0, "tokens_per_s": 6.0, "generate_tokens_per_s": 5.0}
        | {"ratio": 1.2},
        "turns": {"turn1_ttft_s": 10.0, "turn2_ttft_s": 0.5},
        "generate_13_ttft_s": 9.0,
    }
    one = {**loaded, "device": "cpu", "threads": 2, **answers, **ours}
    return {"shape": "Some-2B", "parameters": 25, "ours": one, "plain": loaded | {"peak_bytes": 190}}


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "free_disk_bytes", lambda _: 5_000_000_000)
    monkeypatch.setattr(local, "write_random", lambda *_: pytest.fail("it was written"))
    with pytest.raises(SetupError, match=r"needs 8\.\d GB on the disk .* 5\.0 GB are free.*--shape"):
        prepare(profile_named("mini-2b"), tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_memory_that_is_too_small_is_said_before_anything_is_written(tmp_path: Path) -> None:
    said = run("bench", "local", "--shape", "internvl2.5-78b", "--folder", tmp_path, fails=True).stderr
    assert "GB of memory" in said and "Choose a smaller one" in said
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_none_and_a_model_that_runs_on_servers_alone_are_refused(tmp_path: Path) -> None:
    assert "such as" in run("bench", "local", "--shape", "mini-3b", fails=True).stderr
    with pytest.raises(CheckpointError, match=r"InternLM3ForCausalLM.*does not run in process.*Serve it"):
        measure_local(profile_named("internvl3-9b"), tmp_path, 1, 1)


def test_a_folder_of_another_shape_is_not_taken_for_this_one(tmp_path: Path) -> None:
    prepare(tiny("mini-2b"), tmp_path)
    with pytest.raises(SetupError, match=r"another shape than InternVL2_5-1B.*--folder"):
        prepare(tiny("internvl2.5-1b"), tmp_path)


def test_a_process_that_ends_is_said_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SetupError, match=r"failed: .*InternVL checkpoint.*--shape"):
        local._measured("ours", tmp_path, 1, 1, print)


@pytest.mark.parametrize("short", ["mini-2b", "mini-4b", "internvl2-1b", "internvl2-40b", "internvl3.5-1b"])
def test_every_kind_of_the_family_is_written_as_its_release_is(tmp_path: Path, short: str) -> None:
    profile = tiny(short)
    write_random(profile, tmp_path / "official", "official", "cpu")
    told = json.loads((tmp_path / "official" / "config.json").read_text("utf-8"))
    assert told["llm_config"]["architectures"] == [profile.language]
    assert (told["template"], told["system_message"]) == (profile.template.name, profile.template.system)
    assert shape_of(told) == profile.shape
    assert sum(tensor.numel() for tensor in tensors_of(tmp_path / "official").values()) >= (
        profile.shape.parameters
    )


def test_every_short_name_that_runs_in_process_has_its_published_size() -> None:
    several = [each for each in profiles() if each.language in KINDS and each.shape.parameters < 3e9]
    assert len(several) > 5
    for each in several:
        assert parameters_on_meta(each) == pytest.approx(each.shape.parameters, rel=1e-4), each.name


def test_a_tiny_model_is_measured_from_its_files_to_its_second_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "check_memory", lambda *_: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    said: list[str] = []
    found = measure_local(tiny("mini-2b"), tmp_path, 1, 1, said.append)
    assert [line.partition(":")[0] for line in said] == ["ours"] * 4 + ["plain"]
    ours, plain = found["ours"], found["plain"]
    assert ours["weights_bytes"] == plain["weights_bytes"] == 4 * tiny("mini-2b").shape.parameters
    assert ours["threads"] == plain["threads"] == 1
    assert ours["load_s"] > 0 and plain["load_s"] > 0 and ours["peak_bytes"] > 0
    assert ours["one_tile"]["tokens_per_s"] > 0 and ours["one_tile"]["generate_tokens_per_s"] > 0
    assert 0 < ours["turns"]["turn2_ttft_s"] < ours["turns"]["turn1_ttft_s"]
    assert table(found).count("\n") == 8
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    prepare(tiny("mini-2b"), tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before, "it is used again"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda told: told.update(peak_bytes=116), "peak memory"),
        (lambda told: told["one_tile"].update(ratio=0.99), "tokens a second"),
        (lambda told: told["turns"].update(turn2_ttft_s=1.01), "turn 2"),
    ],
)
def test_an_aim_that_is_missed_is_called_missed(change: Callable[[dict[str, Any]], None], what: str) -> None:
    found = measured()
    assert "missed" not in table(found) and table(found).count(": met") == 3
    change(found["ours"])
    (missed,) = [row.what for row in rows_of(found) if row.met is False]
    assert what in missed
    assert table(found).count(": missed") == 1
