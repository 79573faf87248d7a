"""Answer conversations: in this process, by asking a server, or by starting one. Index of who answers.

In: a conversation and options. Out: pieces of text, of thinking before it, then one `Usage` (the class `Backend`); or a
BackendError.

places     which models the settings name, and where each is
base       the class that every backend extends, and the values that cross it
asides     what a model writes beside its answer: thinking, the marks with which it ends
hub/       a model by its name: downloaded, loaded, then answering in this process
local/     any InternVL checkpoint, official or transformers' own, in this process
profiles/  the family: what each checkpoint's template, stops, labels and sizes are
openai/    an OpenAI-compatible endpoint: LMDeploy, vLLM, SGLang, llama.cpp, Ollama
lmdeploy/  an LMDeploy server that this app starts and ends
convert/   official InternVL checkpoints <-> transformers' format

A new kind of model is a new room here, never a branch elsewhere. Imports are lazy: only what answers is loaded.
"""

from internvl_demo.conversation.options import Options
from internvl_demo.models.base import Backend
from internvl_demo.models.places import Place, places_of
from internvl_demo.models.profiles import profile_named
from internvl_demo.settings import Settings


def options_of(settings: Settings) -> Options:
    """Return how answers are generated."""
    return Options(max_new_tokens=settings.max_new_tokens, temperature=settings.temperature)


def open_backend(settings: Settings) -> Backend:
    """Return the first backend that the settings ask for.

    Raises SetupError or CheckpointError when it cannot be had.
    """
    return open_place(places_of(settings)[0], settings)


def open_backends(settings: Settings) -> list[Backend]:
    """Return all backends that the settings ask for, the first first; the others wait until they are chosen.

    Raises SetupError or CheckpointError when one cannot be had.
    """
    return [open_place(place, settings, idle=number > 0) for number, place in enumerate(places_of(settings))]


def open_place(place: Place, settings: Settings, *, idle: bool = False) -> Backend:
    """Return the backend of a place: to serve, of an endpoint, of a model's name, else of a checkpoint.

    idle: whether one that must be downloaded or loaded waits until it is asked to. Raises SetupError, CheckpointError.
    """
    if place.kind == "serve":
        from internvl_demo.models.lmdeploy.backend import LaunchedBackend

        return LaunchedBackend(settings)
    if place.kind == "endpoint":
        from internvl_demo.models.openai.backend import ServerBackend

        profile = profile_named(settings.profile) if settings.profile else None
        return ServerBackend(
            place.where, api_key=place.key, model=place.model, dialect=settings.dialect, profile=profile
        )
    if place.kind == "model":
        from internvl_demo.models.hub.backend import HubBackend

        return HubBackend(place.where, settings.device, settings.profile, idle=idle)
    from internvl_demo.models.local.backend import LocalBackend

    return LocalBackend(place.where, settings.device, profile=settings.profile)
