"""Pictures as the files that a person uploads."""

import io

from PIL import Image, ImageDraw

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


def house_png(size_wh: tuple[int, int], sky: str) -> bytes:
    """Draw a house in a landscape: something to look at."""
    (width, height), image = size_wh, Image.new("RGB", size_wh, sky)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 0.7, width, height), fill="#4d7c0f")
    draw.rectangle((width * 0.3, height * 0.5, width * 0.7, height * 0.95), fill="#fde68a")
    roof = [(width * 0.25, height * 0.5), (width * 0.75, height * 0.5), (width * 0.5, height * 0.3)]
    draw.polygon(roof, "#b91c1c")
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()
