"""Who answers: `local` computes in this process, `server` asks an OpenAI-compatible endpoint, `launched` starts one.

base     the protocol, and the values that cross it
local    any InternVLForConditionalGeneration checkpoint, through transformers
server   an OpenAI-compatible endpoint: LMDeploy, vLLM, SGLang
dialects, server_errors, server_watch   what it sends, what becomes of errors, how long it waits
launched an LMDeploy server that this app starts and ends
zerogpu  `local` on a GPU that Hugging Face lends for each answer
"""

from internvl_demo.backends.base import Backend, Options
from internvl_demo.settings import Settings


def options_of(settings: Settings) -> Options:
    """How answers are generated."""
    return Options(max_new_tokens=settings.max_new_tokens, temperature=settings.temperature)


def open_backend(settings: Settings) -> Backend:
    """The backend that the settings ask for: `launched` to serve, `server` with an endpoint, else `local`.

    Raises SetupError or CheckpointError when it cannot be had.
    """
    if settings.serve:
        from internvl_demo.backends.launched import LaunchedBackend

        return LaunchedBackend(settings)
    if settings.endpoint:
        from internvl_demo.backends.server import ServerBackend

        return ServerBackend(
            settings.endpoint, api_key=settings.api_key, model=settings.model, dialect=settings.dialect
        )
    from internvl_demo.backends.local import LocalBackend

    return LocalBackend(settings.checkpoint, device=settings.device)


async def wait_until_ready(backend: Backend) -> None:
    """Waits for a server that is being started; the others are ready. Raises BackendError when it was given up.

    For commands, which ask once; the page opens at once and says how far the server is.
    """
    if ready := getattr(backend, "ready", None):
        await ready()
