"""Define `internvl-demo bench ...`: each command is a function from values to text on standard output."""

import asyncio
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from internvl_demo.environment import check_file, check_folder
from internvl_demo.settings import NANO_CHECKPOINT, read_settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Endpoint = Annotated[str | None, typer.Option(help="An OpenAI-compatible server, such as LMDeploy's.")]
Checkpoint = Annotated[
    str | None, typer.Option(help="Directory or hub id of a checkpoint to run in process.")
]

FIGURES = (".png", ".svg")
"""How a figure's file may end."""


class BenchPart(StrEnum):
    """Parts of `bench turbomind`."""

    miniature = "miniature"
    giant = "giant"
    all = "all"


class StreamKind(StrEnum):
    """What `bench stream` reads."""

    page = "page"
    plain = "plain"


bench = typer.Typer(no_args_is_help=True, help="Measure speed, as ratios of one run.")


@bench.command()
def resolution(
    limit: Annotated[int, typer.Option(min=1, help="Items of each skill and language.")] = 50,
    endpoint: Endpoint = None,
    checkpoint: Checkpoint = None,
    figure: Annotated[Path | None, typer.Option(help="Draw the scores into this PNG or SVG file.")] = None,
    as_json: Json = False,
) -> None:
    """Measure the accuracy of fine print, signs and descriptions at 1, 6, 12, 24 and 40 tiles."""
    if figure:
        check_file(figure, FIGURES)
    from internvl_demo.bench.figures import draw_resolution
    from internvl_demo.bench.resolution import measure_resolution
    from internvl_demo.models import open_backend

    backend = open_backend(read_settings(endpoint=endpoint, checkpoint=checkpoint))
    rows = asyncio.run(measure_resolution(backend, ["en", "zh"], limit))
    if figure:
        draw_resolution(rows, figure)
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['skill']:<10} {row['max_tiles']:>3} tiles {row['score']:6.1%}")


@bench.command()
def curves(
    run: Annotated[Path, typer.Option(help="Where the training's log is.")] = Path("runs/nano"),
    figure: Annotated[Path, typer.Option(help="PNG or SVG file to draw.")] = Path("curves.png"),
) -> None:
    """Draw the losses of a training run."""
    check_file(figure, FIGURES)
    from internvl_demo.bench.figures import draw_curves

    draw_curves(run / "log.jsonl", figure)


@bench.command()
def turns(
    repeats: Annotated[int, typer.Option(help="Conversations to measure.")] = 5,
    checkpoint: Checkpoint = None,
    as_json: Json = False,
) -> None:
    """Measure the time to first token of turn 2 against turn 1, with an image of 12 tiles and a thumbnail."""
    from internvl_demo.bench.turns import measure_turns

    _print_rows(asyncio.run(measure_turns(checkpoint or str(NANO_CHECKPOINT), repeats)), as_json)


@bench.command()
def decode(
    rounds: Annotated[int, typer.Option(min=1, help="Answers to measure, each both ways.")] = 5,
    checkpoint: Checkpoint = None,
    as_json: Json = False,
) -> None:
    """Measure time to first token with one tile, and tokens a second, against `model.generate`."""
    from internvl_demo.bench.decode import measure_decode

    _print_rows(asyncio.run(measure_decode(checkpoint or str(NANO_CHECKPOINT), rounds)), as_json)


@bench.command()
def local(
    shape: Annotated[str, typer.Option(help="A short name of the family, such as mini-2b.")] = "mini-2b",
    folder: Annotated[
        Path | None, typer.Option(help="Keeps the weights for the next time. Default: they are removed.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Answers about one tile, each both ways.")] = 3,
    conversations: Annotated[
        int, typer.Option(min=1, help="Conversations about twelve tiles and a thumbnail.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Measure loading, memory and answers of a model of real size with random weights, against transformers."""
    from internvl_demo.bench.local import measure_local, table
    from internvl_demo.models.profiles import profile_named

    profile = profile_named(shape)
    if folder:
        check_folder(folder)

    def said(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    found = measure_local(profile, folder, rounds, conversations, said)
    print(json.dumps(found, indent=2) if as_json else table(found))


@bench.command()
def turbomind(
    part: Annotated[BenchPart, typer.Option(help="Which part.")] = BenchPart.all,
    scenes: Annotated[int, typer.Option(help="Scenes of the miniature's part.")] = 50,
    layers: Annotated[int | None, typer.Option(help="Decoder layers, instead of all that fit.")] = None,
    work: Annotated[Path | None, typer.Option(help="A folder for up to 52 GB of weights.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and say what would be done.")] = False,
    gpu_memory: Annotated[
        float, typer.Option(min=1, max=1024, help="With --dry-run: GiB of the GPU.")
    ] = 79.2,
    disk: Annotated[float, typer.Option(min=1, max=1e6, help="With --dry-run: GiB of free disk.")] = 64,
) -> None:
    """Measure LMDeploy's TurboMind on this machine's GPU, against transformers on the same weights."""
    from dataclasses import replace

    from internvl_demo.bench.turbomind import measure, plan
    from internvl_demo.models.lmdeploy.capacity import V1_5

    shape = replace(V1_5, layers=layers) if layers else V1_5
    if dry_run:
        print(json.dumps(plan(shape, gpu_memory, disk), indent=2))
        return
    if work:
        check_folder(work)
    print(json.dumps(asyncio.run(measure(part.value, scenes, shape, work)), indent=2))


@bench.command()
def stream(
    readers: Annotated[int, typer.Option(min=1, help="How many read at once.")] = 16,
    tokens_per_s: Annotated[float, typer.Option(min=0.1, help="Tokens a second for each reader.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each answer is.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, each of the page and then the plain chat.")] = 3,
    only: Annotated[StreamKind | None, typer.Option(help="Measure one of them.")] = None,
    as_json: Json = False,
) -> None:
    """Measure CPU and waiting times of the page while many read, against a plain `gr.ChatInterface`."""
    from internvl_demo.bench.stream import KINDS, measure_stream, table

    kinds = (only.value,) if only else KINDS
    result = measure_stream(readers, tokens_per_s, seconds, rounds, kinds)
    print(json.dumps(result, indent=2) if as_json else table(result))


@bench.command()
def page_memory(
    pages: Annotated[int, typer.Option(min=1, help="Conversations that are opened.")] = 20,
    pictures: Annotated[int, typer.Option(min=1, help="Photos of 12 megapixels in each.")] = 4,
    as_json: Json = False,
) -> None:
    """Measure the memory of the page's process for each open conversation about photos, at rest."""
    from internvl_demo.bench.page_memory import measure_page_memory

    _print_rows(measure_page_memory(pages, pictures), as_json)


@bench.command()
def upload(
    times: Annotated[int, typer.Option(min=1, help="Uploads of each kind.")] = 9, as_json: Json = False
) -> None:
    """Measure the milliseconds from the last byte of a 12-megapixel photo to the page's answer."""
    from internvl_demo.bench.upload import measure_upload

    _print_rows(measure_upload(times), as_json)


def _print_rows(result: dict[str, Any], as_json: bool) -> None:
    """Print a result for machines or for people."""
    print(json.dumps(result, indent=2) if as_json else "\n".join(f"{k}: {v}" for k, v in result.items()))
