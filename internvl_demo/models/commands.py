"""Commands on checkpoints and GPUs: `capacity`, `convert`. What a command does not need is not imported."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from internvl_demo.flags import KV, Format, Json, ProfileName


def capacity(
    gpu_memory: Annotated[
        str, typer.Option(help="GB of each GPU, as it is sold; or MiB, as nvidia-smi tells it.")
    ],
    tp: Annotated[int, typer.Option(help="Number of GPUs over which the model is split.")] = 1,
    awq: Annotated[bool, typer.Option("--awq", help="Weights in 4 bits.")] = False,
    kv: Annotated[KV, typer.Option(help="KV cache in 16 bits, or quantised to 8.")] = KV.auto,
    model: Annotated[str, typer.Option(help="A short name, a hub id or a directory.")] = "26b",
    profile: ProfileName = None,
    as_json: Json = False,
) -> None:
    """Compute how many conversations with a model fit into GPUs."""
    from internvl_demo.models.lmdeploy.capacity import (
        capacity_of,
        gpu_gb,
        refuse_if_too_small,
        report,
        summary,
        usable_gib,
    )
    from internvl_demo.models.lmdeploy.lookup import look_up

    card_gb = gpu_gb(gpu_memory)
    name, looked_up = look_up(model, profile)
    found = capacity_of(usable_gib(card_gb), tp, awq=awq, kv=kv.value, shape=looked_up.shape)
    if as_json:
        print(json.dumps({"model": name, **report(found, card_gb)}, indent=2))
        return
    refuse_if_too_small(found)
    print(f"{name}: {summary(found)}")


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Directory of the checkpoint.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Directory to write; new or empty.")],
    to: Annotated[Format, typer.Option(help="The format to write.")] = Format.native,
    image_token_id: Annotated[
        int | None, typer.Option(help="The id of <IMG_CONTEXT>, if SRC holds no tokenizer.")
    ] = None,
) -> None:
    """Turn an official InternVL 1.5 checkpoint into one that runs in process, or back."""
    from internvl_demo.models.convert import convert as convert_checkpoint

    done = convert_checkpoint(source, target, to.value, image_token_id)
    for note in done.notes:
        print(note, file=sys.stderr)
    files = "1 file" if done.files == 1 else f"{done.files} files"
    print(f"{target}: {done.tensors} tensors in {files}, {done.parameters / 1e6:,.1f} million parameters")
