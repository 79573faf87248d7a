"""The HTTP interface, which the page itself uses and programs may: routes, and nothing else.

Each route reads its input (`inputs`), calls one command of the service or follows a conversation, and answers with
JSON. Errors are {"what", "next_step"}, some with "details", in the reader's language, with a status that fits.
docs/http.md tells it all with examples; GET /api/openapi.json describes it to programs.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, File, Header, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from gradio.context import LocalContext
from gradio.route_utils import Request as GradioRequest
from starlette.exceptions import HTTPException

from internvl_demo import __version__
from internvl_demo.answering.queue import QueueFull
from internvl_demo.errors import BackendError, ContextError, DemoError, PhotoError
from internvl_demo.photos.photo import Note
from internvl_demo.store.faults import BusyError, GoneError, HiddenError, StoreError, told_of_disk
from internvl_demo.web.follow import Follower
from internvl_demo.web.inputs import (
    AccessError,
    AddressIn,
    AgainIn,
    ChangeIn,
    DraftIn,
    LoadIn,
    QuestionIn,
    RegionIn,
    TextIn,
    secret_of,
)
from internvl_demo.web.language import Words, error_data, health_data, words_for
from internvl_demo.web.models import PageModel, PageModels
from internvl_demo.web.service import ChatService, Started
from internvl_demo.web.view import image_data, options_data
from internvl_demo.web.widgets.context_bar.view import context_bar
from internvl_demo.web.widgets.inspector.view import inspector

_STATUS: tuple[tuple[type[DemoError], int], ...] = (
    (AccessError, 401),
    (GoneError, 404),
    (BusyError, 409),
    (HiddenError, 409),
    (QueueFull, 503),
    (StoreError, 507),
    (PhotoError, 422),
    (ContextError, 422),
    (BackendError, 503),
    (DemoError, 422),
)
"""The first that fits."""

_PICTURE_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _owner(authorization: Annotated[str | None, Header()] = None) -> str:
    return secret_of(authorization)


async def _words(accept_language: Annotated[str | None, Header()] = None) -> Words:
    return words_for(accept_language)


# coroutines, or FastAPI would run each in a thread
Owner = Annotated[str, Depends(_owner)]
Language = Annotated[Words, Depends(_words)]


def http_interface(service: ChatService) -> FastAPI:
    """Return the application that stands under /api."""
    api = FastAPI(title="internvl_demo", version=__version__, docs_url=None, redoc_url=None)
    api.include_router(_photos(service))
    api.include_router(_conversations(service))
    api.include_router(_answers(service))
    api.include_router(_looks(service))
    api.add_exception_handler(DemoError, _tell_error)
    api.add_exception_handler(RequestValidationError, _tell_invalid)
    api.add_exception_handler(HTTPException, _tell_http)
    return api


def _photos(service: ChatService) -> APIRouter:
    router = APIRouter(prefix="/photos", tags=["photos"])

    @router.post("", status_code=201)
    async def add_photo(
        request: Request, owner: Owner, file: Annotated[UploadFile, File()]
    ) -> dict[str, Any]:
        """Keep a picture; it waits a day for its question. `note`: what is to be said of how it was read, or null."""
        return _noted(request, await service.pictures.add(owner, await file.read(), file.filename or ""))

    @router.post("/address", status_code=201)
    async def add_photo_from(request: Request, owner: Owner, address: AddressIn) -> dict[str, Any]:
        """Fetch a picture from a public web address and keep it."""
        return _noted(request, await service.pictures.add_from(owner, address.url))

    @router.post("/{photo}/regions", status_code=201)
    async def add_region(owner: Owner, photo: str, region: RegionIn) -> dict[str, Any]:
        """Keep a crop or a marked copy of a picture."""
        return await service.pictures.add_region(owner, photo, region.way, region.box_1000)

    @router.delete("/{photo}", status_code=204)
    async def remove_photo(owner: Owner, photo: str) -> None:
        """Give up a picture that waits; one that was sent stays with its conversation."""
        await service.pictures.remove(owner, photo)

    @router.head("/{photo}", include_in_schema=False)
    @router.get("/{photo}", response_class=FileResponse)
    async def photo_file(photo: str, authorization: Annotated[str | None, Header()] = None) -> FileResponse:
        """Return the picture. Its id is a secret of 128 bits; with a person's secret it must be theirs, too."""
        owner = secret_of(authorization) if authorization else None
        path, mime = await service.pictures.file(photo, owner)
        return FileResponse(path, media_type=mime, headers=_PICTURE_HEADERS)

    return router


