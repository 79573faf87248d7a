"""Tell which of the family a checkpoint is, by its own files.

    {"architectures": ["InternVLChatModel"], "template": "phi3-chat", "llm_config": {...}}     official
    {"model_type": "internvl", "text_config": {...}}, and a chat template beside it            transformers' own

First the name, where config.json names the template of the checkpoint of that name; then config.json's `template`;
then the chat template, which is rendered once, in Jinja's sandbox, and compared with what each template writes. What
none of them tells is refused with what is missing: a wrong template answers, but badly, and nobody sees why.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from internvl_demo.conversation.template import Template
from internvl_demo.errors import CheckpointError
from internvl_demo.models.profiles import V1_5_PROFILE, Profile, completed, find, profile_named
from internvl_demo.models.profiles.languages import vocabulary_of
from internvl_demo.models.profiles.shape import shape_of
from internvl_demo.models.profiles.templates import TEMPLATES, THINKING_SYSTEM

_V1_5_ROPE_FACTOR = 3.0
"""InternVL-Chat-V1-5's; InternVL2-26B has the same sizes and template, and 2."""

_LANGUAGES = {
    "internlm2": "InternLM2ForCausalLM",
    "llama": "LlamaForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "gpt_oss": "GptOssForCausalLM",
}
_THINKING = "Qwen3"
_QUESTION, _ANSWER = "What is this?", "A cat."


ReadText = Callable[[str], str | None]
"""A file's name -> its text; None where a checkpoint has no such file."""


def profile_for(
    config: Mapping[str, Any], name: str, chat_template: str | None, named: str | None
) -> Profile:
    """Return `profile_of`, or where a person has named a checkpoint that one's profile, with the sizes in config.json.

    Raises CheckpointError, and SetupError on a name that is none.
    """
    found = profile_named(named) if named else None
    told = {**config, "template": found.template.name} if found else config
    profile = profile_of(told, name, chat_template)
    return replace(found, shape=profile.shape) if found else profile


def chat_template_of(read: ReadText) -> str | None:
    """Return the Jinja beside a checkpoint in transformers' format, which stands in one of three files."""
    if jinja := read("chat_template.jinja"):
        return jinja
    for name in ("chat_template.json", "tokenizer_config.json"):
        try:
            told = json.loads(read(name) or "null")
        except ValueError:
            continue
        if isinstance(told, dict) and isinstance(told.get("chat_template"), str):
            return str(told["chat_template"])
    return None


def profile_of(config: Mapping[str, Any], name: str = "", chat_template: str | None = None) -> Profile:
    """Return what a checkpoint is, with the sizes in its config.json.

    name: its hub id or folder. chat_template: Jinja, from chat_template.jinja or tokenizer_config.json.
    Raises CheckpointError where its template cannot be told, or its sizes are not there.
    """
    text = config.get("llm_config") or config.get("text_config")
    if not isinstance(text, Mapping) or not isinstance(config.get("vision_config"), Mapping):
        raise CheckpointError(
            f"{name or 'The checkpoint'} is not of the InternVL family: its config.json lacks a vision encoder or a "
            "language model.",
            "Use a checkpoint of InternVL 1.2 to 3.5, in the official format or in transformers' (-HF).",
        )
    named = find(name)
    try:
        shape = shape_of(config)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"config.json of {name or 'the checkpoint'} lacks a size: {error}.", "Download or copy it again."
        ) from error
    template = _template(config, named, chat_template)
    if template is None:
        raise CheckpointError(
            f"Nothing tells the prompt template of {name or 'this checkpoint'}: {_missing(config, chat_template)}.",
            "Name the checkpoint that it was made from, such as --profile mini-2b.",
        )
    if named and template == named.template:
        return replace(named, shape=shape)
    language = _language(text)
    vocabulary = vocabulary_of(language, shape.vocabulary, template.name)
    whole, stop_ids = completed(template, vocabulary)
    return Profile(
        name or template.name,
        whole,
        shape,
        stop_ids=stop_ids if config.get("llm_config") and _is_real(shape.vocabulary) else (),
        tiles=1 if config.get("dynamic_image_size") is False else V1_5_PROFILE.tiles,
        thinking=THINKING_SYSTEM if language.startswith(_THINKING) else None,
        language=language,
        vocabulary=vocabulary.name,
    )


def _template(config: Mapping[str, Any], named: Profile | None, jinja: str | None) -> Template | None:
    told = config.get("template")
    if isinstance(told, str) and told in TEMPLATES:
        if named and named.template.name == told:
            return named.template
        system = config.get("system_message")
        if isinstance(system, str):
            return TEMPLATES[told].with_system(system)
        return V1_5_PROFILE.template if _is_v1_5(config, told) else TEMPLATES[told]
    if told is None and jinja:
        return _rendered(jinja, named)
    return named.template if named and told is None else None


def _is_v1_5(config: Mapping[str, Any], template: str) -> bool:
    rope = (config.get("llm_config") or {}).get("rope_scaling") or {}
    return template == V1_5_PROFILE.template.name and rope.get("factor") == _V1_5_ROPE_FACTOR


def _is_real(vocabulary: int) -> bool:
    """Return whether a vocabulary is as large as a release's, so that ids of tokens are what the family's are."""
    return vocabulary > 30_000


def _language(text: Mapping[str, Any]) -> str:
    architectures = text.get("architectures")
    if isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
        return str(architectures[0])
    return _LANGUAGES.get(str(text.get("model_type")), "")


def _missing(config: Mapping[str, Any], jinja: str | None) -> str:
    told = config.get("template")
    if told is not None:
        return f"its config.json names {told!r}, which is none of {', '.join(TEMPLATES)}"
    if jinja:
        return "its chat template writes none of the family's prompts"
    return "its config.json has no `template`, and there is no chat template beside it"


def _rendered(jinja: str, named: Profile | None) -> Template | None:
    """Return the template whose turns the Jinja writes, with the Jinja's own system prompt if it has one."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    messages = [
        {"role": "user", "content": _QUESTION},
        {"role": "assistant", "content": _ANSWER},
        {"role": "user", "content": _QUESTION},
    ]
    try:
        written = (
            ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
            .from_string(jinja)
            .render(messages=messages, add_generation_prompt=True, bos_token="", eos_token="")
        )
    except Exception:  # noqa: BLE001 - a foreign template may raise what it likes, and tells nothing then
        return None
    by_name = sorted(
        TEMPLATES.values(), key=lambda template: template.name not in jinja
    )  # two write the same
    for template in by_name:
        asked = f"{template.before_question}{_QUESTION}{template.after_question}{template.before_answer}"
        opening, there, rest = written.partition(f"{asked}{template.answer_text(_ANSWER)}{asked}")
        if there and not rest:
            return _with_system_of(opening, named.template if named else template)
    return None


def _with_system_of(opening: str, template: Template) -> Template:
    """Return the template with the system prompt in the opening of a prompt; with its own where that has none."""
    _, there, after = opening.partition(template.before_system)
    if not there or not after.endswith(template.after_system):
        return template
    system = after.removesuffix(template.after_system)
    return template.with_system(system) if system else template
