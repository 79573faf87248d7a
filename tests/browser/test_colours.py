"""A file as the store keeps it shows its colours in real Chromium, also those of a phone or a camera."""

import base64
from io import BytesIO

import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Browser

from internvl_demo.photos.decode import clean_file
from tests.support.pictures import picture, saved
from tests.support.profiles import parametric, profile, table
from tests.support.shown import SHOWN

PROFILES = {
    "Display P3": profile("Display P3"),
    "Display P3, version 2": profile("Display P3", table([563]), version=2),
    "ProPhoto": profile("ProPhoto", parametric([1.8])),
}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_a_wide_gamut_picture_shows_its_colours(browser: Browser, name: str, format: str) -> None:
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    file = clean_file(saved(picture(), format, icc_profile=PROFILES[name], **options))
    source, target = ImageCms.ImageCmsProfile(BytesIO(PROFILES[name])), ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(picture(), source, target, outputMode="RGB")
    assert isinstance(expected, Image.Image)
    page = browser.new_page()
    *_, colours = page.evaluate(SHOWN, f"data:{file.mime};base64,{base64.b64encode(file.data).decode()}")
    page.close()
    for y, row in enumerate(colours):
        for x, shown in enumerate(row):
            wanted = expected.getpixel((16 * x + 8, 16 * y + 8))
            assert isinstance(wanted, tuple)
            assert max(abs(a - b) for a, b in zip(shown, wanted, strict=True)) <= 8
