"""Checkpoints between the official InternVL 1.5 format and transformers': what they compute and what is kept."""

import asyncio
import json
import re
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import InternVLForConditionalGeneration

from internvl_demo.answering.stream import answer
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.tiling import plan_tiles
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.convert import convert, shards
from internvl_demo.models.convert.config import config_of_official
from internvl_demo.models.convert.configuration_internvl_chat import InternVLChatConfig
from internvl_demo.models.convert.tokens import read_tokenizer
from internvl_demo.models.convert.weights import weights_of
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.photos.decode import photo_of
from internvl_demo.settings import NANO_CHECKPOINT
from tests.support.commands import run
from tests.support.official_checkpoints import (
    CONFIG_26B,
    FORMS,
    IMAGE,
    edit_tensors,
    small_config,
    tensors_of,
    write_official,
    write_sharded,
)
from tests.support.official_forward import logits, visual_features


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A checkpoint that a test may break."""
    return write_official(tmp_path / "own", small_config({}, {}))


@pytest.fixture(scope="module", params=FORMS)
def official(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the official format, of every form."""
    return write_official(tmp_path_factory.mktemp("official") / "small", small_config(*FORMS[request.param]))


@pytest.fixture(scope="module")
def nano_official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature in the official format."""
    folder = tmp_path_factory.mktemp("nano") / "official"
    convert(NANO_CHECKPOINT, folder, "official")
    return folder


def same_bytes(one: Path, two: Path) -> bool:
    first, second = tensors_of(one), tensors_of(two)
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype
        and torch.equal(first[name].view(torch.int16), second[name].view(torch.int16))
        for name in first
    )


def test_the_command_line_says_what_is_wrong_and_what_was_written(own: Path, tmp_path: Path) -> None:
    done = run("convert", own, tmp_path / "native", "--image-token-id", str(IMAGE))
    assert re.fullmatch(r".*native: \d+ tensors in 1 file, 0\.\d million parameters\n", done.stdout)
    assert "no tokenizer" in done.stderr
    edit_tensors(own, lambda held: held.pop("mlp1.3.bias"))
    lines = run("convert", own, tmp_path / "again", fails=True).stderr.splitlines()
    assert len(lines) == 2
    assert "'mlp1.3.bias'" in lines[0]
    assert not (tmp_path / "again").exists()


@torch.inference_mode()
def test_a_converted_checkpoint_computes_what_the_official_format_means(
    official: Path, tmp_path: Path
) -> None:
    config = json.loads((official / "config.json").read_text())
    convert(official, tmp_path / "native", image_token_id=IMAGE)
    model = InternVLForConditionalGeneration.from_pretrained(tmp_path / "native", dtype=torch.float32).eval()
    source = torch.Generator().manual_seed(3)
    pixels = torch.randn(2, 3, 448, 448, generator=source)
    ids = torch.tensor([1, 5, 9, *[-1] * 128, 17, 33, 64, 2, 8])
    theirs = visual_features(tensors_of(official), config, pixels)
    ours = model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
    assert theirs.std() > 0.01
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
    prompt = ids.where(ids >= 0, IMAGE)[None]
    said = model(input_ids=prompt, pixel_values=pixels).logits[0]
    torch.testing.assert_close(said, logits(tensors_of(official), config, ids, theirs), rtol=0, atol=1e-4)

    for _ in range(12):
        ids = torch.cat([ids, logits(tensors_of(official), config, ids, theirs)[-1].argmax()[None]])
    model.generation_config.eos_token_id = None
    everything = {"attention_mask": torch.ones_like(prompt), "pixel_values": pixels}
    greedy = model.generate(input_ids=prompt, **everything, max_new_tokens=12, do_sample=False)
    assert greedy[0, -12:].tolist() == ids[-12:].tolist()


def test_there_and_back_every_tensor_has_the_same_bytes(official: Path, tmp_path: Path) -> None:
    convert(official, tmp_path / "native", image_token_id=IMAGE)
    assert not tensors_of(tmp_path / "native").keys() & tensors_of(official).keys() - {
        "language_model.model.norm.weight"
    }
    (tmp_path / "new" / "empty").mkdir(parents=True)
    back = tmp_path / "new" / "empty"
    convert(tmp_path / "native", back, "official")
    assert same_bytes(official, back)
    assert [path.name for path in back.parent.iterdir()] == ["empty"]
    convert(back, tmp_path / "deeper" / "again", image_token_id=IMAGE)
    assert same_bytes(tmp_path / "native", tmp_path / "deeper" / "again")
    configs = [json.loads((tmp_path / at / "config.json").read_text()) for at in ("native", "deeper/again")]
    assert configs[0] == configs[1]
    assert configs[0]["dtype"] == "float16"


def test_a_checkpoint_in_shards_gives_the_same_and_is_written_in_shards(own: Path, tmp_path: Path) -> None:
    convert(own, tmp_path / "whole", image_token_id=IMAGE)
    write_sharded(own, 3)
    done = convert(own, tmp_path / "parts", image_token_id=IMAGE, shard_bytes=100_000)
    files = sorted((tmp_path / "parts").glob("*.safetensors"))
    assert done.files == len(files) > 3
    assert same_bytes(tmp_path / "whole", tmp_path / "parts")
    index = json.loads((tmp_path / "parts" / "model.safetensors.index.json").read_text())
    for file in files:
        names = load_file(file)
        assert {index["weight_map"][name] for name in names} == {file.name}
        assert len(names) == 1 or sum(tensor.nbytes for tensor in names.values()) <= 100_000
    assert index["metadata"]["total_size"] == sum(one.nbytes for one in tensors_of(own).values())
    _, report = InternVLForConditionalGeneration.from_pretrained(tmp_path / "parts", output_loading_info=True)
    assert not any(report.values())


def test_a_large_checkpoint_passes_a_shard_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file is open at a time, each twice (header, tensors), and of the source's tensors no more are held
    than go into one file of the result."""
    source = write_official(
        tmp_path / "deep", small_config({"num_hidden_layers": 24}, {"num_hidden_layers": 24})
    )
    convert(source, tmp_path / "native", image_token_id=IMAGE)
    convert(tmp_path / "native", tmp_path / "shards", "official", shard_bytes=100_000)
    live = {"files": 0, "bytes": 0}
    peak = dict(live)
    opened: list[str] = []

    def counted(kind: str, thing: object, amount: int) -> None:
        live[kind] += amount
        peak[kind] = max(peak[kind], live[kind])
        weakref.finalize(thing, lambda: live.update({kind: live[kind] - amount}))

    class Watched:
        def __init__(self, file: Path, framework: str):
            self.inner = safe_open(file, framework=framework)
            opened.append(Path(file).name)
            counted("files", self, 1)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def get_tensor(self, name: str) -> torch.Tensor:
            tensor: torch.Tensor = self.inner.get_tensor(name)
            counted("bytes", tensor, tensor.nbytes)
            return tensor

    monkeypatch.setattr(shards, "safe_open", Watched)
    convert(tmp_path / "shards", tmp_path / "target", image_token_id=IMAGE, shard_bytes=100_000)
    sizes = [tensor.nbytes for tensor in tensors_of(source).values()]
    assert peak["files"] == 1
    assert len(opened) == 2 * len(set(opened)) > 10
    assert 0 < peak["bytes"] <= 100_000 + 2 * max(sizes) < sum(sizes) / 3
    assert same_bytes(tmp_path / "native", tmp_path / "target")


