"""The miniature as LMDeploy reads it: a folder in the official format, as `internvl_demo convert` writes it.

Once with the tokenizer that `convert` writes, and once with a slow one as InternLM2's is, which LMDeploy treats
in its own way: it puts spaces around special tokens unless a request says otherwise.
"""

import json
import shutil
from pathlib import Path

from internvl_demo.models.convert import convert
from internvl_demo.settings import NANO_CHECKPOINT

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
