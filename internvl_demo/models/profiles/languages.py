"""List the language models of the family: their architecture, sizes, and what their vocabularies add to a template.

Sizes are those of the models' public config.json, with the nine tokens that InternVL adds to a vocabulary; a test
holds them against the number of parameters that each checkpoint is published with. Ids of tokens are named only where
the official code or its references name them; without ids a server is asked to stop at strings.
"""

from dataclasses import dataclass, field
from typing import Any

from internvl_demo.models.profiles.shape import Shape

VIT_6B: dict[str, Any] = {}
VIT_300M: dict[str, Any] = {
    "vit_layers": 24,
    "vit_width": 1024,
    "vit_heads": 16,
    "vit_mlp": 4096,
    "vit_norms": False,
}
"""The two vision encoders: InternViT-6B (45 of its 48 layers; `Shape`'s defaults) and InternViT-300M."""


@dataclass(frozen=True)
class Vocabulary:
    """What a tokenizer adds to a template.

    name: in the names of template files. start: its first token, "" where it writes none. end: where its base model
    stops. ids: of tokens that end an answer.
    """

    name: str = ""
    start: str = ""
    end: str = ""
    ids: dict[str, int] = field(default_factory=dict)


INTERNLM2 = Vocabulary("internlm2", "<s>", "</s>", {"<|im_end|>": 92542, "<|im_start|>": 92543, "</s>": 2})
INTERNLM3 = Vocabulary("internlm3", "<s>", "</s>")
QWEN = Vocabulary(
    "qwen", "", "<|endoftext|>", {"<|im_end|>": 151645, "<|im_start|>": 151644, "<|endoftext|>": 151643}
)
YI = Vocabulary("yi", "", "<|endoftext|>", {"<|im_end|>": 7, "<|im_start|>": 6, "<|endoftext|>": 2})
LLAMA3 = Vocabulary("llama3", "<|begin_of_text|>", "<|end_of_text|>")
PHI3 = Vocabulary("phi3", "<s>", "</s>", {"<|end|>": 32007, "<|endoftext|>": 32000, "</s>": 2})
LLAMA2 = Vocabulary("llama2", "<s>", "</s>", {"</s>": 2})
HARMONY = Vocabulary("harmony")

VOCABULARIES = {
    "InternLM2ForCausalLM": INTERNLM2,
    "InternLM3ForCausalLM": INTERNLM3,
    "Qwen2ForCausalLM": QWEN,
    "Qwen3ForCausalLM": QWEN,
    "Qwen3MoeForCausalLM": QWEN,
    "Phi3ForCausalLM": PHI3,
    "GptOssForCausalLM": HARMONY,
}
"""By the architecture that config.json names; a Llama may have any: see `vocabulary_of`."""

_LLAMA3_TOKENS = 128_000


def vocabulary_of(architecture: str, size: int, template: str) -> Vocabulary:
    """Return the vocabulary of a language model, by its architecture, its number of tokens and its template's name."""
    if architecture != "LlamaForCausalLM":
        return VOCABULARIES.get(architecture, Vocabulary())
    if size >= _LLAMA3_TOKENS:
        return LLAMA3
    if template == "internlm2-chat":  # InternLM2 in Llama's form, as `convert` writes it
        return INTERNLM2
    return LLAMA2 if template == "internvl_zh" else YI


@dataclass(frozen=True)
class Language:
    """A language model: `architecture` as in config.json, the fields of its `Shape`, its vocabulary."""

    architecture: str
    sizes: dict[str, Any]
    vocabulary: Vocabulary


def _sizes(layers: int, width: int, heads: int, kv_heads: int, mlp: int, **more: Any) -> dict[str, Any]:
    return {"layers": layers, "width": width, "heads": heads, "kv_heads": kv_heads, "mlp": mlp, **more}


def _internlm2(*sizes: int, context: int = 32_768) -> Language:
    return Language("InternLM2ForCausalLM", _sizes(*sizes, vocabulary=92_553, context=context), INTERNLM2)


def _qwen2(*sizes: int, vocabulary: int = 151_674) -> Language:
    told = _sizes(*sizes, vocabulary=vocabulary, context=32_768, biases=True)
    return Language("Qwen2ForCausalLM", told, QWEN)


def _qwen3(*sizes: int, experts: int = 0) -> Language:
    told = _sizes(*sizes, vocabulary=151_936, context=40_960, head=128, experts=experts)
    return Language("Qwen3MoeForCausalLM" if experts else "Qwen3ForCausalLM", told, QWEN)


INTERNLM2_2B = _internlm2(24, 2048, 16, 8, 8192)
INTERNLM2_7B = _internlm2(32, 4096, 32, 8, 14_336)
INTERNLM2_20B = _internlm2(48, 6144, 48, 8, 16_384)
INTERNLM3_8B = Language(
    "InternLM3ForCausalLM",
    _sizes(48, 4096, 32, 2, 10_240, vocabulary=128_512, context=32_768),
    INTERNLM3,
)
PHI3_MINI = Language(
    "Phi3ForCausalLM", _sizes(32, 3072, 32, 32, 8192, vocabulary=32_020, context=131_072), PHI3
)
YI_34B = Language("LlamaForCausalLM", _sizes(60, 7168, 56, 8, 20_480, vocabulary=64_009, context=4096), YI)
YI_34B_8K = Language("LlamaForCausalLM", _sizes(60, 7168, 56, 8, 20_480, vocabulary=64_009, context=8192), YI)
LLAMA3_70B = Language(
    "LlamaForCausalLM", _sizes(80, 8192, 64, 8, 28_672, vocabulary=128_265, context=8192), LLAMA3
)
QWEN2_HALF_B = _qwen2(24, 896, 14, 2, 4864, vocabulary=151_655)
QWEN2_5_HALF_B = _qwen2(24, 896, 14, 2, 4864)
QWEN2_5_1_5B = _qwen2(28, 1536, 12, 2, 8960)
QWEN2_5_3B = _qwen2(36, 2048, 16, 2, 11_008)
QWEN2_5_7B = _qwen2(28, 3584, 28, 4, 18_944)
QWEN2_5_14B = _qwen2(48, 5120, 40, 8, 13_824)
QWEN2_5_32B = _qwen2(64, 5120, 40, 8, 27_648)
QWEN2_5_72B = _qwen2(80, 8192, 64, 8, 29_568)
QWEN3_0_6B = _qwen3(28, 1024, 16, 8, 3072)
QWEN3_1_7B = _qwen3(28, 2048, 16, 8, 6144)
QWEN3_4B = _qwen3(36, 2560, 32, 8, 9728)
QWEN3_8B = _qwen3(36, 4096, 32, 8, 12_288)
QWEN3_14B = _qwen3(40, 5120, 40, 8, 17_408)
QWEN3_32B = _qwen3(64, 5120, 64, 8, 25_600)
QWEN3_30B = _qwen3(48, 2048, 32, 4, 768, experts=128)
QWEN3_235B = _qwen3(94, 4096, 64, 4, 1536, experts=128)


def shape_with(language: Language, vision: dict[str, Any]) -> Shape:
    """Return the shape of a checkpoint with this language model and this vision encoder."""
    return Shape(**{**vision, **language.sizes})
