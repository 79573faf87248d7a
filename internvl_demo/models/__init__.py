"""Answer conversations: in this process, by asking a server, or by starting one. Index of who answers.

In: a conversation and options. Out: pieces of text, then one `Usage` (the class `Backend`); or a BackendError.

base       the class that every backend extends, and the values that cross it
hub/       a model by its name: downloaded, loaded, then answering in this process
local/     any InternVL checkpoint, official or transformers' own, in this process
profiles/  the family: what each checkpoint's template, stops, labels and sizes are
openai/    an OpenAI-compatible endpoint: LMDeploy, vLLM, SGLang
lmdeploy/  an LMDeploy server that this app starts and ends
convert/   official InternVL checkpoints <-> transformers' format

A new kind of model is a new room here, never a branch elsewhere. Imports are lazy: only what answers is loaded.
"""

from internvl_demo.conversation.options import Options
from internvl_demo.models.base import Backend
from internvl_demo.models.profiles import profile_named
from internvl_demo.settings import Settings


def options_of(settings: Settings) -> Options:
    """Return how answers are generated."""
    return Options(max_new_tokens=settings.max_new_tokens, temperature=settings.temperature)


def open_backend(settings: Settings) -> Backend:
    """Return the backend that the settings ask for: to serve, of an endpoint, of a model's name, else of a checkpoint.

    Raises SetupError or CheckpointError when it cannot be had.
    """
    profile = profile_named(settings.profile) if settings.profile else None
    if settings.serve:
        from internvl_demo.models.lmdeploy.backend import LaunchedBackend

        return LaunchedBackend(settings)
    if settings.endpoint:
        from internvl_demo.models.openai.backend import ServerBackend

        return ServerBackend(
            settings.endpoint,
            api_key=settings.api_key,
            model=settings.model,
            dialect=settings.dialect,
            profile=profile,
        )
    if settings.model:
        from internvl_demo.models.hub.backend import HubBackend

        return HubBackend(settings.model, settings.device, settings.profile)
    from internvl_demo.models.local.backend import LocalBackend

    return LocalBackend(settings.checkpoint, settings.device, profile=settings.profile)
