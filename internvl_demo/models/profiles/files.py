"""Find a checkpoint's template as servers read it: JSON for LMDeploy, Jinja for vLLM and SGLang.

    template_file(find("mini-2b"), ".json")    ->  assets/templates/internlm2-chat-v1.json

The files of `assets/templates` are written from the table of profiles, and a test holds them against it:

    python -m internvl_demo.models.profiles.files
"""

import json
from pathlib import Path
from typing import Literal

from internvl_demo.conversation.template_files import jinja_of, lmdeploy_of
from internvl_demo.errors import SetupError
from internvl_demo.models.profiles import Profile, profiles
from internvl_demo.settings import asset

Kind = Literal[".json", ".jinja"]


def template_file(profile: Profile, kind: Kind) -> Path:
    """Return the file for a checkpoint's template. Raises SetupError where there is none for it.

    A vocabulary of which no checkpoint of the family has this template gets the file of its template: the stops that a
    request names are its own.
    """
    for stem in (profile.template_stem, profile.template.name.lower()):
        file = asset(f"templates/{stem}{kind}")
        if file.is_file():
            return file
    raise SetupError(
        f"There is no template file for {profile.name}, whose template is {profile.template.name}.",
        "Start the server yourself with a chat template of your own, and name it: --endpoint.",
    )


def written() -> dict[str, str]:
    """Return the text of each file, by its name."""
    found: dict[str, str] = {}
    for each in profiles():
        stem = each.template_stem
        told = json.dumps(lmdeploy_of(each.template, stem), ensure_ascii=False, indent=2)
        found |= {f"{stem}.json": f"{told}\n", f"{stem}.jinja": jinja_of(each.template)}
    return found


if __name__ == "__main__":
    for name, text in written().items():
        asset(f"templates/{name}").write_text(text, "utf-8")
