"""Count what a conversation takes of the model's context, and refuse what does not fit.

    counter.budget(conversation, "Which is larger?", images, options)     -> Budget (see `conversation.budget`)
    counter.check(asked, options)                                         # raises ContextError

Counted by the model's own tokenizer where that is at hand, else estimated. Nothing here reads the store.
"""

from internvl_demo.conversation.budget import Budget, budget, estimate
from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Attachment, Conversation
from internvl_demo.errors import ContextError, ModeError
from internvl_demo.models.base import Backend, ModelInfo


class TokenCounter:
    """Counts tokens for one model."""

    def __init__(self, backend: Backend, info: ModelInfo):
        self._backend, self._info = backend, info

    @property
    def exact(self) -> bool:
        """Whether text is counted by the model's own tokenizer."""
        return self._backend.count_text("") is not None

    def count_text(self, text: str) -> int:
        """Return the tokens of a text: the model's own count, or an estimate."""
        exact = self._backend.count_text(text)
        return estimate(text) if exact is None else exact

    def budget(
        self, conversation: Conversation, text: str, images: tuple[Attachment, ...], options: Options
    ) -> Budget:
        """Return what a question would take after that conversation, with its system prompt and its longest answer."""
        return budget(
            conversation,
            text,
            images,
            tokens_per_tile=self._info.tokens_per_tile,
            context_length=self._info.context_length,
            answer_tokens=options.max_new_tokens,
            count_text=self.count_text,
            system=self._info.profile.system_of(options),
            template=self._info.profile.template,
            tiles_follow=self._info.tiles_follow,
        )

    def check(self, asked: Conversation, options: Options) -> None:
        """Refuse a conversation whose last question does not fit, or with images in more tiles than the model reads.

        Raises ContextError, ModeError.
        """
        most = self._info.most_tiles
        if any(image.max_tiles > most for image in asked.images):
            raise ModeError(
                "This conversation has an image in more tiles than {model} reads: {most} at most.",
                "Begin a new conversation with this model, or choose another.",
                model=self._info.name,
                most=most,
            )
        before, last = Conversation(asked.turns[:-1], asked.id), asked.turns[-1]
        found = self.budget(before, last.text, last.images, options)
        if not found.fits:
            raise ContextError(
                "This does not fit into the model's context: {count} tokens too many.",
                "Write less, send fewer images or fewer tiles, or begin a new conversation.",
                count=f"{-found.left:,}",
            )
