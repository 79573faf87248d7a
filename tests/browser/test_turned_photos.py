"""A file as the store keeps it stands upright in real Chromium, whichever way the camera was held."""

import base64

import pytest
from PIL import Image
from playwright.sync_api import Browser

from internvl_demo.photos.decode import clean_file
from tests.support.pictures import BLOCKS, as_stored, saved
from tests.support.shown import SHOWN


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("jfif", [True, False], ids=["JFIF", "no JFIF"])
def test_a_turned_photo_stands_upright(browser: Browser, orientation: int, jfif: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(as_stored(orientation), "JPEG", quality=100, subsampling=0, exif=exif)
    if not jfif:  # as phones write it: the 18 bytes of that segment less
        data = data[:2] + data[20:]
    file = clean_file(data)
    assert (b"JFIF" in file.data) == jfif
    page = browser.new_page()
    url = f"data:{file.mime};base64,{base64.b64encode(file.data).decode()}"
    width, height, colours = page.evaluate(SHOWN, url)
    page.close()
    assert (width, height) == file.size_wh == (48, 32)
    for shown, wanted in zip(colours, BLOCKS, strict=True):
        for one, other in zip(shown, wanted, strict=True):
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 6