def _conversations(service: ChatService) -> APIRouter:
    router = APIRouter(prefix="/conversations", tags=["conversations"])

    @router.get("")
    async def conversations(owner: Owner) -> dict[str, Any]:
        """List the person's conversations, the one changed last first."""
        return {"conversations": [vars(entry) for entry in await service.entries(owner)]}

    @router.get("/{conversation}")
    async def conversation(owner: Owner, words: Language, conversation: str) -> dict[str, Any]:
        """Return a conversation as it is stored."""
        return words.localise(await service.conversation(owner, conversation))

    @router.patch("/{conversation}")
    async def change(owner: Owner, conversation: str, change: ChangeIn) -> dict[str, Any]:
        """Give a conversation another title, or choose a version of its last answer or of a question."""
        if change.choose is not None:
            await service.choose(owner, conversation, change.choose)
        if change.title is not None:
            return {"id": conversation, "title": await service.rename(owner, conversation, change.title)}
        return {"id": conversation}

    @router.delete("/{conversation}", status_code=204)
    async def delete(owner: Owner, conversation: str) -> None:
        """Delete a conversation with its pictures."""
        await service.delete(owner, conversation)

    @router.get("/{conversation}/events", response_class=StreamingResponse)
    async def events(
        owner: Owner,
        words: Language,
        conversation: str,
        after: Annotated[int | None, Query()] = None,
        blocks: Annotated[bool, Query()] = False,
    ) -> StreamingResponse:
        """Follow a conversation: server-sent events, from the last number that the reader has."""
        follower = Follower(service, owner, conversation, words, after=after, blocks=blocks)
        await follower.check()
        return StreamingResponse(follower.stream(), media_type="text/event-stream", headers=_STREAM_HEADERS)

    return router


def _answers(service: ChatService) -> APIRouter:
    router = APIRouter(prefix="/conversations/{conversation}", tags=["questions"])

    @router.post("/questions", status_code=202)
    async def ask(request: Request, owner: Owner, conversation: str, question: QuestionIn) -> dict[str, str]:
        """Ask a question; `new` as the conversation begins one. Follow its events for the answer."""
        _lend_request(request)
        named = None if conversation == "new" else conversation
        options = service.chosen(question.options, question.model)
        return _started(
            await service.ask(owner, named, question.text, question.wanted, options, question.model)
        )

    @router.put("/questions/{question}", status_code=202)
    async def edit(
        request: Request, owner: Owner, conversation: str, question: str, fresh: TextIn
    ) -> dict[str, str]:
        """Ask a question in other words, with its pictures; it stays, with what followed it, as a version."""
        _lend_request(request)
        return _started(
            await service.edit(owner, conversation, question, fresh.text, fresh.options, fresh.model)
        )

    @router.post("/retry", status_code=202)
    async def retry(
        request: Request, owner: Owner, conversation: str, again: AgainIn | None = None
    ) -> dict[str, str]:
        """Answer the last question again; its earlier answers stay as versions."""
        _lend_request(request)
        again = again or AgainIn()
        return _started(await service.retry(owner, conversation, again.options, again.model))

    @router.post("/stop")
    async def stop(owner: Owner, conversation: str) -> dict[str, str]:
        """End the answer that is coming; what has come stays."""
        await service.stop(owner, conversation)
        return {"conversation": conversation}

    @router.post("/undo")
    async def undo(owner: Owner, conversation: str) -> dict[str, Any]:
        """Take the last question back; `conversation` is null when nothing else was in it.

        If it has other versions, the one beside it is shown then.
        """
        taken = await service.undo(owner, conversation)
        return {
            "conversation": taken.conversation,
            "text": taken.text,
            "images": [image_data(image) for image in taken.images],
        }

    @router.get("/answers/{answer}/prompt")
    async def prompt(owner: Owner, words: Language, conversation: str, answer: str) -> dict[str, Any]:
        """Return the exact prompt of an answer, and the call to the model as curl and Python."""
        seen, turn = await service.inspect(owner, conversation, answer)
        return inspector(seen, turn, words)

    return router


