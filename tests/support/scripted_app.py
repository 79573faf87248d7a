"""Serve the page, answered by the words given; after "..." nothing comes.

python -m tests.support.scripted_app FOLDER PORT WORDS...
"""

import sys
from pathlib import Path

from internvl_demo.settings import Settings
from internvl_demo.web.app import launch
from tests.support.scripted_model import ScriptedModel

if __name__ == "__main__":
    folder, port, *words = sys.argv[1:]
    model = ScriptedModel([(lambda: False) if word == "..." else word for word in words])
    launch(model, Settings(checkpoint="scripted", data_dir=Path(folder), keep_days=1, port=int(port)))
