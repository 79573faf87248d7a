"""The miniature as LMDeploy reads it: a folder in the official format, as `internvl_demo convert` writes it.

Once with the tokenizer that `convert` writes, and once with a slow one as InternLM2's is, which LMDeploy treats
in its own way: it puts spaces around special tokens unless a request says otherwise.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from internvl_demo.bench.random_weights import official_config_of
from internvl_demo.models.convert import configuration_internvl_chat, convert
from internvl_demo.models.convert.tokens import read_tokenizer
from internvl_demo.models.profiles import Profile
from internvl_demo.models.profiles.shape import Shape
from internvl_demo.settings import NANO_CHECKPOINT
from tests.support.official_checkpoints import write_tokenizer

TINY = Shape(1, 64, 2, 128, 28, 1, 64, 2, 2, 96, 700, 8192, vit_norms=False)
"""64 visual tokens a tile, as the miniature has."""

HERE = Path(__file__).parent
TEMPLATE = HERE.parents[1] / "assets" / "templates" / "internlm2-chat-v1.json"


def write_official_folder(folder: Path) -> Path:
    """Converts the miniature into a new folder, and returns it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    convert(NANO_CHECKPOINT, folder, "official")
    return folder


def with_slow_tokenizer(folder: Path) -> Path:
    """Gives an official folder a tokenizer of the kind that the 26B has, and returns it."""
    shutil.copy(HERE / "tokenization_miniature.py", folder)
    added = json.loads((folder / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8")) | {
        "tokenizer_class": "MiniatureTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_miniature.MiniatureTokenizer", None]},
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in added
        },
    }
    path.write_text(json.dumps(settings), "utf-8")
    return folder


def write_served_folder(folder: Path, profile: Profile) -> Path:
    """Writes all that a server reads of a checkpoint before its weights: config.json, and a tokenizer that has the
    template's tokens, and begins a text as the release's does."""
    folder.mkdir(parents=True)
    tiny = replace(profile, shape=replace(TINY, biases=profile.shape.biases))
    (folder / "config.json").write_text(json.dumps(official_config_of(tiny)), "utf-8")
    shutil.copy(configuration_internvl_chat.__file__, folder)
    files = read_tokenizer(write_tokenizer(folder))
    assert files
    (files.with_bos() if profile.template.start else files).write(folder)
    return folder