def _looks(service: ChatService) -> APIRouter:
    router = APIRouter(tags=["model"])

    @router.get("/model")
    async def model(words: Language, id: Annotated[str | None, Query()] = None) -> dict[str, Any]:
        """Return what a model is (without `id` the first), whether it can answer now, and how many questions wait.

        `models`: all that the page has, the first first.
        """
        chosen = service.models.by_id(id)
        return {
            **_names(chosen),
            "name": chosen.info.name,
            "tokens_per_tile": chosen.info.tokens_per_tile,
            "tiles_follow": chosen.info.tiles_follow,
            "most_tiles": chosen.info.most_tiles,
            "context_length": chosen.info.context_length,
            "max_answer_tokens": service.options.max_new_tokens,
            "options": options_data(service.options, service.fixed, chosen.info.profile),
            "state": health_data(await chosen.health.now(), words),
            "queue": {"running": chosen.queue.running, "waiting": chosen.queue.waiting},
            "models": await asyncio.gather(*(_summary(each, words) for each in _offered(service.models))),
        }

    @router.post("/model/load", status_code=202)
    async def load(_owner: Owner, chosen: LoadIn) -> dict[str, str]:
        """Begin to load a model that is idle; GET /api/model tells how far it is."""
        model = service.models.by_id(chosen.model)
        model.backend.wake()
        model.health.forget()
        return {"id": model.id}

    @router.post("/budget")
    async def budget(owner: Owner, words: Language, draft: DraftIn) -> dict[str, Any]:
        """Return what a question would take of the model's context, and what would make it fit."""
        options = service.chosen(draft.options, draft.model)
        images = [image.attachment for image in draft.images]
        return context_bar(
            await service.budget(owner, draft.conversation, draft.text, images, options, draft.model), words
        )

    return router


def _offered(models: PageModels) -> list[PageModel]:
    """Return the models among which people may choose."""
    return [models.first] if models.fixed else list(models)


def _names(model: PageModel) -> dict[str, Any]:
    return {"id": model.id, "title": model.title, "miniature": model.miniature}


async def _summary(model: PageModel, words: Words) -> dict[str, Any]:
    """Return a model as it stands among others; `needs`: GB to download and of memory, where it is idle."""
    return {**_names(model), "state": health_data(await model.health.now(), words), "needs": model.needs}


def _noted(request: Request, added: dict[str, Any]) -> dict[str, Any]:
    """Return an added picture with its note in the reader's language, in the form of an error."""
    note: Note | None = added["note"]
    return {**added, "note": note and error_data(DemoError(note.what, note.next_step), request.headers)}


def _started(started: Started) -> dict[str, str]:
    return {"conversation": started.conversation, "question": started.question, "answer": started.answer}


def _lend_request(request: Request) -> None:
    """Let what the answer's task runs find this request: on ZeroGPU `spaces` reads the person's token from it."""
    LocalContext.request.set(GradioRequest(request))


async def _tell_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DemoError)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return _problem(request, error, status)


async def _tell_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    told = DemoError(
        "The request is not usable: {place}: {problem}.",
        "Correct it; GET /api/openapi.json describes what is expected.",
        place=place[:100],
        problem=str(first["msg"])[:200],
    )
    return _problem(request, told, 422)


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(cause := error.__cause__, OSError):  # of the file that an upload is kept in meanwhile
        return _problem(request, told_of_disk(cause), 507)
    told = DemoError(
        "There is nothing here for this request.", "GET /api/openapi.json describes what there is."
    )
    return _problem(request, told, error.status_code)


def _problem(request: Request, error: DemoError, status: int) -> Response:
    return JSONResponse(error_data(error, request.headers), status_code=status)
