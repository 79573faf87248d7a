"""Three paths for the host beside the page: is it alive, can it answer, how is it doing.

    /healthz    200 as long as this process serves
    /readyz     200 when the model can be reached, else 503 with what is wrong and what to do
    /metrics    for Prometheus, see `answering.metrics`

On the page's own port; none of them tells anything about people. Whoever puts the page on the internet can keep
/metrics to themselves at the proxy before it.
"""

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from internvl_demo.answering.metrics import Observer
from internvl_demo.errors import BackendError, DemoError
from internvl_demo.models.base import Backend, ModelInfo

READY_S = 5.0
"""How long the model may take to say who it is."""


def probes(backend: Backend, observer: Observer) -> list[BaseRoute]:
    """Return the routes for the application that serves the page."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> Response:
        try:
            info = await _model(backend)
        except DemoError as error:
            return JSONResponse({"ready": False, **error.as_dict()}, status_code=503)
        return JSONResponse({"ready": True, "model": info.name})

    async def metrics(_: Request) -> Response:
        return Response(observer.text(), media_type=CONTENT_TYPE_LATEST)

    handlers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    return [Route(path, handler, methods=["GET"]) for path, handler in handlers.items()]


async def _model(backend: Backend) -> ModelInfo:
    """Return the model if it can answer now. Raises BackendError."""
    if problem := backend.problem():
        raise problem
    try:
        return await asyncio.wait_for(backend.describe(), READY_S)
    except TimeoutError:
        raise BackendError(
            f"The model did not answer within {READY_S:.0f} seconds.", "Look into the model server's log."
        ) from None
