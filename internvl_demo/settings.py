"""Read one frozen settings object from flags and the environment.

Flags win over `INTERNVL_*` environment variables, which win over the defaults. Importing this module
reads nothing; `Settings()` does.
"""

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from internvl_demo.errors import SetupError

_PACKAGE = Path(__file__).resolve().parent


def asset(name: str) -> Path:
    """Return where `assets/NAME` is: in the package when it is installed, beside it in a checkout."""
    installed = _PACKAGE / "assets"
    return (installed if installed.is_dir() else _PACKAGE.parent / "assets") / name


NANO_CHECKPOINT = asset("nano")
"""The miniature that comes with the repository."""

_PREFIX = "INTERNVL_"
_KUBERNETES = re.compile(r"INTERNVL(_\w+)?_(SERVICE_(HOST|PORT)|PORT(_\d+_|$))", re.IGNORECASE)
"""What Kubernetes puts into the environment where a service is called internvl."""

OptionName = Literal[
    "max_new_tokens", "temperature", "top_p", "seed", "repetition_penalty", "system", "thinking", "model"
]
"""What `conversation.options` knows of how an answer is generated, and who generates it."""


class Settings(BaseSettings):
    """Every choice that a host of the demo can make."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    endpoint: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="an OpenAI-compatible server, such as LMDeploy's; several by name, `fast=http://...`, with spaces "
        "between in the environment",
    )
    api_key: str | None = Field(
        None,
        description="the server's API key; of several servers `fast=KEY`, with spaces between",
        repr=False,
    )
    model: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="short name, hub id or directory of a model to run in process, `miniature` for the embedded one; "
        "several with spaces between in the environment; with one `endpoint` its name there",
    )
    dialect: Literal["lmdeploy", "vllm", "sglang", "llamacpp", "ollama"] | None = Field(
        None, description="the kind of server (default: detected)"
    )
    checkpoint: str = Field(str(NANO_CHECKPOINT), description="directory or hub id, run in process")
    serve: str | None = Field(None, description="a model to serve on this machine's GPUs with LMDeploy")
    tp: int = Field(1, ge=1, le=8, description="number of GPUs over which `serve` splits the model")
    awq: bool = Field(False, description="`serve` the weights in 4 bits")
    lmdeploy_arg: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="further arguments of LMDeploy, separated by spaces in the environment"
    )
    profile: str | None = Field(
        None,
        description="the checkpoint of the family whose prompt the model reads (default: told by its files)",
    )
    device: str = Field("auto", description="where `checkpoint` runs: cpu, cuda, mps or auto")
    host: str | None = Field(None, description="address on which the page listens (default: 127.0.0.1)")
    port: int | None = Field(
        None, ge=1, le=65535, description="port of the page (default: 7860 or the next free one)"
    )
    max_new_tokens: int = Field(1024, ge=1, description="the longest answer, in tokens")
    temperature: float = Field(0.0, ge=0, le=2, description="0 is greedy")
    fixed_options: Annotated[frozenset[OptionName], NoDecode] = Field(
        frozenset(),
        description="options of an answer that people of the page may not change, with commas between; `model`: only "
        "the first model is offered",
    )
    running: int | None = Field(
        None, ge=1, description="questions answered at once (default: 8 by a server, 1 in process)"
    )
    waiting: int = Field(32, ge=0, description="questions that wait in the queue; more are refused")
    data_dir: Path | None = Field(
        None, description="where conversations and photos are kept (default: the platform's place for data)"
    )
    keep_days: int = Field(
        30, ge=0, description="days that an untouched conversation is kept; 0: nothing outlives the app"
    )

    @field_validator("fixed_options", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("lmdeploy_arg", "endpoint", "model", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value


def read_settings(**flags: Any) -> Settings:
    """Return the settings: given flags win over the environment, and that over the defaults.

    Raises SetupError on a value that cannot be used, and on a variable INTERNVL_... that is no setting.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    _check_names(os.environ)
    try:
        return Settings(**given)
    except ValidationError as error:
        raise _unusable(error.errors()[0], given) from error


def _check_names(environment: Iterable[str]) -> None:
    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in environment:
        if name.upper().startswith(_PREFIX) and name.upper() not in known and not _KUBERNETES.match(name):
            near = get_close_matches(name.upper(), known, 1)
            meant = f", or set {near[0]} if that is meant" if near else ""
            raise SetupError(
                f"There is no setting {name}.", f"Unset it{meant}; docs/settings.md lists the settings."
            )


def _unusable(problem: Mapping[str, Any], given: Mapping[str, Any]) -> SetupError:
    field = str(problem["loc"][0])
    name = f"--{field.replace('_', '-')}" if field in given else f"{_PREFIX}{field.upper()}"
    value = "" if field == "api_key" else f" ({problem['input']!r})"
    return SetupError(
        f"{name} is not usable{value}: {problem['msg'][:1].lower()}{problem['msg'][1:]}.",
        f"Correct {name}, or leave it out; docs/settings.md tells what it may be.",
    )
