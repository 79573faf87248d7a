"""Turn the settings into the arguments of `lmdeploy serve api_server`. Pure: nothing is started, nothing is quoted.

Why each flag (LMDeploy 0.18):

    --chat-template             it has no template for InternVL 1.5 any more, and then never stops
    --trust-remote-code         the checkpoint's configuration and tokenizer are its own Python files
    --enable-prefix-caching     turn 2 does not pay for turn 1's images again
    --max-prefill-token-num     41 tiles are 10,496 tokens: with the default of 8192 they are encoded twice
    --allowed-media-domains     it would fetch images from the network; a name that cannot exist ends that
    --server-name, --api-keys   it reads local files for whoever reaches it: loopback only, and a key
    --model-format, --dtype     AWQ: the vision encoder and its pixels must be of one type, or the first image kills it

The key is no argument: everybody on a machine can read the arguments of everybody's processes, so the
`supervisor` hands it over. `--lmdeploy-arg` comes last and therefore wins, except over what the app relies on.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from internvl_demo.errors import SetupError
from internvl_demo.models.lmdeploy.capacity import V1_5, Capacity
from internvl_demo.models.profiles.shape import CacheFormat, Shape, shape_of
from internvl_demo.settings import Settings, asset

MODEL_NAME = "internvl-chat-v1-5"
TEMPLATE = asset("internvl15_template.json")
OLDEST = (0, 18)
"""Before: many tiles with --tp 2 end the process, and host memory is pinned by the hundred gigabytes."""

MAX_PREFILL_TOKENS = 12_288
_OFFICIAL = "OpenGVLab/InternVL-Chat-V1-5"
_OURS = ("--server-name", "--server-port", "--api-keys", "--model-name", "--backend", "--proxy-url", "--ssl")
_OURS_TOO = {"--tp": "--tp", "--model-format": "--awq", "--allow-terminate-by-client": None}


@dataclass(frozen=True)
class Serving:
    """The model to serve, and how."""

    model: str
    tp: int = 1
    awq: bool = False
    kv: CacheFormat = "auto"
    shape: Shape = V1_5
    extra: tuple[str, ...] = ()


def serving_of(settings: Settings) -> Serving:
    """Return what the settings ask to serve. Raises SetupError when LMDeploy cannot serve it here."""
    model = (settings.serve or "").strip()
    if not model or model.startswith("-"):
        raise SetupError(f"{model!r} is no model.", f"Set --serve to a directory or to {_OFFICIAL}.")
    if settings.endpoint:
        raise SetupError(
            "--serve starts a server, --endpoint names one that runs already.", "Set only one of the two."
        )
    if model.lower().endswith("int8"):
        raise SetupError(
            f"{model} is quantised in a way that LMDeploy cannot read.",
            f"Serve {_OFFICIAL}, with --awq where memory is short.",
        )
    awq = settings.awq or model.lower().endswith("awq")
    if awq and model == _OFFICIAL:
        model = f"{_OFFICIAL}-AWQ"
    shape = _shape_at(Path(model)) if Path(model).is_dir() else V1_5
    extra = _allowed(settings.lmdeploy_arg)
    kv: CacheFormat = "int8" if value_of(extra, "--quant-policy") in ("8", "int8") else "auto"
    return Serving(model, settings.tp, awq, kv, shape, extra)


def arguments(serving: Serving, port: int, capacity: Capacity | None) -> list[str]:
    """Return the arguments after `lmdeploy`, without the key. `capacity`: what fits; None where nobody knows."""
    session_len = capacity.session_len if capacity else serving.shape.context
    flags = ["serve", "api_server", serving.model, "--trust-remote-code", "--model-name", MODEL_NAME]
    flags += ["--chat-template", str(TEMPLATE), "--enable-prefix-caching", "--enable-abort-handling"]
    flags += ["--session-len", str(session_len), "--max-prefill-token-num", str(MAX_PREFILL_TOKENS)]
    flags += ["--max-batch-size", str(capacity.max_batch_size if capacity else 24)]
    flags += ["--cache-max-entry-count", f"{capacity.cache_fraction if capacity else 0.6:.2f}"]
    flags += ["--tp", str(serving.tp)] if serving.tp > 1 else []
    flags += ["--model-format", "awq", "--dtype", "float16"] if serving.awq else []
    flags += ["--server-name", "127.0.0.1", "--server-port", str(port)]
    return [*flags, "--allowed-media-domains", "none.invalid", "--disable-fastapi-docs", *serving.extra]


def session_len_of(serving: Serving, capacity: Capacity | None) -> int:
    """Return the context length that the server will have."""
    given = value_of(serving.extra, "--session-len")
    if given and given.isdigit():
        return int(given)
    return capacity.session_len if capacity else serving.shape.context


def value_of(arguments: tuple[str, ...], flag: str) -> str | None:
    """Return the value of a flag given as `--flag=value` or `--flag value`; the last one counts."""
    found = None
    for index, argument in enumerate(arguments):
        if argument == flag:
            found = arguments[index + 1] if index + 1 < len(arguments) else None
        elif argument.startswith(f"{flag}="):
            found = argument.removeprefix(f"{flag}=")
    return found


def _shape_at(directory: Path) -> Shape:
    """Return the shape of a checkpoint on this machine. Raises SetupError when it is not in the official format."""
    try:
        return shape_of(json.loads((directory / "config.json").read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(
            f"{directory} holds no InternVL 1.5 checkpoint in the official format ({type(error).__name__}).",
            f"Serve {_OFFICIAL} or a checkpoint saved from it: in transformers' own format LMDeploy ignores the "
            "resolution mode.",
        ) from error


def _allowed(extra: tuple[str, ...]) -> tuple[str, ...]:
    for argument in extra:
        flag = argument.partition("=")[0]
        if flag in _OURS or flag in _OURS_TOO:
            instead = _OURS_TOO.get(flag) or "--endpoint, with a server that you start yourself"
            raise SetupError(
                f"--lmdeploy-arg {flag} would take from the app what it relies on.",
                f"Use the app's own {instead}.",
            )
    return extra
