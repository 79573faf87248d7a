"""How much fits into a GPU, as promises: the arithmetic, the refusal, the command, the table in docs/serving.md."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from internvl_demo.errors import SetupError
from internvl_demo.models.lmdeploy.capacity import (
    GIB,
    V1_5,
    CacheFormat,
    capacity_of,
    conversation_tokens,
    gpu_gb,
    refuse_if_too_small,
    usable_gib,
    vision_gib,
)
from internvl_demo.models.lmdeploy.gpus import parse
from internvl_demo.models.profiles import find, profile_named
from tests.support.commands import run

SERVING = Path(__file__).parents[3] / "docs" / "serving.md"


# Bad cases.


@pytest.mark.parametrize(
    ("card_gb", "tp", "awq", "way_out"),
    [
        (24, 1, True, "--tp 2"),
        (24, 1, False, "--tp 2 --awq"),
        (16, 1, True, "--tp 4"),
        (40, 1, False, "--awq"),
        (8, 8, True, "more memory"),
        (1, 1, True, "more memory"),
    ],
)
def test_a_model_that_cannot_fit_is_refused_with_a_way_out(
    card_gb: int, tp: int, awq: bool, way_out: str
) -> None:
    with pytest.raises(SetupError) as caught:
        refuse_if_too_small(capacity_of(usable_gib(card_gb), tp, awq=awq))
    assert "does not fit" in caught.value.what
    assert way_out in caught.value.next_step


@pytest.mark.parametrize(
    "text",
    [
        *(
            "inf",
            "-inf",
            "nan",
            "infinity",
            "1e400",
            "1e2",
            "-5",
            "-0",
            "0",
            "0.5",
            "text",
            "",
            " ",
            "GB",
            "80 GBs",
        ),
        *(
            "80,5",
            "80GB80",
            "0x50",
            "８０",
            "80TB",
            "80kB",
            "99999999",
            "2000 GB",
            "9" * 400,
            "1." * 400,
            "80\n\n24",
        ),
    ],
)
def test_a_memory_that_no_card_has_is_refused(text: str) -> None:
    with pytest.raises(SetupError, match="is not the memory of a GPU") as caught:
        gpu_gb(text)
    assert "--gpu-memory" in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "gb"),
    [
        *(("80", 80), ("80.0", 80), ("80GB", 80), ("80 GB", 80), (" 80gb ", 80), ("80 GiB", 80), ("80G", 80)),
        *(("79.5", 79.5), ("1", 1), ("1024", 1024)),
        *(("81920", 80), ("81920MiB", 80), ("81920 mb", 80), ("81920M", 80)),
        *(
            ("81559", 80),
            ("81559 MiB", 80),
            ("24564MiB", 24),
            ("46068", 45),
            ("143771 MiB", 141),
        ),  # of nvidia-smi
    ],
)
def test_a_memory_is_read_as_people_write_it(text: str, gb: float) -> None:
    assert gpu_gb(text) == gb


def test_a_way_out_that_is_named_fits() -> None:
    for card_gb in range(1, 49):
        try:
            refuse_if_too_small(capacity_of(usable_gib(card_gb)))
        except SetupError as error:
            tp = re.search(r"--tp (\d)", error.next_step)
            if "It fits" in error.next_step:
                found = capacity_of(
                    usable_gib(card_gb), int(tp[1]) if tp else 1, awq="--awq" in error.next_step
                )
                assert found.conversations(40) >= 1


@pytest.mark.parametrize("tp", [0, -1, 3, 5, 16])
def test_gpus_over_which_the_heads_do_not_divide_are_refused(tp: int) -> None:
    with pytest.raises(SetupError, match="--tp to 1, 2, 4 or 8"):
        capacity_of(80.0, tp)


# The arithmetic: parameters from the public configuration, then the table for a cache of 0.8 of what is free.


def test_the_parameters_are_those_of_the_published_model() -> None:
    assert [round(count / 1e9, 3) for count in (V1_5.vit, V1_5.connector, V1_5.decoder)] == [
        5.536,
        0.116,
        19.861,
    ]
    assert round(V1_5.parameters / 1e9, 2) == 25.51
    assert round(V1_5.weights_bytes(awq=False) / GIB, 1) == 47.5
    assert round(V1_5.weights_bytes(awq=True) / GIB, 1) == 21.7


def test_a_token_costs_192_kib_and_half_as_much_in_8_bits() -> None:
    assert V1_5.token_bytes("auto") == 196_608
    assert V1_5.token_bytes("int8") == 99 * 1024


def test_a_conversation_about_40_tiles_is_12_700_tokens() -> None:
    assert conversation_tokens(40) == 12_700
    assert conversation_tokens(12) == 13 * 256 + 2204
    assert conversation_tokens(1) == 256 + 2204, "one tile has no thumbnail"


TABLE: list[tuple[float, int, bool, CacheFormat, float, float, float, int, int]] = [
    # GiB, GPUs, AWQ, cache -> weights, free, cache in GiB on each GPU; thousands of tokens; conversations at 40 tiles
    (79.2, 1, False, "auto", 47.5, 30.2, 24.1, 132, 10),
    (79.2, 1, False, "int8", 47.5, 30.2, 24.1, 256, 20),
    (39.4, 2, False, "auto", 25.5, 12.1, 9.7, 106, 8),
    (44.4, 1, True, "auto", 21.7, 21.2, 17.0, 93, 7),
    (47.5, 1, True, "auto", 21.7, 24.3, 19.4, 106, 8),
    (23.6, 2, True, "auto", 12.6, 9.2, 7.4, 81, 6),
]


@pytest.mark.parametrize(("gib", "tp", "awq", "kv", "weights", "free", "cache", "tokens", "people"), TABLE)
def test_the_table_of_setups(
    gib: float,
    tp: int,
    awq: bool,
    kv: CacheFormat,
    weights: float,
    free: float,
    cache: float,
    tokens: int,
    people: int,
) -> None:
    found = capacity_of(gib, tp, awq=awq, kv=kv, cache_fraction=0.8)
    assert (round(found.weights_gib, 1), round(found.free_gib, 1)) == (weights, free)
    assert found.kv_gib == pytest.approx(cache, abs=0.06)
    assert round(found.kv_tokens / 1000) == tokens
    assert found.conversations(40) == people


@pytest.mark.parametrize(
    ("gib", "tp", "awq", "fraction"),
    [(79.2, 1, False, 0.75), (39.4, 2, False, 0.7), (44.4, 1, True, 0.75), (23.6, 2, True, 0.6)],
)
def test_the_cache_leaves_room_for_the_vision_encoder(
    gib: float, tp: int, awq: bool, fraction: float
) -> None:
    found = capacity_of(gib, tp, awq=awq)
    assert found.cache_fraction == pytest.approx(fraction)
    assert found.free_gib - found.kv_gib >= 3.6


@given(
    gib=st.floats(1, 300),
    tp=st.sampled_from([1, 2, 4, 8]),
    awq=st.booleans(),
    kv=st.sampled_from(["auto", "int8"]),
)
def test_what_fits_is_never_more_than_there_is(gib: float, tp: int, awq: bool, kv: CacheFormat) -> None:
    found = capacity_of(gib, tp, awq=awq, kv=kv)
    assert 0 <= found.cache_fraction <= 0.75
    assert found.session_len <= found.kv_tokens, "a request that can never fit would fail"
    assert found.conversations(1) >= found.conversations(12) >= found.conversations(40) >= 0
    if found.fits:
        assert found.weights_gib + found.context_gib + found.kv_gib + 3.6 <= gib + 1e-9
        assert capacity_of(gib + 1, tp, awq=awq, kv=kv).kv_tokens >= found.kv_tokens


# What `nvidia-smi` says.

ROWS = "0, GPU-aa11, 24080\n1, GPU-bb22, 81000\n2, GPU-cc33, [N/A]\nnonsense\n"


@pytest.mark.parametrize(
    ("visible", "gib"),
    [
        (None, [24080 / 1024, 81000 / 1024]),
        ("1", [81000 / 1024]),
        ("1,0", [81000 / 1024, 24080 / 1024]),
        ("GPU-bb", [81000 / 1024]),
        ("", []),
        ("7", []),
        ("2", []),
    ],
)
def test_gpus_count_as_cuda_counts_them(visible: str | None, gib: list[float]) -> None:
    assert parse(ROWS, visible) == gib


# The command, and the table in docs/serving.md.


def capacity(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "internvl_demo", "capacity", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_says_what_fits() -> None:
    found = json.loads(capacity("--gpu-memory", "80", "--tp", "1", "--json").stdout)
    assert found["fits"] is True
    assert found["conversations"] == {"1": 50, "12": 22, "40": 9}
    assert "22 of 12" in capacity("--gpu-memory", "80").stdout
    eight = json.loads(capacity("--gpu-memory", "80", "--kv", "int8", "--json").stdout)
    assert eight["conversations"]["40"] == 18


def test_the_command_refuses_in_two_sentences_and_tells_programs_quietly() -> None:
    done = capacity("--gpu-memory", "24", "--awq")
    assert done.returncode == 2
    assert "It fits with --tp 2" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(capacity("--gpu-memory", "24", "--awq", "--json").stdout)["fits"] is False


def test_the_documented_table_is_what_the_command_says() -> None:
    lines = SERVING.read_text("utf-8").splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| GPU | Command |"))
    rows = []
    for line in lines[head + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert len(rows) >= 5
    for gpus, command, *people in rows:
        count, card_gb = (int(number) for number in re.findall(r"\d+", gpus)[:2])
        tp = re.search(r"--tp (\d)", command)
        assert (int(tp[1]) if tp else 1) == count, gpus
        kv: CacheFormat = "int8" if "--quant-policy=8" in command else "auto"
        found = capacity_of(usable_gib(card_gb), count, awq="--awq" in command, kv=kv)
        said = (
            ["does not fit"] * 3
            if not found.fits
            else [str(found.conversations(tiles)) for tiles in (1, 12, 40)]
        )
        assert people == said, gpus


# Any model of the family.


@pytest.mark.parametrize(
    ("model", "gpu", "fits"),
    [
        ("mini-2b", "24", True),
        ("mini-2b", "12", True),
        ("internvl3.5-8b", "24", True),
        ("internvl3-78b", "80", False),
    ],
)
def test_the_capacity_of_any_model_is_computed_from_its_own_sizes(model: str, gpu: str, fits: bool) -> None:
    told = json.loads(run("capacity", "--gpu-memory", gpu, "--model", model, "--json").stdout)
    assert told["fits"] == fits
    found = find(model)
    assert found and told["model"] == found.hub_id
    assert told["weights_gib"] == pytest.approx(found.shape.parameters * 2 / GIB, rel=0.02)


def test_the_26b_is_what_is_meant_without_a_model() -> None:
    plain = run("capacity", "--gpu-memory", "80").stdout
    assert plain == run("capacity", "--gpu-memory", "80", "--model", "26b").stdout
    assert plain.startswith("OpenGVLab/InternVL-Chat-V1-5: ")


def test_a_model_is_split_over_as_many_gpus_as_its_heads_allow() -> None:
    told = run("capacity", "--gpu-memory", "80", "--tp", "8", "--model", "internvl3-8b", fails=True).stderr
    assert "its 4 key/value heads" in told and "Set --tp to 1, 2 or 4." in told
    with pytest.raises(SetupError) as caught:
        refuse_if_too_small(capacity_of(usable_gib(8), shape=profile_named("internvl3-8b").shape))
    assert "--tp 2" in caught.value.next_step or "--tp 4" in caught.value.next_step


def test_a_narrow_vision_encoder_needs_less_room() -> None:
    assert vision_gib(V1_5, 1) == 4.0
    assert 1.0 <= vision_gib(profile_named("mini-2b").shape, 1) < 1.5
