"""List the checkpoints of the family, one a row: what OpenGVLab has published, and how people may call it.

MODELS in the order of their release. A row names only what differs; sizes are in `languages`, texts in `templates`.
Source of template by checkpoint: the training scripts of the official repository (`--conv_style`), and `template` in
public copies of config.json.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from internvl_demo.conversation.template import V1_5, Template
from internvl_demo.models.profiles import languages as of
from internvl_demo.models.profiles.languages import VIT_6B, VIT_300M, Language
from internvl_demo.models.profiles.templates import (
    HERMES_2,
    INTERNLM2_CHAT,
    INTERNVL2_5,
    MINI_4B,
    PHI3_CHAT,
    V1_2,
)


class Row(NamedTuple):
    """A published checkpoint. `shorts`: what people may type; `awq`: whether it is published in 4 bits, too."""

    name: str
    shorts: tuple[str, ...]
    template: Template
    language: Language
    vision: dict[str, Any]
    tiles: int = 40
    awq: bool = False
    thinks: bool = False


def _rows() -> Iterator[Row]:
    for name in ("V1-2", "V1-2-Plus"):
        yield Row(f"InternVL-Chat-{name}", (name.lower(),), V1_2, of.YI_34B, VIT_6B, tiles=1)
    yield Row("InternVL-Chat-V1-5", ("26b", "v1-5"), V1_5, of.INTERNLM2_20B, VIT_6B, awq=True)
    yield Row("Mini-InternVL-Chat-2B-V1-5", ("mini-2b",), V1_5, of.INTERNLM2_2B, VIT_300M)
    yield Row("Mini-InternVL-Chat-4B-V1-5", ("mini-4b",), MINI_4B, of.PHI3_MINI, VIT_300M)
    for size, template, language, vision, awq in (
        ("1B", HERMES_2, of.QWEN2_HALF_B, VIT_300M, False),
        ("2B", INTERNLM2_CHAT, of.INTERNLM2_2B, VIT_300M, True),
        ("4B", PHI3_CHAT, of.PHI3_MINI, VIT_300M, False),
        ("8B", INTERNLM2_CHAT, of.INTERNLM2_7B, VIT_300M, True),
        ("26B", INTERNLM2_CHAT, of.INTERNLM2_20B, VIT_6B, True),
        ("40B", HERMES_2, of.YI_34B_8K, VIT_6B, True),
        ("Llama3-76B", INTERNLM2_CHAT, of.LLAMA3_70B, VIT_6B, True),
    ):
        low = size.lower()
        shorts = tuple(f"internvl2-{each}" for each in dict.fromkeys((low.removeprefix("llama3-"), low)))
        yield Row(f"InternVL2-{size}", shorts, template, language, vision, awq=awq)
    for size, language, vision, awq in (
        ("1B", of.QWEN2_5_HALF_B, VIT_300M, False),
        ("2B", of.INTERNLM2_2B, VIT_300M, False),
        ("4B", of.QWEN2_5_3B, VIT_300M, True),
        ("8B", of.INTERNLM2_7B, VIT_300M, True),
        ("26B", of.INTERNLM2_20B, VIT_6B, True),
        ("38B", of.QWEN2_5_32B, VIT_6B, True),
        ("78B", of.QWEN2_5_72B, VIT_6B, True),
    ):
        for more in ("", "-MPO"):
            short = f"internvl2.5-{size}{more}".lower()
            yield Row(f"InternVL2_5-{size}{more}", (short,), INTERNVL2_5, language, vision, awq=awq)
    for size, language, vision in (
        ("1B", of.QWEN2_5_HALF_B, VIT_300M),
        ("2B", of.QWEN2_5_1_5B, VIT_300M),
        ("8B", of.QWEN2_5_7B, VIT_300M),
        ("9B", of.INTERNLM3_8B, VIT_300M),
        ("14B", of.QWEN2_5_14B, VIT_300M),
        ("38B", of.QWEN2_5_32B, VIT_6B),
        ("78B", of.QWEN2_5_72B, VIT_6B),
    ):
        short = f"internvl3-{size}".lower()
        yield Row(f"InternVL3-{size}", (short,), INTERNVL2_5, language, vision, awq=True)
    for size, language, vision in (
        ("1B", of.QWEN3_0_6B, VIT_300M),
        ("2B", of.QWEN3_1_7B, VIT_300M),
        ("4B", of.QWEN3_4B, VIT_300M),
        ("8B", of.QWEN3_8B, VIT_300M),
        ("14B", of.QWEN3_14B, VIT_300M),
        ("38B", of.QWEN3_32B, VIT_6B),
        ("30B-A3B", of.QWEN3_30B, VIT_300M),
        ("241B-A28B", of.QWEN3_235B, VIT_6B),
    ):
        low = size.lower()
        shorts = tuple(f"internvl3.5-{each}" for each in dict.fromkeys((low, low.split("-")[0])))
        yield Row(f"InternVL3_5-{size}", shorts, INTERNVL2_5, language, vision, thinks=True)


ROWS = tuple(_rows())
