"""Say in our errors what goes wrong on the way to a model: the hub, the network, the disk."""

import errno
from collections.abc import Iterator
from urllib.parse import urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from internvl_demo.errors import CheckpointError

_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
_KEPT = "What has been downloaded is kept; the next start goes on from there."
_SAID_CHARS = 200


def hub_host() -> str:
    """Return where models are downloaded from, as `HF_ENDPOINT` says."""
    return urlsplit(constants.ENDPOINT).netloc or constants.ENDPOINT


def as_our_error(error: BaseException, model: str) -> CheckpointError:
    """Return what an error of the hub's library means for whoever started the app."""
    for each in _chain(error):
        if isinstance(each, CheckpointError):
            return each
        if isinstance(each, GatedRepoError):
            return CheckpointError(
                f"{model} is gated: its owner gives it to people who accept its terms.",
                f"Accept them at {constants.ENDPOINT}/{model}, then {_LOG_IN} and start again.",
            )
        if isinstance(each, RepositoryNotFoundError):
            return CheckpointError(
                f"The hub at {hub_host()} has no model {model}, or does not show it to you.",
                f"Check the name; to reach a private model, {_LOG_IN}.",
            )
        if isinstance(each, OfflineModeIsEnabled):
            return CheckpointError(
                f"{model} is not on this machine as a whole, and downloads are switched off (HF_HUB_OFFLINE).",
                "Unset HF_HUB_OFFLINE, or name a directory that holds the model.",
            )
        if isinstance(each, HfHubHTTPError):
            return CheckpointError(
                f"The hub at {hub_host()} answered {each.response.status_code} when {model} was asked for.",
                f"Start again later, or set HF_ENDPOINT to another hub. {_KEPT}",
            )
        if isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT):
            return CheckpointError(
                f"The disk became full while {model} was downloaded to {constants.HF_HUB_CACHE}.",
                f"Free space on it, or set HF_HOME to a directory on a larger disk. {_KEPT}",
            )
        if is_network(each):
            return CheckpointError(
                f"The hub at {hub_host()} cannot be reached: {_said(each)}.",
                "Check the network, set HF_ENDPOINT to a hub that can be reached, or name a directory that holds "
                f"the model. {_KEPT}",
            )
        if isinstance(each, HFValidationError):
            return CheckpointError(
                f"{model!r} is no name of a model.",
                "Name a directory, or a hub id such as OpenGVLab/InternVL3-1B.",
            )
    return CheckpointError(
        f"{model} cannot be downloaded: {_said(error)}.",
        "Remove the cause, or name a directory that holds it.",
    )


def is_network(error: BaseException) -> bool:
    """Return whether an error is of the connection to the hub, so that another try may help."""
    if isinstance(error, (OfflineModeIsEnabled, HfHubHTTPError, LocalEntryNotFoundError)):
        return False
    transport = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    return transport or isinstance(error, (ConnectionError, TimeoutError))


def may_help_again(error: BaseException) -> bool:
    """Return whether the same download may succeed a little later: a lost connection, a busy hub."""
    for each in _chain(error):
        if isinstance(each, HfHubHTTPError) and each.response.status_code < 500:
            return False
        if is_network(each) or isinstance(each, HfHubHTTPError):
            return True
    return "Consistency check failed" in str(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:_SAID_CHARS].rstrip(".") or type(error).__name__
