"""The tokenizer of a converted checkpoint: it reads as the original does, and needs no remote code."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import CheckpointError
from internvl_demo.models.convert import convert
from internvl_demo.models.convert.tokens import read_tokenizer
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.nano.world.scenes import draw_scene
from internvl_demo.photos.decode import photo_of
from tests.support.official_checkpoints import IMAGE, TOKENIZER, refused, small_config, write_official


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A checkpoint that a test may break."""
    return write_official(tmp_path / "own", small_config({}, {}))


@pytest.mark.parametrize(
    ("added", "says"),
    [
        ({"600": "<img>"}, "'<img>' cannot have the id 600"),
        ({"5": "<s>"}, "two tokens '<s>'"),
        ({"x": "<img>"}, "cannot be read"),
    ],
)
def test_a_tokenizer_whose_ids_do_not_fit_is_refused(
    tmp_path: Path, added: dict[str, str], says: str
) -> None:
    shutil.copy(TOKENIZER / "tokenizer.model", tmp_path)
    decoder = {id_: {"content": content, "special": True} for id_, content in added.items()}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    with pytest.raises(CheckpointError, match=says):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"\x0a\x7f", b"\x00" * 9])
def test_a_tokenizer_model_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(CheckpointError):
        read_tokenizer(tmp_path)


def test_a_tokenizer_model_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    data = (TOKENIZER / "tokenizer.model").read_bytes()
    for end in (*range(0, len(data), 97), *range(len(data) - 40, len(data))):
        (tmp_path / "tokenizer.model").write_bytes(data[:end])
        with pytest.raises(CheckpointError):
            read_tokenizer(tmp_path)


def test_a_tokenizer_without_a_place_for_images_is_refused(own: Path) -> None:
    shutil.copy(TOKENIZER / "tokenizer.model", own)
    refused(own, "no <IMG_CONTEXT>")


@pytest.mark.parametrize(
    ("text", "ids"), json.loads((TOKENIZER / "ids.json").read_text("utf-8"))["texts"], ids=lambda _: ""
)
def test_a_converted_tokenizer_reads_as_sentencepiece_does(text: str, ids: list[int]) -> None:
    files = read_tokenizer(TOKENIZER)
    assert files is not None
    tokenizer = Tokenizer.from_str(files.json)
    assert tokenizer.encode(text, add_special_tokens=False).ids == ids
    assert tokenizer.encode(text).ids == [1, *ids]
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_named_tokens_keep_their_ids_and_old_names_are_forgotten() -> None:
    files = read_tokenizer(TOKENIZER)
    assert files is not None
    given = json.loads((TOKENIZER / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    assert {token["content"]: files.id_of(token["content"]) for token in given.values()} == {
        token["content"]: int(id_) for id_, token in given.items()
    }
    assert files.id_of("[UNUSED_TOKEN_145]") is None
    assert "auto_map" not in files.settings


def test_without_a_tokenizer_the_image_token_is_guessed_aloud_or_given(own: Path, tmp_path: Path) -> None:
    for given, expected in ((None, 640 - 7), (IMAGE, IMAGE)):
        done = convert(own, tmp_path / f"native-{given}", image_token_id=given)
        config = json.loads((tmp_path / f"native-{given}" / "config.json").read_text())
        assert config["image_token_id"] == expected
        assert any("taken to be 633" in note for note in done.notes) == (given is None)
    refused(
        write_official(tmp_path / "other" / "own", small_config({}, {})), "9999 is no", image_token_id=9999
    )


def test_an_official_folder_with_its_sentencepiece_model_answers_in_process(tmp_path: Path) -> None:
    source = write_official(tmp_path / "official", small_config({}, {}, vocabulary=512))
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, source)
    assert convert(source, tmp_path / "native").notes == ()
    backend = LocalBackend(str(tmp_path / "native"), device="cpu")
    assert backend.model.config.image_token_id == backend.tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    assert backend.tokens_per_tile == 64
    photo = photo_of(draw_scene(2_000_000_011, size_wh=(300, 300)).image)

    async def pieces() -> list[object]:
        asked = Conversation().ask("你好?", (Attachment(photo, 1),))
        return [piece async for piece in backend.stream(asked, Options(max_new_tokens=5))]

    assert asyncio.run(pieces())
