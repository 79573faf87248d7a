"""Answer with a model that is downloaded and loaded first, in a thread: the page opens at once and says how far it is.

    checked      name, config.json, disk, memory: before anything else, and refused with numbers
    downloading  resumed where it stopped; a lost connection is tried again
    checking     each large file that came against the hub's hash
    loading      into memory
    ready        `models.local` answers

Until then a question is refused with what is being done, and the page keeps it, as with a server of one's own
(`models.lmdeploy`). What fails is told on the page in words for who chats; the host reads the rest in its details and
in the terminal.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from internvl_demo.conversation.options import Options
from internvl_demo.conversation.turns import Conversation
from internvl_demo.errors import BackendError, CheckpointError, DemoError, SetupError
from internvl_demo.models.base import READY, Backend, Health, ModelInfo, Needs, Piece
from internvl_demo.models.hub.download import Files, download, list_files, small_text, text_in
from internvl_demo.models.hub.errors import as_our_error, may_help_again
from internvl_demo.models.hub.fits import GB, check_disk, check_memory, needed_bytes
from internvl_demo.models.local.backend import LocalBackend
from internvl_demo.models.local.device import device_of
from internvl_demo.models.profiles import hub_id_of, profile_named
from internvl_demo.models.profiles.detect import ReadText, chat_template_of, profile_for

_ASK_THEN = "Your question can be sent as soon as it is ready; this page tells when."
_TOLD_EVERY_S = 2.0
"""How often the terminal hears how far it is."""

_END_S = 1.0
"""How long the end waits for the thread, which stops by itself between two pieces of a file or two tensors."""

Stage = Literal["idle", "downloading", "checking", "loading", "ready", "failed", "ended"]


@dataclass(frozen=True)
class Status:
    """How far a model is. `share`: of this stage, 0 to 1. `problem`: why it failed."""

    stage: Stage
    share: float = 0.0
    problem: DemoError | None = None


class _Ended(Exception):
    """Raised in the thread when the app ends."""


class HubBackend(Backend):
    """Answer with a model of the hub, or in a folder, once it is here."""

    def __init__(
        self,
        model: str,
        device: str = "auto",
        profile: str | None = None,
        *,
        idle: bool = False,
        retries: int = 5,
        wait_s: float = 5.0,
        log: Callable[[str], object] | None = None,
    ):
        """Check what can be checked, start unless it is to be idle, and return at once.

        model: a short name, a hub id or a directory. profile: a checkpoint whose prompt it reads, where its files do
        not tell. retries: how often a download is tried again that has lost its connection, `wait_s` seconds later,
        then twice as long. log: gets lines on how far it is (default: standard error).
        Raises CheckpointError or SetupError when there is no such model, or no room for it on this machine; of one that
        is idle the room is looked at when it is woken.
        """
        self._device, self._named = device, profile
        self._retries, self._wait_s = retries, wait_s
        self._log = log or (lambda line: print(line, file=sys.stderr, flush=True))
        self.model, self._files, read = _look_up(model)
        self.name = Path(self.model).name
        config = _config(self.model, read)
        self._profile = profile_for(config, self.model, chat_template_of(read), profile)
        _refuse_quantised(self.model, config)
        self._dtype = _stored(config)
        left = self._files.bytes_left if self._files else 0
        self._needs = Needs(left, needed_bytes(self._profile.shape, device_of(device), self._dtype))
        self._status = Status("idle")
        self._inner: LocalBackend | None = None
        self._ending = threading.Event()
        self._told_s = 0.0
        self._thread = threading.Thread(target=self._prepare, name="model-download", daemon=True)
        if not idle:
            self._start()

    def _start(self) -> None:
        """Make sure that there is room, then begin. Raises SetupError."""
        if self._files:
            check_disk(self.model, self._files.bytes_left)
        check_memory(self.model, self._profile.shape, device_of(self._device), self._dtype)
        self._status = Status("downloading" if self._files and self._files.bytes_left else "loading")
        self._thread.start()

    def wake(self) -> None:
        """Begin to download and load, if nobody has yet; what keeps it from that is its status."""
        if self._status.stage == "idle":
            try:
                self._start()
            except DemoError as error:
                self._status = Status("failed", 0.0, error)
                self._log("\n".join(error.parts))

    def needs(self) -> Needs | None:
        """Return what is left to download, and the memory that it takes; None once it was asked to load."""
        return self._needs if self._status.stage == "idle" else None

    @property
    def status(self) -> Status:
        """How far it is now."""
        return self._status

    async def describe(self) -> ModelInfo:
        """Return the model's name, tokens per tile and context length, of its config.json; needs no loaded model."""
        if self._inner:
            return await self._inner.describe()
        shape = self._profile.shape
        return ModelInfo(self.name, shape.tokens_per_tile, shape.context, self._profile)

    def count_text(self, text: str) -> int | None:
        """Return how many tokens a text takes; None before the model is loaded."""
        return self._inner.count_text(text) if self._inner else None

    async def stream(self, conversation: Conversation, options: Options) -> AsyncGenerator[Piece, None]:
        """Answer the last question; see `base.Backend`. Raises BackendError until the model is loaded."""
        if self._inner is None:
            raise self.problem() or BackendError("The model is being loaded.", _ASK_THEN)
        async with aclosing(self._inner.stream(conversation, options)) as pieces:
            async for piece in pieces:
                yield piece

    def problem(self) -> BackendError | None:
        """Return what is being done while the model cannot answer; None when it can."""
        return notice_of(self._status, self.model, self._total_gb)

    async def health(self) -> Health:
        """Return how far the model is."""
        status, problem = self._status, self.problem()
        if problem is None:
            return READY
        if status.stage == "idle":
            return Health("idle", problem)
        loads = status.stage in ("downloading", "checking", "loading")
        return Health("loading" if loads else "down", problem, int(100 * status.share) if loads else None)

    async def ready(self) -> None:
        """Wait until the model is loaded. Raises what kept it from that."""
        while self._status.stage != "ready":
            if self._status.problem:
                raise self._status.problem
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Stop downloading, keeping what has come, and forget the model."""
        self._ending.set()
        if self._inner:
            await self._inner.close()
        if self._thread.ident:
            await asyncio.to_thread(self._thread.join, _END_S)

    @property
    def _total_gb(self) -> float:
        return self._files.total_bytes / GB if self._files else 0.0

    def _prepare(self) -> None:
        """Download and load, in the thread."""
        try:
            folder = self._downloaded() if self._files else Path(self.model)
            self._tell("loading", 0.0)
            self._inner = LocalBackend(
                str(folder),
                self._device,
                name=self.model,
                profile=self._named,
                progress=lambda share: self._tell("loading", share),
            )
            self._status = Status("ready")
            self._log(f"{self.model} is ready.")
        except _Ended:
            self._status = Status("ended")
        except Exception as error:  # noqa: BLE001 - a thread's last door
            problem = error if isinstance(error, DemoError) else as_our_error(error, self.model)
            self._status = Status("failed", self._status.share, problem)
            self._log("\n".join(problem.parts))

    def _downloaded(self) -> Path:
        assert self._files
        wait_s = self._wait_s
        for left in range(self._retries, -1, -1):
            try:
                return download(self._files, self._told_of_bytes, self._told_of_check)
            except _Ended:
                raise
            except Exception as error:
                if not left or not may_help_again(error):
                    raise as_our_error(error, self.model) from error
                self._log(f"{as_our_error(error, self.model).what} It is tried again in {wait_s:.0f} s.")
                if self._ending.wait(wait_s):
                    raise _Ended from None
                wait_s *= 2
        raise AssertionError("the last try returns or raises")

    def _told_of_bytes(self, count: int) -> None:
        assert self._files
        if self._status.stage in ("downloading", "checking"):  # not where all is here and only looked at
            self._tell("downloading", count / max(1, self._files.total_bytes))

    def _told_of_check(self, _name: str, share: float) -> None:
        self._tell("checking", share)

    def _tell(self, stage: Stage, share: float) -> None:
        """Keep how far it is, and say so in the terminal now and then. Raises _Ended when the app ends."""
        if self._ending.is_set():
            raise _Ended
        new = stage != self._status.stage
        self._status = Status(stage, min(1.0, share))
        now = time.monotonic()
        if new or now - self._told_s >= _TOLD_EVERY_S:
            self._told_s = now
            size = f" of {self._total_gb:.1f} GB" if stage == "downloading" else ""
            self._log(f"{stage.capitalize()} {self.model}: {share:.0%}{size}")


def notice_of(status: Status, model: str, total_gb: float) -> BackendError | None:
    """Return a status as people read it; None when the model can answer."""
    percent = int(100 * status.share)
    if status.stage == "ready":
        return None
    if status.stage == "idle":
        return BackendError(
            "This model is not loaded yet.", "Choose it in the menu of models, and wait for it."
        )
    if status.stage == "downloading":
        return BackendError(
            "The model is being downloaded.",
            _ASK_THEN,
            "{percent}% of {size} GB of {model} are here. After a break the download goes on where it stopped.",
            percent=percent,
            size=f"{total_gb:.1f}",
            model=model,
        )
    if status.stage == "checking":
        return BackendError(
            "The downloaded model is being checked.",
            _ASK_THEN,
            "{percent}% of a file of {model} have been compared with what the hub tells of it.",
            percent=percent,
            model=model,
        )
    if status.stage == "loading":
        return BackendError(
            "The model is being loaded.",
            _ASK_THEN,
            "{percent}% of {model} are in memory.",
            percent=percent,
            model=model,
        )
    if status.problem is None:
        return BackendError(
            "The model has been ended.", "Reload this page later.", "The app ended it. Start the app again."
        )
    return BackendError(
        "The model could not be got ready.",
        "Tell whoever runs this page; the question will not be answered before that.",
        "The app says: {reason}",
        reason=" ".join(status.problem.parts),
    )


def _look_up(model: str) -> tuple[str, Files | None, ReadText]:
    """Return a model's folder or hub id, its files where it is of the hub, and what reads its small files.

    Raises CheckpointError, or SetupError where a name is neither a folder, nor a hub id, nor a short name.
    """
    here = Path(model).expanduser()
    if here.is_dir():
        return str(here), None, lambda name: text_in(here, name)
    if "/" not in model:
        profile_named(model)
    files = list_files(hub_id_of(model))
    return files.model, files, lambda name: small_text(files, name)


def _config(model: str, read: ReadText) -> dict[str, Any]:
    try:
        found = json.loads(read("config.json") or "null")
    except ValueError as error:
        raise CheckpointError(
            f"config.json of {model} cannot be read: {error}.", "Download it again."
        ) from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{model} holds no config.json.", "Name a model of the InternVL family.")
    return found


def _refuse_quantised(model: str, config: dict[str, Any]) -> None:
    if config.get("quantization_config") or model.lower().endswith(("-awq", "-int8")):
        raise SetupError(
            f"{model} is quantised, and such weights do not run in process.",
            f"Serve it with LMDeploy, --serve {model} --awq, or choose the checkpoint without AWQ.",
        )


def _stored(config: dict[str, Any]) -> str:
    return str(config.get("torch_dtype") or config.get("dtype") or "bfloat16").removeprefix("torch.")
