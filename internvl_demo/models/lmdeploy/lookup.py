"""Find out what a model to serve is: its hub id, its template, its sizes; a few kB are read, no weights.

    look_up("mini-2b")    ->  "OpenGVLab/Mini-InternVL-Chat-2B-V1-5", its Profile

Of a directory its config.json is read, which has to be in the official format: in transformers' own LMDeploy ignores
the resolution mode. Of a checkpoint of the family the table of profiles is enough, so that a start needs no network.
Of any other model of the hub config.json is fetched.
"""

import json
from pathlib import Path
from typing import Any

from internvl_demo.errors import CheckpointError, SetupError
from internvl_demo.models.profiles import Profile, find, hub_id_of, profile_named
from internvl_demo.models.profiles.detect import profile_for


def look_up(model: str, named: str | None = None) -> tuple[str, Profile]:
    """Return the model as a server is told it, and its profile. `named`: the profile that a person names for it.

    Raises SetupError on a directory that is no such checkpoint, CheckpointError on a model that the hub does not have.
    """
    if Path(model).is_dir():
        return model, _in_directory(Path(model), named)
    hub_id = hub_id_of(model)
    known = find(hub_id)
    if "/" not in hub_id:
        known = profile_named(model)
    if known and named is None:
        return hub_id, known
    return hub_id, profile_for(_fetched(hub_id), hub_id, None, named)


def _in_directory(directory: Path, named: str | None) -> Profile:
    try:
        config = json.loads((directory / "config.json").read_text("utf-8"))
        if not isinstance(config["llm_config"], dict):
            raise TypeError("llm_config")
        return profile_for(config, str(directory), None, named)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(
            f"{directory} holds no InternVL checkpoint in the official format ({type(error).__name__}).",
            "Serve a released checkpoint, such as OpenGVLab/InternVL-Chat-V1-5, or one saved from it: in transformers' "
            "own format LMDeploy ignores the resolution mode.",
        ) from error


def _fetched(model: str) -> dict[str, Any]:
    """Return config.json of a model of the hub. Raises CheckpointError."""
    from internvl_demo.models.hub.download import small_file

    try:
        found = json.loads(small_file(model, "config.json"))
    except ValueError as error:
        raise CheckpointError(
            f"config.json of {model} cannot be read: {error}.", "Download it again."
        ) from error
    return found if isinstance(found, dict) else {}
