"""A model that answers: who it is, and the queue before it."""

from dataclasses import dataclass

from internvl_demo.answering.queue import AnswerQueue
from internvl_demo.models.base import Backend, ModelInfo


@dataclass
class Model:
    """One of the models of an app. id: what pages and programs name it by, such as `mini-2b`."""

    id: str
    backend: Backend
    info: ModelInfo
    queue: AnswerQueue