def test_the_miniature_comes_back_byte_for_byte_and_answers_the_same(
    nano_official: Path, nano: LocalBackend, tmp_path: Path
) -> None:
    convert(nano_official, tmp_path / "back")
    ours, back = (folder / "model.safetensors" for folder in (NANO_CHECKPOINT, tmp_path / "back"))
    assert back.read_bytes() == ours.read_bytes()
    other = LocalBackend(str(tmp_path / "back"), device="cpu")
    photo = photo_of(draw_scene(2_000_000_010, size_wh=(640, 480)).image)
    question = Conversation().ask("Where is everything?", (Attachment(photo, 2),))

    async def said(backend: LocalBackend) -> str:
        async for snapshot in answer(backend, question, Options(max_new_tokens=60)):
            last = snapshot.raw
        return last

    assert asyncio.run(said(other)) == asyncio.run(said(nano)) != ""


def test_the_official_miniature_has_what_lmdeploy_asks_for(nano_official: Path) -> None:
    """LMDeploy runs the configuration's class, whose sections are objects with these attributes, and asks the
    tokenizer for <s> before a text; the model's own Python files are not needed and not there."""
    config = InternVLChatConfig.from_pretrained(nano_official)
    assert config.architectures == ["InternVLChatModel"]
    assert config.auto_map == {"AutoConfig": "configuration_internvl_chat.InternVLChatConfig"}
    assert (config.ps_version, config.use_thumbnail, config.dynamic_image_size) == ("v2", True, True)
    assert config.llm_config.architectures == ["InternLM2ForCausalLM"]
    assert config.llm_config.dtype == config.vision_config.dtype == torch.bfloat16
    assert config.llm_config.hidden_size == 256
    assert config.vision_config.qk_normalization is True
    assert config.to_dict()["llm_config"]["max_position_embeddings"] == 8192
    assert [path.name for path in nano_official.glob("*.py")] == ["configuration_internvl_chat.py"]
    tokenizer = read_tokenizer(nano_official)
    assert tokenizer is not None
    assert Tokenizer.from_str(tokenizer.json).encode("Hi").ids[0] == tokenizer.id_of("<s>")
    stops = json.loads((nano_official / "generation_config.json").read_text())["eos_token_id"]
    assert tokenizer.id_of("<|im_end|>") in stops


