"""Every checkpoint of the family is asked in its own words: the prompts are the official code's, letter by letter.

tests/data/family_prompts.json holds what the official `chat()` handed to its tokenizer (its `source` says which).
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from PIL import Image

from internvl_demo.conversation.prompt import prompt_text
from internvl_demo.conversation.template import Template
from internvl_demo.conversation.template_files import jinja_of
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.models.convert.tokens import read_tokenizer
from internvl_demo.models.profiles import completed, find, profiles
from internvl_demo.models.profiles.languages import INTERNLM2
from internvl_demo.models.profiles.templates import TEMPLATES
from internvl_demo.photos.decode import photo_of
from tests.support.references import REFERENCE, needs_reference

WANTED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "family_prompts.json").read_text("utf-8")
)["templates"]
OLD = {"Hermes-2": "v1-2", "internlm2-chat": "26b", "phi3-chat": "mini-4b"}
"""Template -> a checkpoint that was released with its earlier system prompt."""


def picture(views: int) -> Attachment:
    """A picture that is read in so many views: one, or a row of tiles and the thumbnail."""
    tiles = max(1, views - 1)
    return Attachment(photo_of(Image.new("RGB", (448 * tiles, 448), f"#{views:02}6699")), tiles)


def asked(name: str) -> tuple[list[Conversation], str]:
    """The turns of a conversation of the reference, and the label of its images."""
    if name == "text_only":
        return [Conversation().ask("Where is it?")], ""
    if name == "single_image":
        return [Conversation().ask("Where is it?", (picture(3),))], ""
    images = (picture(4),) if name == "two_images_combined" else (picture(3), picture(1))
    first = Conversation().ask("What differs?", images)
    label = "Image-{number}: " if name == "two_images_separate" else ""
    return [first, first.with_answer("The cat.").ask("Where is it?")], label


def cases() -> Iterator[tuple[Template, dict[str, Any]]]:
    for name, wanted in WANTED.items():
        yield TEMPLATES[name], wanted["prompts"]
        if "prompts_v1" in wanted:
            found = find(OLD[name])
            assert found
            yield replace(found.template, start=""), wanted["prompts_v1"]
    thinking = WANTED["internvl2_5"]["thinking"]["prompts"]
    model = find("internvl3.5-8b")
    assert model and model.thinking
    yield model.template.with_system(model.thinking), thinking


CASES = list(cases())


def written_out(short: str) -> str:
    """The reference's short form, every `<IMG_CONTEXT>` written out."""
    head, *parts = short.split("<IMG_CONTEXT>*")
    for part in parts:
        count = part[: len(part) - len(part.lstrip("0123456789"))]
        head += "<IMG_CONTEXT>" * int(count) + part.removeprefix(count)
    return head


@pytest.mark.parametrize(
    ("template", "wanted"), CASES, ids=[f"{one.name}-{n}" for n, (one, _) in enumerate(CASES)]
)
def test_every_prompt_is_the_official_codes(template: Template, wanted: dict[str, Any]) -> None:
    for name, turns in wanted.items():
        conversations, label = asked(name)
        assert len(conversations) == len(turns)
        for conversation, text in zip(conversations, turns.values(), strict=True):
            ours = prompt_text(conversation, 256, template=replace(template, image_label=label))
            assert ours == written_out(text), name


@pytest.mark.parametrize(
    ("template", "wanted"), CASES, ids=[f"{one.name}-{n}" for n, (one, _) in enumerate(CASES)]
)
def test_a_server_that_is_given_the_jinja_file_writes_the_same(
    template: Template, wanted: dict[str, Any]
) -> None:
    render = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(
        jinja_of(template)
    )
    question = "<img><IMG_CONTEXT>*768</img>\n<img><IMG_CONTEXT>*256</img>\nWhat differs?"
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": "The cat."},
        {"role": "user", "content": "Where is it?"},
    ]
    turns = wanted["two_images_unlabelled"]
    assert render.render(messages=messages, add_generation_prompt=True) == turns["turn_2"]
    system = {"role": "system", "content": template.system}
    assert render.render(messages=[system, messages[0]], add_generation_prompt=True) == turns["turn_1"]


def test_every_checkpoint_has_the_template_that_it_was_trained_with() -> None:
    trained = {name: template for template, wanted in WANTED.items() for name in wanted["checkpoints"]}
    for each in profiles():
        name = each.name.removesuffix("-MPO")
        assert each.template.name == trained[name], each.name
        v1 = "-V1-" in name
        wanted = WANTED[each.template.name]
        told = (
            next(iter(wanted["system_message_of_v1_checkpoints"].values()))
            if v1
            else wanted["system_message"]
        )
        assert each.template.system == told
        assert each.template.ends[0] == wanted["stop"]


def test_every_checkpoint_of_the_official_scripts_is_known() -> None:
    trained = {name for wanted in WANTED.values() for name in wanted["checkpoints"]}
    known = {each.name for each in profiles()}
    assert trained - known == {"InternVL-Chat-V1-1", "InternVL3_5-GPT-OSS-20B-A4B-Preview"}
    assert {name.removesuffix("-MPO") for name in known} <= trained


@needs_reference
@pytest.mark.parametrize("version", ["token_ids", "token_ids_v1"])
def test_the_token_ids_are_those_of_the_real_tokenizer(version: str, tmp_path: Path) -> None:
    reference = json.loads((REFERENCE / "family" / "prompts.json").read_text("utf-8"))
    (tmp_path / "tokenizer.model").write_bytes(
        (REFERENCE / "internlm2-tokenizer" / "tokenizer.model").read_bytes()
    )
    names = {id_: {"content": name} for name, id_ in reference["internlm2_tokens"]["ids"].items()}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": names}))
    files = read_tokenizer(tmp_path)
    assert files
    tokenizer = files.tokenizer()
    mini = find("mini-2b")
    assert mini
    today, stop_ids = completed(TEMPLATES["internlm2-chat"], INTERNLM2)
    template = mini.template if version == "token_ids_v1" else today
    assert tuple(tokenizer.token_to_id(end) for end in template.ends) == mini.stop_ids == stop_ids
    for name, turns in reference["templates"]["internlm2-chat"][version].items():
        conversations, label = asked(name)
        for conversation, ids in zip(conversations, turns.values(), strict=True):
            text = prompt_text(conversation, 256, template=replace(template, image_label=label))
            wanted = [
                id_ for item in ids for id_ in ([item] if isinstance(item, int) else [item[0]] * item[1])
            ]
            assert tokenizer.encode(text, add_special_tokens=False).ids == wanted, name
