"""List the templates of the family, by the names that config.json gives them under `template`.

Source: `conversation.py` of the official repository (OpenGVLab/InternVL, commit 2410d1d); the texts of the V1
checkpoints are those that the same templates had when these were released, before InternVL2 came (2024-07-19).
What a checkpoint's vocabulary adds (its first token, its own end) is in `languages`.
"""

from internvl_demo.conversation.template import V1_5_SYSTEM, Template

CHINESE_SYSTEM = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, "
    "是一个有用无害的人工智能助手。"
)
"""Of all templates since InternVL2 but the last."""

V1_2_SYSTEM = "Answer the questions."
PHI3_SYSTEM = "You are an AI assistant whose name is Phi-3."

V1_SYSTEMS = (V1_5_SYSTEM, V1_2_SYSTEM, PHI3_SYSTEM)
"""Of the checkpoints of V1, as they were released."""

THINKING_SYSTEM = """\
You are an AI assistant that rigorously follows this response protocol:

1. First, conduct a detailed analysis of the question. Consider different angles, potential solutions, and reason \
through the problem step-by-step. Enclose this entire thinking process within <think> and </think> tags.

2. After the thinking section, provide a clear, concise, and direct answer to the user's question. Separate the \
answer from the think section with a newline.

Ensure that the thinking process is thorough but remains focused on the query. The final answer should be standalone \
and not reference the thinking section."""
"""The system prompt with which InternVL3.5 thinks first: no template of its own, nothing but this text."""

_ENDS = ("<|im_end|>", "<|im_start|>")

INTERNLM2_CHAT = Template("internlm2-chat", CHINESE_SYSTEM, ends=_ENDS)
HERMES_2 = Template("Hermes-2", CHINESE_SYSTEM, ends=(*_ENDS, "<|endoftext|>"))
INTERNVL2_5 = Template(
    "internvl2_5",
    "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。",
    after_system="<|im_end|>\n",
    after_question="<|im_end|>\n",
    after_answer="<|im_end|>\n",
    ends=_ENDS,
)
PHI3_CHAT = Template(
    "phi3-chat",
    CHINESE_SYSTEM,
    before_system="<|system|>\n",
    after_system="<|end|>",
    before_question="<|user|>\n",
    after_question="<|end|>",
    before_answer="<|assistant|>\n",
    after_answer="<|end|>",
    ends=("<|end|>", "<|user|>", "<|endoftext|>"),
)
INTERNVL_ZH = Template(
    "internvl_zh",
    "",
    before_system=" ",
    after_system="",
    before_question="<human>: ",
    after_question=" ",
    before_answer="<bot>:",
    answer_start=" ",
    after_answer="</s>",
    ends=("</s>", "<human>:"),
)
GPT_OSS = Template(
    "internvl3_5_gpt_oss",
    "You are InternVL, a large language model trained by Shanghai AI Laboratory.\n"
    "Knowledge cutoff: 2024-06\nCurrent date: 2025-08-06\n\nReasoning: low\n\n"
    "# Valid channels: final. Channel must be included for every message.",
    before_system="<|start|>system<|message|>",
    after_system="<|end|>",
    before_question="<|start|>user<|message|>",
    after_question="<|end|>",
    before_answer="<|start|>assistant",
    answer_start="<|channel|>final<|message|>",
    after_answer="<|end|>",
    ends=("<|return|>", "<|end|>", "<|start|>"),
)

TEMPLATES = {
    template.name: template
    for template in (INTERNLM2_CHAT, HERMES_2, INTERNVL2_5, PHI3_CHAT, INTERNVL_ZH, GPT_OSS)
}
"""By name, each with the system prompt of today's official code."""

V1_2 = HERMES_2.with_system(V1_2_SYSTEM)
MINI_4B = PHI3_CHAT.with_system(PHI3_SYSTEM)
"""As the checkpoints of V1 were released."""