@pytest.fixture(scope="module")
def whole() -> InternVLForConditionalGeneration:
    """The 26B, without memory for its weights."""
    config = config_of_official(CONFIG_26B, Path("26B"))
    with torch.device("meta"):
        return InternVLForConditionalGeneration(config)


def test_the_26b_has_its_size_and_the_table_has_every_tensor_of_it(
    whole: InternVLForConditionalGeneration,
) -> None:
    assert sum(parameter.numel() for parameter in whole.parameters()) == pytest.approx(25.5e9, rel=0.001)
    assert len(whole.model.vision_tower.encoder.layer) == 45
    moved = (("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."))

    def stored(name: str) -> str:
        for here, there in moved:
            if name.startswith(here):
                return name.replace(here, there, 1)
        return name.removeprefix("model.")

    expected = {stored(name): tuple(tensor.shape) for name, tensor in whole.state_dict().items()}
    table = weights_of(whole.config)
    assert {n: s for weight in table for n, s in zip(weight.native, weight.shapes, strict=True)} == expected
    shapes = {weight.official: weight.official_shape for weight in table}
    assert shapes["language_model.model.layers.47.attention.wqkv.weight"] == (8192, 6144)
    assert shapes["vision_model.encoder.layers.44.attn.qkv.weight"] == (9600, 3200)
    assert shapes["mlp1.1.weight"] == (6144, 12800)


@torch.inference_mode()
def test_the_26b_sees_256_tokens_a_tile(whole: InternVLForConditionalGeneration) -> None:
    pixels = torch.empty(1, 3, 448, 448, device="meta")
    seen = whole.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
    assert seen.shape == (1, 256, 6144)
    assert whole.config.image_seq_length == 256


@pytest.mark.parametrize(
    ("max_tiles", "size_wh", "tokens"),
    [(1, (448, 448), 256), (12, (1600, 1200), 3328), (40, (3584, 2240), 10496)],
)
def test_an_image_costs_the_26b_what_the_paper_says(
    whole: InternVLForConditionalGeneration, max_tiles: int, size_wh: tuple[int, int], tokens: int
) -> None:
    assert plan_tiles(size_wh, max_tiles).visual_tokens(whole.config.image_seq_length) == tokens
