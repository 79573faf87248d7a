"""The models of one page: which there are, which is meant, and what each needs.

    models = PageModels([PageModel("mini-2b", backend, info, queue), ...])
    models.by_id("mini-2b")        # what a person chose; None: the first
    models.by_name("InternVL...")  # who answered then, as its answers are kept

Each has its own backend, queue, tokenizer and health. One that is not loaded yet is there all the same, and says what
it needs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from internvl_demo.answering.model import Model
from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.errors import DemoError
from internvl_demo.models.base import Backend, ModelInfo
from internvl_demo.web.counting import TokenCounter
from internvl_demo.web.health import HealthWatch
from internvl_demo.web.widgets.inspector.calls import How, InProcess

GB = 1e9


class ModelChoiceError(DemoError):
    """The named model is not one of the page's, or may not be chosen."""


class PageModel(Model):
    """A model with what the page asks about it.

    how: as what the inspector shows a call to it. title: what people call it. miniature: whether it is the embedded
    one.
    """

    def __init__(
        self,
        id: str,
        backend: Backend,
        info: ModelInfo,
        queue: AnswerQueue,
        how: How | None = None,
        *,
        title: str = "",
        miniature: bool = False,
    ):
        super().__init__(id, backend, info, queue)
        self.how, self.title, self.miniature = how or InProcess(), title or info.name, miniature
        self.counter, self.health = TokenCounter(backend, info), HealthWatch(backend)

    @property
    def thinks(self) -> bool:
        """Whether it can think before it answers."""
        return self.info.profile.thinking is not None

    @property
    def needs(self) -> dict[str, Any] | None:
        """What an idle model takes before it can answer, in GB; None for any other."""
        needs = self.backend.needs()
        if needs is None:
            return None
        return {
            "download_gb": round(needs.download_bytes / GB, 1),
            "memory_gb": round(needs.memory_bytes / GB, 1),
        }


class PageModels:
    """The models in the order in which the host named them. fixed: whether people get the first and no other."""

    def __init__(self, models: Sequence[PageModel], *, fixed: bool = False):
        self._by_id = {model.id: model for model in models}
        self._by_name = {name: model for model in reversed(models) for name in (model.info.name, model.title)}
        self.first, self.fixed = models[0], fixed

    def __iter__(self) -> Iterator[PageModel]:
        return iter(self._by_id.values())

    def by_id(self, model_id: str | None) -> PageModel:
        """Return the model that a person chose, or the first. Raises ModelChoiceError."""
        if model_id is None or model_id == self.first.id:
            return self.first
        if self.fixed:
            raise ModelChoiceError(
                "The host of this page has fixed the model.", "Send the question without one."
            )
        if found := self._by_id.get(model_id):
            return found
        raise ModelChoiceError(
            "This page has no such model.",
            "Choose one of these: {names}.",
            "There is no model {name}.",
            names=", ".join(self._by_id),
            name=model_id[:100],
        )

    def by_name(self, name: str) -> PageModel:
        """Return the model whose answers are kept under that name; the first where it is no longer here."""
        return self._by_name.get(name, self.first)

    @property
    def running(self) -> int:
        """The questions that run now, of all models."""
        return sum(model.queue.running for model in self)

    @property
    def waiting(self) -> int:
        """The questions that wait now, of all models."""
        return sum(model.queue.waiting for model in self)

    async def close(self) -> None:
        """Ask none of them any more how it is."""
        for model in self:
            await model.health.close()
