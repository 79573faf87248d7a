"""The desk of the page, answered by a scripted model."""

from internvl_demo.answering.queue import Admission
from internvl_demo.conversation.options import Options
from internvl_demo.models.base import ModelInfo
from internvl_demo.store import Store
from internvl_demo.web.handlers import Desk
from tests.support.scripted_model import ScriptedModel

INFO = ModelInfo("scripted", tokens_per_tile=64, context_length=8192)


def desk_of(model: ScriptedModel, store: Store, running: int = 1, waiting: int = 3) -> Desk:
    return Desk(model, INFO, Options(), Admission(running, waiting), store)
