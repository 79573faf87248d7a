"""Questions that fit into a model's context, that a change makes fit, and that nothing does."""

from PIL import Image

from internvl_demo.conversation.budget import Budget, budget
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.photos.decode import photo_of

LARGE = photo_of(Image.new("RGB", (2000, 2000)), "large.png")
WIDE = photo_of(Image.new("RGB", (896, 448)), "wide.png")


def budget_of(context: int, *draft: Attachment, text: str = "Which one is larger?", turns: int = 1) -> Budget:
    """Return what a question takes of a context of so many tokens, after so many turns with a picture each."""
    conversation = Conversation()
    for _ in range(turns):
        asked = conversation.ask("What is this?", (Attachment(WIDE, 2),))
        conversation = asked.with_answer("A wide picture. " * 30)
    return budget(conversation, text, draft, tokens_per_tile=256, context_length=context, answer_tokens=1024)


FITS = budget_of(16_384, Attachment(LARGE, 12), Attachment(WIDE, 12))
TOO_LONG = budget_of(8192, Attachment(LARGE, 36), Attachment(LARGE, 36))
HOPELESS = budget_of(2000, text="why? " * 4000, turns=0)
