"""The table of the family: names that people type, sizes as published, and what a checkpoint's own files tell."""

import json
from pathlib import Path
from typing import Any

import pytest

from internvl_demo.conversation.template import V1_5_SYSTEM
from internvl_demo.conversation.template_files import jinja_of
from internvl_demo.errors import CheckpointError, SetupError
from internvl_demo.models.profiles import find, hub_id_of, plain_name, profile_named, profiles, served_profile
from internvl_demo.models.profiles.detect import profile_of
from internvl_demo.models.profiles.templates import CHINESE_SYSTEM, TEMPLATES
from tests.support.official_checkpoints import CONFIG_26B
from tests.support.references import REFERENCE, needs_reference

PUBLISHED = {
    "InternVL-Chat-V1-2": 40.1,
    "InternVL-Chat-V1-5": 25.5,
    "Mini-InternVL-Chat-2B-V1-5": 2.21,
    "Mini-InternVL-Chat-4B-V1-5": 4.15,
    "InternVL2-1B": 0.938,
    "InternVL2-2B": 2.21,
    "InternVL2-4B": 4.15,
    "InternVL2-8B": 8.08,
    "InternVL2-26B": 25.5,
    "InternVL2-40B": 40.1,
    "InternVL2-Llama3-76B": 76.3,
    "InternVL2_5-1B": 0.938,
    "InternVL2_5-4B": 3.71,
    "InternVL2_5-8B": 8.08,
    "InternVL2_5-26B": 25.5,
    "InternVL2_5-38B": 38.4,
    "InternVL2_5-78B": 78.4,
    "InternVL3-2B": 2.09,
    "InternVL3-8B": 7.94,
    "InternVL3-9B": 9.14,
    "InternVL3-14B": 15.1,
    "InternVL3_5-1B": 1.06,
    "InternVL3_5-2B": 2.35,
    "InternVL3_5-4B": 4.73,
    "InternVL3_5-8B": 8.53,
    "InternVL3_5-14B": 15.1,
    "InternVL3_5-38B": 38.4,
    "InternVL3_5-30B-A3B": 30.8,
    "InternVL3_5-241B-A28B": 240.7,
}
"""Billions of parameters, as the checkpoints are published with."""


# Names.


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("mini-2b", "Mini-InternVL-Chat-2B-V1-5"),
        ("MINI-2B", "Mini-InternVL-Chat-2B-V1-5"),
        ("26b", "InternVL-Chat-V1-5"),
        ("OpenGVLab/InternVL-Chat-V1-5-AWQ", "InternVL-Chat-V1-5"),
        ("internvl3.5-8b", "InternVL3_5-8B"),
        ("InternVL3_5-8B-HF", "InternVL3_5-8B"),
        ("internvl2.5-8b-mpo", "InternVL2_5-8B-MPO"),
        ("OpenGVLab/InternVL2_5-8B-MPO-AWQ", "InternVL2_5-8B-MPO"),
        ("internvl2-76b", "InternVL2-Llama3-76B"),
        ("internvl3.5-241b", "InternVL3_5-241B-A28B"),
        ("/models/Mini-InternVL-Chat-4B-V1-5/", "Mini-InternVL-Chat-4B-V1-5"),
    ],
)
def test_a_checkpoint_is_found_as_people_name_it(typed: str, name: str) -> None:
    found = find(typed)
    assert found and found.name == name


def test_no_two_checkpoints_answer_to_one_name() -> None:
    names = [name for each in profiles() for name in {plain_name(own) for own in (each.name, *each.shorts)}]
    assert len(names) == len(set(names))


def test_a_short_name_is_the_hub_id_of_its_checkpoint() -> None:
    assert hub_id_of("mini-2b") == "OpenGVLab/Mini-InternVL-Chat-2B-V1-5"
    assert hub_id_of("me/mini-2b") == "me/mini-2b"
    assert hub_id_of("me/my-own") == "me/my-own"


def test_a_name_that_is_none_is_answered_with_near_ones() -> None:
    with pytest.raises(SetupError, match="mini-3b") as caught:
        profile_named("mini-3b")
    assert "mini-2b" in caught.value.next_step


def test_an_unknown_model_of_a_server_is_sent_no_ids_of_tokens() -> None:
    assert served_profile("my-finetune").stop_ids == ()
    assert served_profile("OpenGVLab/InternVL3_5-8B").stop_ids == (151645, 151644, 151643)


# Sizes.


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_sizes_are_those_of_the_published_checkpoint(name: str) -> None:
    found = find(name)
    assert found
    assert found.shape.parameters / 1e9 == pytest.approx(PUBLISHED[name], rel=0.006)


