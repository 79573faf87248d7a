"""Define `internvl-demo grounding-check`. What it does not need is not imported."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from internvl_demo.environment import as_typed, check_certificates, print_json
from internvl_demo.errors import SetupError
from internvl_demo.flags import Json, Mode
from internvl_demo.models.places import Place, places_of
from internvl_demo.settings import Settings, read_settings


def grounding_check(
    first: Annotated[str, typer.Argument(metavar="A", help="A server: its URL, NAME=URL, or a name.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The server to compare with it.")],
    pictures: Annotated[
        Path | None, typer.Option(help="A folder of pictures, instead of drawn ones.")
    ] = None,
    ask: Annotated[str | None, typer.Option(help="With --pictures: what is asked about each.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Questions about drawn pictures.")] = 20,
    mode: Mode = "standard",
    as_json: Json = False,
) -> None:
    """Ask two servers where things are in the same pictures, and tell how far their boxes are apart."""
    from internvl_demo.conversation.tiling import max_tiles_of
    from internvl_demo.evaluate.agreement.questions import drawn, of_folder
    from internvl_demo.evaluate.agreement.report import figures, table
    from internvl_demo.evaluate.agreement.run import ask_both
    from internvl_demo.models import open_place

    check_certificates()
    if (pictures is None) != (ask is None):
        raise SetupError(
            "Pictures of your own need a question, and a question needs pictures.",
            'Give both: --pictures FOLDER --ask "Please identify and label all objects."',
        )
    most = max_tiles_of(mode)
    settings, places = two_servers(first, second)
    questions = of_folder(pictures, as_typed(ask)) if pictures and ask else drawn(limit)
    backends = {place.id: open_place(place, settings) for place in places}

    def progress(count: int) -> None:
        print(f"\r{count} of {len(questions)} questions", end="", file=sys.stderr, flush=True)

    quiet = as_json or not sys.stderr.isatty()
    results = asyncio.run(ask_both(backends, questions, most, *(() if quiet else (progress,))))
    if not quiet:
        print(file=sys.stderr)
    names = list(backends)
    if as_json:
        print_json(figures(names, results))
    else:
        print(table(names, results))


def two_servers(first: str, second: str) -> tuple[Settings, list[Place]]:
    """Return both servers as places, and the settings with which they are opened.

    A bare URL is called A or B; a name is looked up among INTERNVL_ENDPOINT's. Raises SetupError on what is neither.
    """
    there = {place.id: place.where for place in places_of(read_settings()) if place.kind == "endpoint"}
    names = []
    for letter, word in (("A", first), ("B", second)):
        before, scheme, _ = word.partition("://")
        if scheme:
            named, _, _ = before.rpartition("=")
            names.append(named or letter)
            there[names[-1]] = word.removeprefix(f"{named}=")
        elif word in there:
            names.append(word)
        else:
            known = f", or one of those in INTERNVL_ENDPOINT: {', '.join(there)}" if there else ""
            raise SetupError(
                f"{word!r} is no server.", f"Name its address, such as http://127.0.0.1:23333{known}."
            )
    if names[0] == names[1]:
        raise SetupError(
            f"Both servers are called {names[0]}.", "Name two, such as one=http://... two=http://..."
        )
    settings = read_settings(endpoint=[f"{name}={where}" for name, where in there.items()])
    places = {place.id: place for place in places_of(settings)}
    return settings, [places[name] for name in names]
