"""The command line: `internvl-demo serve | plan | ask | train | exam | grounding-check | convert | ...`; `app.py`.

Where the package is not installed, `python -m internvl_demo` stands for `internvl-demo`.

Each command is a function from values to text on standard output. Errors that have a reader go to
standard error, two sentences and then the details if it has some, exit code 2. What a command does not
need is not imported.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from internvl_demo.bench.commands import bench
from internvl_demo.environment import (
    as_typed,
    check_certificates,
    check_file,
    check_folder,
    console,
    print_json,
    refused_by_system,
)
from internvl_demo.errors import DemoError, SetupError
from internvl_demo.evaluate.commands import grounding_check
from internvl_demo.flags import (
    Checkpoint,
    Endpoint,
    Endpoints,
    Images,
    Json,
    Lang,
    MaxNewTokens,
    Mode,
    ModelName,
    ModelNames,
    ProfileName,
    RepetitionPenalty,
    Seed,
    Stage,
    System,
    Temperature,
    Think,
    TopP,
)
from internvl_demo.models.commands import capacity, convert
from internvl_demo.settings import NANO_CHECKPOINT, read_settings

if TYPE_CHECKING:
    from internvl_demo.answering.stream import Answer
    from internvl_demo.conversation.options import Options
    from internvl_demo.conversation.tiling import TilesFollow
    from internvl_demo.conversation.turns import Conversation
    from internvl_demo.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="InternVL 1.5: talk to pictures.")
app.add_typer(bench, name="bench")
app.command()(capacity)
app.command()(convert)
app.command()(grounding_check)


@app.command()
def plan(
    images: Images,
    mode: Mode = "standard",
    tokens_per_tile: Annotated[
        int | None,
        typer.Option(help="Visual tokens per tile; 256 for the 26B. Default: the bundled model's."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how images are divided into tiles, without loading a model."""
    from internvl_demo.conversation.tiling import max_tiles_of, plan_tiles
    from internvl_demo.photos.decode import open_photo

    per_tile = tokens_per_tile or _tokens_per_tile()
    most = max_tiles_of(mode)
    rows: list[dict[str, Any]] = []
    for image in images:
        tiles = plan_tiles(open_photo(image).size_wh, most)
        rows.append(
            {
                "image": str(image),
                "size_wh": list(tiles.size_wh),
                "grid": list(tiles.grid),
                "canvas_wh": list(tiles.canvas_wh),
                "tiles": tiles.tiles,
                "thumbnail": tiles.thumbnail,
                "visual_tokens": tiles.visual_tokens(per_tile),
            }
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        thumbnail = " + thumbnail" if row["thumbnail"] else ""
        columns, lines = row["grid"]
        count = f"{row['tiles']} {'tile' if row['tiles'] == 1 else 'tiles'}{thumbnail}"
        sizes = f"{_times(row['size_wh'])} px -> {columns} x {lines} tiles on {_times(row['canvas_wh'])} px"
        print(f"{row['image']}: {sizes}, {count}, {row['visual_tokens']} visual tokens")


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    image: Annotated[list[Path] | None, typer.Option(help="A picture file; repeat for several.")] = None,
    mode: Mode = "standard",
    endpoint: Endpoint = None,
    model: ModelName = None,
    checkpoint: Checkpoint = None,
    profile: ProfileName = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    repetition_penalty: RepetitionPenalty = None,
    max_new_tokens: MaxNewTokens = None,
    seed: Seed = None,
    system: System = None,
    thinking: Think = False,
    overlay: Annotated[Path | None, typer.Option(help="Draw the answer's boxes into this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Ask one question about images. What had come of an answer that breaks off is printed before the error."""
    from internvl_demo.answering.stream import report
    from internvl_demo.conversation.options import options_over
    from internvl_demo.conversation.tiling import max_tiles_of
    from internvl_demo.conversation.turns import Attachment, Conversation
    from internvl_demo.grounding.overlay import drawable
    from internvl_demo.models import options_of
    from internvl_demo.photos.decode import open_photo

    check_certificates()
    if overlay:
        if not image:
            raise SetupError("There is no picture to draw boxes on.", "Add one with --image.")
        check_file(overlay, (".png",))
    most = max_tiles_of(mode)
    attached = tuple(Attachment(open_photo(path), most) for path in image or [])
    for photo in (each.photo for each in attached):
        if photo.note:
            print(f"{photo.name}: {photo.note.what} {photo.note.next_step}", file=sys.stderr)
    conversation = Conversation().ask(_question(question), attached)
    settings = read_settings(
        endpoint=endpoint,
        model=model,
        checkpoint=checkpoint,
        profile=profile,
        temperature=temperature,
        max_new_tokens=max_new_tokens,
    )
    chosen = {
        "temperature": temperature,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "system": as_typed(system) if system else None,
        "thinking": thinking,
    }
    options = options_over(chosen, options_of(settings))
    conversation, given, failure, follow = asyncio.run(_ask(conversation, settings, options))
    result = report(conversation, given, follow)
    if as_json:
        error = {"error": failure.as_dict()} if failure else {}
        print_json(result | error)
    elif given.raw or not failure:
        if given.thinking:
            print(f"{given.thinking.strip()}\n", file=sys.stderr)
        print(result["text"])
        for number, box in enumerate(result["boxes"], 1):
            in_overlay = f"#{number} " if overlay and drawable(box["label"], number) == f"#{number}" else ""
            print(f"  {in_overlay}{box['label'] or 'box'}: Image-{box['image']} {box['xyxy_px']} px")
    if overlay:
        _draw(conversation, given, overlay)
    if failure:
        raise failure


@app.command()
def train(
    stage: Annotated[Stage, typer.Argument(help="Which stage; each continues from the one before.")],
    run: Annotated[Path, typer.Option(help="Where checkpoints and the log are kept.")] = Path("runs/nano"),
    steps: Annotated[int | None, typer.Option(help="Total number of steps, instead of the recipe's.")] = None,
    after: Annotated[
        Stage | None, typer.Option(help="The stage to continue from, instead of the one before.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that draw scenes.")] = 1,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that train together, for example one per core.")
    ] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda; default: cuda if there is one.")] = "",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the layers first; needs a C++ compiler.")
    ] = False,
    export: Annotated[Path | None, typer.Option(help="Write the finished model to this directory.")] = None,
) -> None:
    """Train the miniature, stage by stage. A stopped stage resumes where it was."""
    check_folder(run)
    if export:
        check_folder(export)
    from internvl_demo.nano.training.train import export_model
    from internvl_demo.nano.training.train import train as train_stage

    train_stage(
        stage.value,
        run,
        steps=steps,
        after=after.value if after else "",
        workers=workers,
        processes=processes,
        device=device,
        compiled=compiled,
    )
    if export:
        export_model(run, stage.value, export)


