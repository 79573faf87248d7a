"""The configuration of a checkpoint in the official InternVL 1.5 format: config.json as objects.

Written by internvl_demo beside the weights. LMDeploy asks for it (`--trust-remote-code`), because it reads
`config.llm_config.hidden_size` and its like; there is no model here.
"""

from typing import Any

from transformers import PretrainedConfig


class InternVisionConfig(PretrainedConfig):  # type: ignore[misc]
    """The vision encoder's settings, as they stand in config.json."""

    model_type = "intern_vit_6b"


class InternLM2Config(PretrainedConfig):  # type: ignore[misc]
    """The language model's settings, as they stand in config.json."""

    model_type = "internlm2"


class InternVLChatConfig(PretrainedConfig):  # type: ignore[misc]
    """The whole: `vision_config`, `llm_config`, and how pictures become tokens."""

    model_type = "internvl_chat"

    def __init__(
        self,
        vision_config: dict[str, Any] | None = None,
        llm_config: dict[str, Any] | None = None,
        **settings: Any,
    ):
        self.vision_config = InternVisionConfig(**(vision_config or {}))
        self.llm_config = InternLM2Config(**(llm_config or {}))
        super().__init__(**settings)
