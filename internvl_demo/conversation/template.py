r"""Say how a kind of checkpoint writes a conversation as one text: what stands before and after each part.

    start            <s>
    system           <|im_start|>system\n S <|im_end|>
    question         <|im_start|>user\n Image-1: <img>...</img>\n Q <|im_end|>
    answer           <|im_start|>assistant\n A <|im_end|>

One `Template` is all that the prompt, its budget and the inspector know of a model. Which checkpoint has which is in
`models.profiles`; here stands only InternVL 1.5's, which the miniature shares.
"""

from dataclasses import dataclass, replace

V1_5_SYSTEM = "You are an AI assistant whose name is InternLM (书生·浦语)."
"""The system prompt of InternVL 1.5 at its release."""


@dataclass(frozen=True)
class Template:
    """What stands around the parts of a conversation.

    name: the official code's, as config.json has it under `template`.
    system: the model's own system prompt. start: what the tokenizer writes first, "" where that is nothing.
    answer_start: what an answer begins with in the prompt, though the model writes it itself.
    ends: the strings at which an answer is over, the official one first.
    image_label: before each image where a conversation has several.
    """

    name: str
    system: str
    before_system: str = "<|im_start|>system\n"
    after_system: str = "<|im_end|>"
    before_question: str = "<|im_start|>user\n"
    after_question: str = "<|im_end|>"
    before_answer: str = "<|im_start|>assistant\n"
    answer_start: str = ""
    after_answer: str = "<|im_end|>"
    ends: tuple[str, ...] = ("<|im_end|>", "<|im_start|>")
    start: str = ""
    image_label: str = "Image-{number}: "

    def opening(self, system: str) -> str:
        """Return how a prompt begins, with this system prompt."""
        return f"{self.start}{self.before_system}{system}{self.after_system}"

    def answer_text(self, answer: str) -> str:
        """Return what follows `before_answer` where the answer is known."""
        return f"{self.answer_start}{answer}{self.after_answer}"

    def label(self, number: int) -> str:
        """Return what stands before image `number`, counted from 1."""
        return self.image_label.replace("{number}", str(number))

    def with_system(self, system: str) -> "Template":
        """Return the same template with another system prompt of the model's own."""
        return replace(self, system=system)


V1_5 = Template("internlm2-chat", V1_5_SYSTEM, start="<s>", ends=("<|im_end|>", "<|im_start|>", "</s>"))
"""Of InternVL 1.5, on InternLM2's vocabulary: MPT style, no newline after `<|im_end|>`."""