def test_what_each_may_be_shown_and_told() -> None:
    for each in profiles():
        assert each.tiles == (1 if "V1-2" in each.name else 40)
        assert (each.thinking is not None) == ("3_5" in each.name)
        assert each.template.label(3) == "Image-3: "


# What a checkpoint's own files tell.


def official(**changes: Any) -> dict[str, Any]:
    return {**CONFIG_26B, "template": "internlm2-chat", **changes}


def native(jinja: str | None, **text: Any) -> tuple[dict[str, Any], str, str | None]:
    told = {
        "model_type": "internvl",
        "vision_config": {**CONFIG_26B["vision_config"], "patch_size": [14, 14]},
        "text_config": {**CONFIG_26B["llm_config"], "model_type": "qwen2", "architectures": None, **text},
    }
    return told, "some/folder", jinja


def test_a_renamed_copy_of_the_26b_is_told_from_its_successor_by_its_rope() -> None:
    assert profile_of(official(), "mine").template.system == V1_5_SYSTEM
    two = {**CONFIG_26B["llm_config"], "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    found = profile_of(official(llm_config=two), "mine")
    assert found.template.system == CHINESE_SYSTEM
    assert found.template.start == "<s>"
    assert found.template.ends == ("<|im_end|>", "<|im_start|>", "</s>")


def test_a_name_counts_only_where_its_template_is_config_jsons() -> None:
    two = {**CONFIG_26B["llm_config"], "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    assert profile_of(official(llm_config=two), "mini-2b").template.system == V1_5_SYSTEM
    other = profile_of(official(template="internvl2_5"), "mini-2b")
    assert other.template.name == "internvl2_5"


def test_a_system_message_in_config_json_is_the_models() -> None:
    found = profile_of(official(system_message="Be kind."), "mine")
    assert found.template.system == "Be kind."


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_chat_template_is_recognised_by_what_it_writes(name: str) -> None:
    found = profile_of(*native(jinja_of(TEMPLATES[name].with_system("Be kind.")))).template
    assert (found.name, found.system) == (name, "Be kind.")


def test_the_chat_template_of_transformers_own_checkpoints_is_recognised() -> None:
    """As InternVL3's -hf checkpoints write it: no system prompt of their own."""
    jinja = (
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n'}}"
        "{% if message['content'] is string %}{{ message['content'] }}"
        "{% else %}{% for content in message['content'] %}{{ content['text'] }}{% endfor %}{% endif %}"
        "{{'<|im_end|>\\n'}}{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\\n'}}{% endif %}"
    )
    found = profile_of(*native(jinja))
    assert found.template.name == "internvl2_5"
    assert found.template.system == TEMPLATES["internvl2_5"].system


@pytest.mark.parametrize(
    ("config", "jinja", "lacks"),
    [
        ({"template": "vicuna"}, None, "'vicuna'"),
        ({"template": None}, None, "no chat template"),
        ({"template": None}, "{{ messages }}", "none of the family's"),
        ({"template": None}, "{% for", "none of the family's"),
        ({"template": None}, "{{ messages[9]['role'] * 10**9 }}", "none of the family's"),
        ({"vision_config": None}, None, "vision encoder"),
        ({"llm_config": "text"}, None, "language model"),
        ({"llm_config": {"hidden_size": "wide"}}, None, "lacks a size"),
    ],
)
def test_what_cannot_be_told_is_refused_with_what_is_missing(
    config: dict[str, Any], jinja: str | None, lacks: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        profile_of(official(**config), "some/folder", jinja)
    assert lacks in caught.value.what
    assert caught.value.next_step.endswith(".")


@needs_reference
@pytest.mark.parametrize(
    ("folder", "template"),
    [
        ("mini-2b-v1-5", "internlm2-chat"),
        ("mini-4b-v1-5", "phi3-chat"),
        ("qwen2", "Hermes-2"),
        ("qwen2-v3", "internvl2_5"),
        ("qwen3", "internvl2_5"),
        ("40b", "Hermes-2"),
        ("v1-2-plus", "Hermes-2"),
    ],
)
def test_the_releases_config_json_is_understood(folder: str, template: str) -> None:
    config = json.loads((Path(REFERENCE) / "family" / folder / "config.json").read_text("utf-8"))
    found = profile_of(config, "somebody/else")
    assert found.template.name == template
    assert found.tiles == (1 if folder == "v1-2-plus" else 40)
    assert (found.thinking is not None) == (folder == "qwen3")
