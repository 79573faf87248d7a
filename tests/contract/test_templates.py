"""LMDeploy's own code writes every prompt of the family from the template files, as the page says that it does."""

import json
import subprocess

import pytest

from internvl_demo.conversation.prompt import prompt_text
from internvl_demo.conversation.turns import Conversation
from internvl_demo.models.openai.dialects import messages_of
from internvl_demo.models.profiles import Profile, profiles
from internvl_demo.models.profiles.files import template_file
from tests.contract.servers import PYTHON, ROOT

CONVERSATION = Conversation().ask("What differs?").with_answer("The cat.").ask("Where is it?")
CODE = """
import json, sys
from lmdeploy.model import ChatTemplateConfig
for file, messages in json.load(sys.stdin):
    template = ChatTemplateConfig.from_json(file).chat_template()
    print("PROMPT", json.dumps([template.messages2prompt(messages), template.stop_words]))
"""
FAMILY = list({each.template_stem: each for each in profiles()}.values())


@pytest.fixture(scope="module")
def written() -> dict[str, tuple[str, list[str]]]:
    """Stem of a template -> the prompt that LMDeploy writes, and its stop words."""
    asked = [
        (str(template_file(each, ".json")), messages_of(CONVERSATION, {}, profile=each)) for each in FAMILY
    ]
    done = subprocess.run(
        [PYTHON, "-c", CODE], cwd=ROOT, input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    lines = [line.removeprefix("PROMPT ") for line in done.stdout.splitlines() if line.startswith("PROMPT ")]
    return {each.template_stem: tuple(json.loads(line)) for each, line in zip(FAMILY, lines, strict=True)}


@pytest.mark.parametrize("profile", FAMILY, ids=lambda profile: profile.template_stem)
def test_lmdeploy_writes_the_prompt_of_every_template(
    profile: Profile, written: dict[str, tuple[str, list[str]]]
) -> None:
    prompt, stops = written[profile.template_stem]
    ours = prompt_text(CONVERSATION, 256, template=profile.template)
    assert prompt == ours.removeprefix(profile.template.start), "the first token is its tokenizer's"
    assert stops == list(profile.template.ends)
