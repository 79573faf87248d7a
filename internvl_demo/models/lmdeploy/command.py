"""Turn the settings into the arguments of `lmdeploy serve api_server`: nothing is started, nothing is quoted.

Why each flag (LMDeploy 0.18):

    --chat-template             it has no template for these models any more, and then some never stop
    --trust-remote-code         the checkpoint's configuration and tokenizer are its own Python files
    --enable-prefix-caching     turn 2 does not pay for turn 1's images again
    --max-prefill-token-num     41 tiles are 10,496 tokens: with the default of 8192 they are encoded twice
    --allowed-media-domains     it would fetch images from the network; a name that cannot exist ends that
    --server-name, --api-keys   it reads local files for whoever reaches it: loopback only, and a key
    --model-format, --dtype     AWQ: the vision encoder and its pixels must be of one type, or the first image kills it

The key is no argument: everybody on a machine can read the arguments of everybody's processes, so the
`supervisor` hands it over. `--lmdeploy-arg` comes last and therefore wins, except over what the app relies on.

Phi-3 (Mini-InternVL-4B, InternVL2-4B) is not among the models of LMDeploy's fast engine, TurboMind. It is served with
the slow one, in PyTorch, only when that is asked for: `--lmdeploy-arg=--backend=pytorch`.
"""

from dataclasses import dataclass

from internvl_demo.errors import SetupError
from internvl_demo.models.lmdeploy.capacity import Capacity
from internvl_demo.models.lmdeploy.lookup import look_up
from internvl_demo.models.profiles import V1_5_PROFILE, Profile, plain_name
from internvl_demo.models.profiles.files import template_file
from internvl_demo.models.profiles.shape import CacheFormat, Shape
from internvl_demo.settings import Settings

OLDEST = (0, 18)
"""Before: many tiles with --tp 2 end the process, and host memory is pinned by the hundred gigabytes."""

MAX_PREFILL_TOKENS = 12_288
_OFFICIAL = "OpenGVLab/InternVL-Chat-V1-5"
_NOT_IN_TURBOMIND = ("Phi3ForCausalLM",)
_OURS = ("--server-name", "--server-port", "--api-keys", "--model-name", "--backend", "--proxy-url", "--ssl")
_OURS_TOO = {"--tp": "--tp", "--model-format": "--awq", "--allow-terminate-by-client": None}


@dataclass(frozen=True)
class Serving:
    """The model to serve, and how. `profile`: what it is; its sizes are in there."""

    model: str
    tp: int = 1
    awq: bool = False
    kv: CacheFormat = "auto"
    profile: Profile = V1_5_PROFILE
    extra: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        """The model's sizes."""
        return self.profile.shape

    @property
    def name(self) -> str:
        """What the server calls the model."""
        return plain_name(self.profile.name)


def serving_of(settings: Settings) -> Serving:
    """Return what the settings ask to serve. Raises SetupError when LMDeploy cannot serve it here."""
    model = (settings.serve or "").strip()
    if not model or model.startswith("-"):
        raise SetupError(
            f"{model!r} is no model.", f"Set --serve to a directory or a hub id, such as {_OFFICIAL}."
        )
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
    model, profile = look_up(model, settings.profile)
    if awq and model == profile.hub_id:
        if not profile.awq:
            raise SetupError(
                f"{model} is not published in 4 bits.",
                "Leave out --awq, or name a checkpoint of your own that is.",
            )
        model = f"{model}-AWQ"
    extra = _allowed(settings.lmdeploy_arg)
    _refuse_slow_engine(profile, extra)
    kv: CacheFormat = "int8" if value_of(extra, "--quant-policy") in ("8", "int8") else "auto"
    return Serving(model, settings.tp, awq, kv, profile, extra)


def arguments(serving: Serving, port: int, capacity: Capacity | None) -> list[str]:
    """Return the arguments after `lmdeploy`, without the key. `capacity`: what fits; None where nobody knows."""
    session_len = capacity.session_len if capacity else serving.shape.context
    flags = ["serve", "api_server", serving.model, "--trust-remote-code", "--model-name", serving.name]
    flags += ["--chat-template", str(template_file(serving.profile, ".json"))]
    flags += ["--enable-prefix-caching", "--enable-abort-handling"]
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


def _refuse_slow_engine(profile: Profile, extra: tuple[str, ...]) -> None:
    """Raise SetupError where TurboMind cannot run the model, and its slow engine was not asked for."""
    if profile.language in _NOT_IN_TURBOMIND and value_of(extra, "--backend") != "pytorch":
        raise SetupError(
            f"LMDeploy's fast engine, TurboMind, cannot run Phi-3, the language model of {profile.name}.",
            f"Run it in process, --model {(*profile.shorts, profile.name)[0]}, or with LMDeploy's slow engine: "
            "--lmdeploy-arg=--backend=pytorch.",
        )


def _allowed(extra: tuple[str, ...]) -> tuple[str, ...]:
    for argument in extra:
        flag = argument.partition("=")[0]
        if flag == "--backend" and value_of(extra, flag) == "pytorch":
            continue
        if flag in _OURS or flag in _OURS_TOO:
            instead = _OURS_TOO.get(flag) or "--endpoint, with a server that you start yourself"
            raise SetupError(
                f"--lmdeploy-arg {flag} would take from the app what it relies on.",
                f"Use the app's own {instead}.",
            )
    return extra
