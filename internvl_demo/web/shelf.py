"""Photos as files that the page can show: written once, in the folder that Gradio serves.

The names are the photos' ids; what is written is the upright picture without its metadata, never the
upload. The folder lives as long as the process.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from internvl_demo.photos.decode import Photo, encode_photo


def use_own_folder() -> None:
    """Gives Gradio's uploads and our photos one folder that goes with the process, unless
    `GRADIO_TEMP_DIR` names another. Gradio reads the variable at every use."""
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="internvl_demo-")
        os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


class Shelf:
    """Photo -> file, and the address where the browser finds it."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["GRADIO_TEMP_DIR"]) / "photos"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._paths: dict[str, Path] = {}

    def path(self, photo: Photo) -> str:
        """The photo's file, written the first time it is asked for."""
        if photo.id not in self._paths:
            mime, data = encode_photo(photo)
            path = self.folder / f"{photo.id}.{mime.removeprefix('image/')}"
            fresh = path.with_suffix(".new")
            fresh.write_bytes(data)
            fresh.replace(path)
            self._paths[photo.id] = path
        return str(self._paths[photo.id])

    def url(self, photo: Photo) -> str:
        """Relative to the page, so that it holds behind any prefix."""
        return f"gradio_api/file={self.path(photo)}"
