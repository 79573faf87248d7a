"""Say how an answer is generated. A frozen value that every model backend takes and the store keeps.

Options(max_new_tokens=512, temperature=0.0)
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How an answer is generated. Temperature 0 is greedy."""

    max_new_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
