"""Answer with an LMDeploy server that this app starts and ends: `launch` runs it, `models.openai` asks it.

The model is known before it is loaded, so the page opens at once. Until the server is ready, and whenever
it is being restarted, a question is refused with what the server is doing, and the page keeps the question.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError, Sentence, SetupError
from internvl_demo.models.base import READY, Backend, Health, ModelInfo, Piece
from internvl_demo.models.lmdeploy.capacity import Capacity, capacity_of, refuse_if_too_small
from internvl_demo.models.lmdeploy.command import Serving, serving_of, session_len_of
from internvl_demo.models.lmdeploy.gpus import free_gib
from internvl_demo.models.lmdeploy.launch import Patience, Status, Supervisor
from internvl_demo.models.lmdeploy.progress import Stage
from internvl_demo.models.openai.backend import ServerBackend
from internvl_demo.models.openai.errors import short
from internvl_demo.settings import Settings

_DOES = {
    Stage.STARTING: (Sentence("The model is being started."), Sentence("is being started")),
    Stage.DOWNLOADING: (Sentence("The model is being downloaded."), Sentence("downloads the model")),
    Stage.LOADING: (Sentence("The model is being loaded."), Sentence("loads the model's weights")),
    Stage.CACHING: (Sentence("The model is nearly ready."), Sentence("allocates its cache")),
    Stage.OPENING: (Sentence("The model is nearly ready."), Sentence("is nearly ready")),
}
"""What the server does, for whoever asks and for whoever runs the page. How far it is stands in the details, and in
`Health`: a sentence that changed each second would be read out each second."""
_ASK_THEN = "Your question can be sent as soon as it is ready; this page tells when."
_NOTICED_S = 1.0
"""How long after a broken answer the server's death may go unnoticed."""


class LaunchedBackend(Backend):
    """Answer with a server that this app runs."""

    def __init__(self, settings: Settings, patience: Patience | None = None):
        """Start the server and return at once. Raises SetupError when LMDeploy is missing or the model cannot fit."""
        serving = serving_of(settings)
        found = _capacity(serving)
        key = secrets.token_hex(24)
        self._info = ModelInfo(
            serving.name,
            serving.shape.tokens_per_tile,
            session_len_of(serving, found),
            serving.profile,
            dialect="lmdeploy",
        )
        self._key, self._endpoint = key, ""
        self._server: ServerBackend | None = None
        self.supervisor = Supervisor(serving, key, found, patience)
        self.supervisor.start()

    async def describe(self) -> ModelInfo:
        """Return what will be served; needs no running server."""
        return self._info

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Answer the last question; see `base.Backend`."""
        server = await self._ready_server()
        try:
            async with aclosing(server.stream(conversation, options)) as pieces:
                async for piece in pieces:
                    yield piece
        except BackendError:
            if ended := await self._has_ended():
                raise ended from None
            raise

    async def close(self) -> None:
        """End the server."""
        await asyncio.to_thread(self.supervisor.stop)
        if self._server:
            await self._server.close()

    async def ready(self) -> None:
        """Wait until the server can answer. Raises BackendError when it was given up."""
        while problem := self.problem():
            if self.supervisor.status.stage in (Stage.FAILED, Stage.ENDED):
                raise problem
            await asyncio.sleep(0.1)

    def problem(self) -> BackendError | None:
        """Return what the server is doing while it cannot answer; None when it can."""
        return notice_of(self.supervisor.status)

    async def health(self) -> Health:
        """Return how far the server is; it is watched already."""
        status = self.supervisor.status
        problem = notice_of(status)
        if problem is None:
            return READY
        loads = status.stage in _DOES
        return Health("loading" if loads else "down", problem, status.percent if loads else None)

    async def _ready_server(self) -> ServerBackend:
        """Return the server to ask. Raises BackendError while there is none."""
        status = self.supervisor.status
        if problem := notice_of(status):
            raise problem
        if self._server is None or self._endpoint != status.endpoint:
            old, self._endpoint = self._server, status.endpoint
            self._server = ServerBackend(
                status.endpoint,
                self._key,
                self._info.name,
                tokens_per_tile=self._info.tokens_per_tile,
                profile=self._info.profile,
            )
            self._server.pace_s = lambda: self.pace_s()
            if old:
                await old.close()
        return self._server

    async def _has_ended(self) -> BackendError | None:
        """Return the error to show if an answer broke because the server ended, else None."""
        until = asyncio.get_running_loop().time() + _NOTICED_S
        while asyncio.get_running_loop().time() < until:
            if problem := notice_of(self.supervisor.status):
                return problem
            await asyncio.sleep(0.05)
        return None


def notice_of(status: Status) -> BackendError | None:
    """Return a status as people read it; None when the server can answer."""
    if status.stage is Stage.READY:
        return None
    why = Sentence(": {reason}", reason=short(status.reason)) if status.reason else ""
    if status.stage is Stage.FAILED:
        return BackendError(
            "The model has stopped, and it is not started again.",
            "Tell whoever runs this page; the question will not be answered before that.",
            "The model server ended and was given up{why}. Remove the cause, then start the app again;"
            " the server's log is in the app's terminal.",
            why=why,
        )
    if status.stage is Stage.ENDED:
        return BackendError(
            "The model has been ended.", "Reload this page later.", "The app ended it. Start the app again."
        )
    if status.stage is Stage.WAITING:
        return BackendError(
            "The model has stopped; it is started again.",
            _ASK_THEN,
            "The model server ended{why}. It is started again (restart {count}).",
            why=why,
            count=status.restarts,
        )
    share = Sentence(" ({percent}%)", percent=status.percent) if status.percent is not None else ""
    again = Sentence(" after restart {count}{why}", count=status.restarts, why=why) if status.restarts else ""
    what, does = _DOES[status.stage]
    return BackendError(
        what, _ASK_THEN, "The model server {does}{share}{again}.", does=does, share=share, again=again
    )


def _capacity(serving: Serving) -> Capacity | None:
    """Return what fits into this machine's GPUs; None where nobody can tell. Raises SetupError."""
    free = free_gib()
    if not free:
        return None
    if len(free) < serving.tp:
        raise SetupError(
            f"--tp {serving.tp} needs as many GPUs; this machine shows {len(free)}.", f"Set --tp {len(free)}."
        )
    found = capacity_of(
        min(free[: serving.tp]), serving.tp, awq=serving.awq, kv=serving.kv, shape=serving.shape
    )
    refuse_if_too_small(found)
    return found
