"""The flags of the command line that have a type of their own: what each takes, and what `--help` says of it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Images = Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)]
Mode = Annotated[str, typer.Option(help="low, standard, high, or the most tiles an image may get, 1 to 40.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Endpoint = Annotated[str | None, typer.Option(help="An OpenAI-compatible server, such as LMDeploy's.")]
Checkpoint = Annotated[
    str | None, typer.Option(help="Directory or hub id of a checkpoint to run in process.")
]
Endpoints = Annotated[
    list[str] | None,
    typer.Option(help="An OpenAI-compatible server; several by name: fast=http://HOST:PORT."),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        help="A model to download and run: mini-2b, a hub id, a directory. With --endpoint: its name."
    ),
]
ModelNames = Annotated[
    list[str] | None,
    typer.Option(
        help="A model to download and run: mini-2b, a hub id, a directory, miniature; repeat for several. "
        "With one --endpoint: its name there."
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option(help="The checkpoint whose prompt the model reads, such as mini-2b. Default: told by it."),
]

Temperature = Annotated[float | None, typer.Option(help="0 is greedy; up to 2.")]
TopP = Annotated[float | None, typer.Option(help="Sample among the likeliest words; 0.01 to 1.")]
RepetitionPenalty = Annotated[
    float | None, typer.Option(help="Makes words less likely that were there; 1 is none, up to 2.")
]
MaxNewTokens = Annotated[int | None, typer.Option(help="The longest answer, in tokens.")]
Seed = Annotated[int | None, typer.Option(help="Gives the same answer again at a temperature above 0.")]
Think = Annotated[
    bool, typer.Option("--thinking", help="Let the model think first, where it can; then at temperature 0.6.")
]
System = Annotated[str | None, typer.Option(help="A system prompt in the place of the model's own.")]


class KV(StrEnum):
    """How a server stores the KV cache."""

    auto = "auto"
    int8 = "int8"


class Format(StrEnum):
    """Formats of a checkpoint: transformers' own, and that of the InternVL 1.5 release."""

    native = "native"
    official = "official"


class Stage(StrEnum):
    """Stages of training the miniature, in order."""

    vision_112 = "vision-112"
    vision_224 = "vision-224"
    vision_448 = "vision-448"
    language = "language"
    align = "align"
    all = "all"
    heads = "heads"


class Lang(StrEnum):
    """Languages of the exam."""

    en = "en"
    zh = "zh"
