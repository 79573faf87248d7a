"""Who answers: `local` computes in this process, `server` asks an OpenAI-compatible endpoint.

base     the protocol, and the values that cross it
local    any InternVLForConditionalGeneration checkpoint, through transformers
server   LMDeploy's dialect of the OpenAI protocol
"""

from internvl_demo.backends.base import Backend, Options
from internvl_demo.settings import Settings


def options_of(settings: Settings) -> Options:
    """How answers are generated."""
    return Options(max_new_tokens=settings.max_new_tokens, temperature=settings.temperature)


def open_backend(settings: Settings) -> Backend:
    """The backend that the settings ask for: `server` with an endpoint, else `local`.

    Raises SetupError or CheckpointError when it cannot be had.
    """
    if settings.endpoint:
        from internvl_demo.backends.server import ServerBackend

        return ServerBackend(settings.endpoint, api_key=settings.api_key, model=settings.model)
    from internvl_demo.backends.local import LocalBackend

    return LocalBackend(settings.checkpoint, device=settings.device)
