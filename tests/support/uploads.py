"""Pictures as the files that a person uploads."""

import io

from PIL import Image

from internvl_demo.nano.world.pictures import Picture


def png(size_wh: tuple[int, int] = (64, 48), colour: str = "teal") -> bytes:
    """A plain picture as PNG."""
    data = io.BytesIO()
    Image.new("RGB", size_wh, colour).save(data, "PNG")
    return data.getvalue()


def scene_png(scene: Picture) -> bytes:
    data = io.BytesIO()
    scene.image.save(data, "PNG")
    return data.getvalue()