@app.command()
def exam(
    lang: Annotated[Lang | None, typer.Option(help="Only this language. Default: both.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Items of each skill and language.")] = 100,
    skill: Annotated[list[str] | None, typer.Option(help="Only this skill; repeat for several.")] = None,
    endpoint: Endpoint = None,
    model: ModelName = None,
    checkpoint: Checkpoint = None,
    profile: ProfileName = None,
    page: Annotated[
        Path | None, typer.Option(help="Write every item, with its picture, to this HTML file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask a model about fresh pictures whose truth is known, skill by skill, in English and Chinese."""
    check_certificates()
    if page:
        check_file(page)
    from internvl_demo.evaluate.exam.page import exam_page
    from internvl_demo.evaluate.exam.run import Result, chosen_skills, scores, sit, table
    from internvl_demo.models import open_backend

    skills, langs = chosen_skills(skill), [lang.value] if lang else [*Lang]
    backend = open_backend(
        read_settings(endpoint=endpoint, model=model, checkpoint=checkpoint, profile=profile)
    )

    async def results() -> list[Result]:
        await backend.ready()
        return [result async for result in sit(backend, langs, skills, limit)]

    found = asyncio.run(results())
    if page:
        page.write_text(exam_page(found), "utf-8")
    rows = scores(found)
    print(json.dumps(rows, indent=2) if as_json else table(rows))


def main() -> None:
    """Run a command; report an error with a reader, a line for each of its parts, with exit code 2."""
    _guarded(app)


def serve_main() -> None:
    """Run the page, for `app.py`."""
    _guarded(lambda: typer.run(serve))


@app.command()
def serve(
    endpoint: Endpoints = None,
    model: ModelNames = None,
    checkpoint: Checkpoint = None,
    profile: ProfileName = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: 7860.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps or auto.")] = None,
    serve: Annotated[str | None, typer.Option(help="A model to serve on this machine's GPUs.")] = None,
    tp: Annotated[int | None, typer.Option(help="Number of GPUs to split it over. Default: 1.")] = None,
    awq: Annotated[bool | None, typer.Option("--awq", help="Serve it with weights in 4 bits.")] = None,
    lmdeploy_arg: Annotated[
        list[str] | None, typer.Option(help="A further argument of LMDeploy; repeat for several.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where conversations and photos are kept.")] = None,
    keep_days: Annotated[
        int | None, typer.Option(help="Days to keep an untouched conversation; 0: nothing outlives the page.")
    ] = None,
) -> None:
    """Serve the page. Every flag can also be set as INTERNVL_... in the environment."""
    from internvl_demo.models import open_backends
    from internvl_demo.store import open_store
    from internvl_demo.web.address import address_of, without_proxies

    served = {"serve": serve, "tp": tp, "awq": awq, "lmdeploy_arg": lmdeploy_arg or None}
    kept = {"data_dir": data_dir, "keep_days": keep_days}
    settings = read_settings(
        endpoint=endpoint or None,
        model=model or None,
        checkpoint=checkpoint,
        profile=profile,
        host=host,
        port=port,
        device=device,
        **served,
        **kept,
    )
    check_certificates()
    with closing(open_store(settings)) as store:
        address_of(settings)  # said now, before a model is loaded
        with without_proxies():  # some of which Gradio does not bear
            from internvl_demo.web.app import launch
        launch(open_backends(settings), settings, store)


def _question(argument: str) -> str:
    from internvl_demo.conversation.turns import is_blank

    question = as_typed(argument)
    if is_blank(question):
        raise SetupError(
            "There is no question.", 'Write one in quotation marks, such as "Where is the cat?".'
        )
    return question


async def _ask(
    conversation: "Conversation", settings: "Settings", options: "Options"
) -> "tuple[Conversation, Answer, DemoError | None, TilesFollow]":
    """Return the conversation as asked, what came of the answer, why it broke off, whose choice of tiles counts."""
    from internvl_demo.answering.stream import collect
    from internvl_demo.conversation.options import checked_thinking
    from internvl_demo.models import open_backend

    backend = open_backend(settings)
    try:
        await backend.ready()
        info = None
        with suppress(DemoError):  # asking meets it again
            info = await backend.describe()
        if info is None:
            return conversation, *await collect(backend, conversation, options), "image"
        checked_thinking(options, thinks=info.profile.thinking is not None)
        asked = conversation.at_most(info.most_tiles)
        if asked != conversation:
            print(f"{info.name} reads an image in {info.most_tiles} tiles at most.", file=sys.stderr)
        return asked, *await collect(backend, asked, options), info.tiles_follow
    finally:
        await backend.close()


def _draw(conversation: "Conversation", given: "Answer", overlay: Path) -> None:
    from internvl_demo.grounding.overlay import draw_overlay

    picture = draw_overlay([image.photo.shown for image in conversation.images], list(given.pinned))
    picture.save(overlay, "PNG")


def _tokens_per_tile() -> int:
    config = json.loads((NANO_CHECKPOINT / "config.json").read_text("utf-8"))
    return int(config["image_seq_length"])


def _times(size_wh: list[int]) -> str:
    return f"{size_wh[0]} x {size_wh[1]}"


def _guarded(command: Callable[[], Any]) -> None:
    try:
        with console():
            command()
    except (DemoError, OSError) as error:
        told = error if isinstance(error, DemoError) else refused_by_system(error)
        with suppress(OSError):  # nobody reads it
            print(*told.parts, sep="\n", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
