"""Who answers: `local` computes in this process, `server` asks an OpenAI-compatible endpoint.

    base     the protocol, and the values that cross it
    local    any InternVLForConditionalGeneration checkpoint, through transformers
    server   LMDeploy's dialect of the OpenAI protocol
"""

from internvl_demo.backends.base import Backend
from internvl_demo.settings import Settings


def open_backend(settings: Settings) -> Backend:
    """The backend that the settings ask for: `server` with an endpoint, else `local`.

    Raises SetupError or CheckpointError when it cannot be had.
    """
    if settings.endpoint:
        from internvl_demo.backends.server import ServerBackend

        return ServerBackend(settings.endpoint, api_key=settings.api_key, model=settings.model)
    from internvl_demo.backends.local import LocalBackend

    return LocalBackend(settings.checkpoint, device=settings.device)
